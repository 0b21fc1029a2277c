// The code base checks itself: imports point down, each package enters by one door, banned calls stay out of src/, every
// file and export says what it is. The last test plants violations and expects each to be reported.

import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';

const root = path.resolve(import.meta.dirname, '..');

const LAYERS: Record<string, number> = {
  model: 0,
  platform: 1,
  codec: 1,
  kernels: 1,
  bus: 2,
  storage: 2,
  query: 2,
  actors: 3,
  '': 4,
};
const SIBLINGS_APART = new Set(['bus', 'storage', 'query']);

const DOORS: [pattern: RegExp, door: RegExp][] = [
  [/^nats$/, /^src\/bus\/nats\//],
  [/^minio$/, /^src\/storage\/objects\/minio\.ts$/],
  [/^msgpackr$/, /^src\/codec\/envelope\.ts$/],
  [/^protobufjs/, /^src\/codec\/proto\//],
  [/^(hono|@hono\/)/, /^src\/actors\/(.*\/)?http[a-z-]*\.ts$/],
  [/^@grpc\//, /^src\/actors\/.*\/grpc\.ts$/],
  [/^prom-client$/, /^src\/platform\/metrics\.ts$/],
  [/^pino$/, /^src\/platform\/log\.ts$/],
  [/^re2js$/, /^src\/codec\/regex\.ts$/],
  [/^(xxhash-wasm|@node-rs\/crc32)$/, /^src\/codec\/hash\.ts$/],
  [/^@(lezer|prometheus-io)\//, /^src\/query\/parse\//],
  [/^ulid$/, /^src\/storage\/block\//],
  [/^(yaml|zod)$/, /^src\/platform\/config[a-z-]*\.ts$/],
  [/^commander$/, /^src\/main\.ts$/],
  [/^node:(fs|os)/, /^src\/(platform\/|main\.ts)/],
  [/^node:worker_threads$/, /^src\/(bus\/local\/|embedded|main)/],
  [/^node:(net|http|https|dgram|tls)$/, /^src\/(actors\/.*http[a-z-]*|storage\/objects\/minio)\.ts$/],
];

const BANS: [pattern: RegExp, instead: string, allowed: RegExp][] = [
  [/\bDate\.now\(|\bnew Date\(\)/, 'the Clock port', /^src\/platform\//],
  [/\bsetTimeout\(|\bsetInterval\(/, 'Clock.after or Clock.every', /^src\/platform\//],
  [/\bMath\.random\(|\bcrypto\.randomUUID\(/, 'the Random port', /^src\/platform\//],
  [/\bprocess\.exit\(/, 'an error that main.ts reports', /^src\/(main|process)\.ts$/],
  [/\bconsole\.\w+\(/, 'the Logger port', /^src\/(main|process|cli)/],
  [/^let \w/m, 'state inside an object (nothing module-level is mutable)', /^$/],
  [/^export default/m, 'a named export', /^$/],
];

/** Every complaint about one source file, as sentences. */
function complaints(file: string, text: string): string[] {
  const out: string[] = [];
  const layer = file.split('/').length > 2 ? file.split('/')[1]! : '';
  if (!text.trimStart().startsWith('//')) out.push(`${file}: has no header comment`);
  const lines = text.split('\n').length;
  if (lines > 560) out.push(`${file}: ${lines} lines; split it by idea`);
  for (const [, specifier] of text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)) {
    if (specifier!.startsWith('.')) {
      const target = path.posix.join(path.posix.dirname(file), specifier!);
      if (!specifier!.endsWith('.ts')) out.push(`${file}: import of ${specifier} lacks its .ts ending`);
      const other = target.split('/').length > 2 ? target.split('/')[1]! : '';
      if (target.startsWith('test/')) out.push(`${file}: src imports test code ${target}`);
      else if (other !== layer && (LAYERS[other] ?? 9) > (LAYERS[layer] ?? -1))
        out.push(`${file}: imports upwards from ${target}`);
      else if (other !== layer && SIBLINGS_APART.has(layer) && SIBLINGS_APART.has(other))
        out.push(`${file}: imports its sibling ${target}`);
    } else {
      for (const [pattern, door] of DOORS)
        if (pattern.test(specifier!) && !door.test(file))
          out.push(`${file}: ${specifier} may only enter by ${door.source}`);
    }
  }
  const code = text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
  for (const [pattern, instead, allowed] of BANS)
    if (pattern.test(code) && !allowed.test(file))
      out.push(`${file}: uses ${pattern.source}; take ${instead}`);
  for (const match of text.matchAll(/^export (?:async )?(?:function|class) (\w+)/gm)) {
    const before = text.slice(0, match.index).trimEnd();
    if (!before.endsWith('*/')) out.push(`${file}: export ${match[1]} has no docstring`);
  }
  return out;
}

// AssemblyScript is a language of its own.
const ASSEMBLY = 'src/kernels/assembly/';

function sources(): string[] {
  return readdirSync(path.join(root, 'src'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => path.relative(root, path.join(entry.parentPath, entry.name)).replaceAll(path.sep, '/'))
    .filter((file) => !file.startsWith(ASSEMBLY))
    .sort();
}

describe('tidy', () => {
  it('finds the sources', () => {
    expect(sources().length).toBeGreaterThan(25);
  });

  it('has nothing to complain about', () => {
    expect(
      sources().flatMap((file) => complaints(file, readFileSync(path.join(root, file), 'utf8'))),
    ).toEqual([]);
  });

  it('reports planted violations', () => {
    const header = '// header\n';
    const planted: [string, string, string][] = [
      ['src/model/x.ts', "import { a } from '../bus/bus.ts';", 'imports upwards'],
      ['src/query/x.ts', "import { a } from '../storage/y.ts';", 'imports its sibling'],
      ['src/query/x.ts', "import { connect } from 'nats';", 'may only enter by'],
      ['src/storage/x.ts', "import * as fs from 'node:fs';", 'may only enter by'],
      ['src/actors/x.ts', 'const t = Date.now();', 'Clock port'],
      ['src/actors/x.ts', 'setTimeout(f, 1);', 'Clock.after'],
      ['src/actors/x.ts', 'let count = 0;', 'module-level'],
      ['src/actors/x.ts', 'export function f() {}', 'no docstring'],
      ['src/actors/x.ts', "import { a } from './y';", 'lacks its .ts'],
    ];
    for (const [file, text, complaint] of planted)
      expect(complaints(file, header + text).join('\n')).toContain(complaint);
    expect(complaints('src/model/x.ts', 'const a = 1;').join()).toContain('no header');
  });
});
