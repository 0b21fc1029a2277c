// Reads the configuration from a YAML file, then the environment (SKEIN_SECTION_KEY), then flags; a key or value that is not allowed is an
// error that names it, its place and what is allowed.

import { LineCounter, parseDocument } from 'yaml';
import { DomainError, errorText } from '../model/errors.ts';
import { type Config, SETTINGS } from './config.ts';
import type { Setting } from './settings.ts';

type AnySetting = Setting<unknown>;
type Layers = Record<string, Record<string, unknown>>;

/** Where values come from, weakest first. */
export interface ConfigSources {
  readonly file?: { readonly name: string; readonly text: string };
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** `section.key` → text. */
  readonly flags?: Readonly<Record<string, string>>;
}

/** Reads and checks the configuration; throws one `config` error that lists every complaint. */
export function readConfig(sources: ConfigSources): Config {
  const complaints: string[] = [];
  const values: Layers = {};
  for (const [section, settings] of Object.entries(SETTINGS)) {
    values[section] = {};
    for (const [key, setting] of Object.entries(settings)) values[section][key] = setting.fallback;
  }
  if (sources.file) applyFile(sources.file, values, complaints);
  applyEnvironment(sources.environment ?? {}, values, complaints);
  for (const [name, raw] of Object.entries(sources.flags ?? {})) {
    const [section = '', key = ''] = name.split('.');
    assign(values, section, key, raw, `flag ${name}`, complaints);
  }
  if (complaints.length > 0)
    throw new DomainError(
      'config',
      `cannot use this configuration:\n${complaints.map((line) => `  ${line}`).join('\n')}`,
    );
  for (const section of Object.values(values)) Object.freeze(section);
  return Object.freeze(values) as unknown as Config;
}

/** The configuration as YAML with secrets hidden, for /api/v1/status/config. */
export function configText(config: Config): string {
  const lines: string[] = [];
  for (const [section, settings] of Object.entries(SETTINGS)) {
    lines.push(`${section}:`);
    for (const [key, setting] of Object.entries(settings)) {
      const value = (config as unknown as Layers)[section]![key];
      lines.push(
        `  ${key}: ${(setting as AnySetting).secret && value !== '' ? '<secret>' : JSON.stringify((setting as AnySetting).show(value))}`,
      );
    }
  }
  return `${lines.join('\n')}\n`;
}

function settingOf(section: string, key: string): AnySetting | undefined {
  return (SETTINGS as unknown as Record<string, Record<string, AnySetting>>)[section]?.[key];
}

function assign(
  values: Layers,
  section: string,
  key: string,
  raw: unknown,
  place: string,
  complaints: string[],
): void {
  const setting = settingOf(section, key);
  if (setting === undefined) {
    const known = SETTINGS[section as keyof Config];
    complaints.push(
      known
        ? `${place}: "${key}" is not a setting of ${section}; it has ${Object.keys(known).join(', ')}`
        : `${place}: "${section}" is not a section; there are ${Object.keys(SETTINGS).join(', ')}`,
    );
    return;
  }
  try {
    values[section]![key] = setting.parse(raw);
  } catch (error) {
    complaints.push(`${place}: ${section}.${key}: ${errorText(error)}`);
  }
}

function applyFile(file: { name: string; text: string }, values: Layers, complaints: string[]): void {
  const lines = new LineCounter();
  const document = parseDocument(file.text, { lineCounter: lines });
  for (const error of document.errors) complaints.push(`${file.name}: ${error.message}`);
  if (document.errors.length > 0 || document.contents === null) return;
  const root = document.toJS() as unknown;
  if (typeof root !== 'object' || root === null || Array.isArray(root)) {
    complaints.push(
      `${file.name}: expected sections (${Object.keys(SETTINGS).join(', ')}), found ${JSON.stringify(root)}`,
    );
    return;
  }
  const place = (path: string[]): string => {
    const node = document.getIn(path, true) as { range?: [number, number, number] } | undefined;
    return node?.range ? `${file.name}:${lines.linePos(node.range[0]).line}` : file.name;
  };
  for (const [section, settings] of Object.entries(root)) {
    if (typeof settings !== 'object' || settings === null)
      assign(values, section, '', settings, place([section]), complaints);
    else
      for (const [key, raw] of Object.entries(settings))
        assign(values, section, key, raw, place([section, key]), complaints);
  }
}

function applyEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
  values: Layers,
  complaints: string[],
): void {
  const known = new Map<string, [string, string]>();
  for (const [section, settings] of Object.entries(SETTINGS))
    for (const key of Object.keys(settings))
      known.set(`SKEIN_${section}_${key}`.toUpperCase(), [section, key]);
  for (const [name, raw] of Object.entries(environment)) {
    const found = known.get(name);
    if (found && raw !== undefined)
      assign(values, found[0], found[1], raw, `environment ${name}`, complaints);
  }
}
