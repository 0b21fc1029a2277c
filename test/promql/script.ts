// The promqltest language: text → commands. Commands are separated by blank lines; a comment line counts as blank.
//   load 1m             eval instant at 5m sum(x)          eval range from 0 to 10m step 1m x
//     x{a="1"} 1+1x10     expect warn msg: ...               {a="1"} 1 2 _ 4
//   clear                 {} 5

import type { Labels } from '../../src/model/labels.ts';
import { labelsKey } from '../../src/model/labels.ts';
import { parseDuration } from '../../src/query/parse/duration.ts';
import { unquote } from '../../src/query/parse/go-text.ts';
import {
  parseNumber,
  parseSeriesLine,
  parseStartsLine,
  type SequenceValue,
  type StartsLine,
} from './series.ts';

/** Puts series into the storage, samples `stepMs` apart from time 0 on. */
export interface LoadCommand {
  readonly kind: 'load';
  readonly line: number;
  readonly stepMs: number;
  /** Also store each classic histogram as a native one with custom buckets. */
  readonly withNhcb: boolean;
  readonly series: readonly LoadedSeries[];
}

/** One loaded series; `starts` when start timestamps were given: of each value by how many ms before or after it, if at all. */
export interface LoadedSeries {
  readonly labels: Labels;
  readonly values: readonly SequenceValue[];
  readonly starts?: readonly (number | undefined)[];
}

/**
 * What an `expect` line asks of messages. A text without a place `(line:column)` matches messages with one too; in a rewritten
 * query, whose places have moved, places do not count at all.
 */
export interface Expectation {
  readonly text: string;
  matches(message: string, isRewritten?: boolean): boolean;
}

/** Kinds of `expect` lines. */
export type ExpectKind = 'ordered' | 'fail' | 'warn' | 'no_warn' | 'info' | 'no_info';

/** Evaluates a query and compares. */
export interface EvalCommand {
  readonly kind: 'eval';
  readonly line: number;
  readonly query: string;
  readonly isRange: boolean;
  /** Range of the expected samples; an instant query is run at `atMs`. */
  startMs: number;
  endMs: number;
  stepMs: number;
  atMs: number;
  readonly expects: Map<ExpectKind, Expectation[]>;
  /** Expected series by labels key, with their 1-based place among the lines. */
  readonly expected: Map<string, ExpectedSeries>;
  scalar?: number;
  text?: string;
  /** The result is no vector: it cannot be compared in range mode. */
  instantOnly: boolean;
}

/** One expected series. */
export interface ExpectedSeries {
  readonly labels: Labels;
  readonly place: number;
  readonly values: readonly SequenceValue[];
}

/** A line that is no command of the language, or a broken command. */
export interface BrokenCommand {
  readonly kind: 'broken';
  readonly line: number;
  readonly reason: string;
}

/** One command of a script. */
export type Command =
  | LoadCommand
  | EvalCommand
  | BrokenCommand
  | { readonly kind: 'clear'; readonly line: number };

const LOAD = /^load(_with_nhcb)?\s+(.+?)$/;
const INSTANT = /^eval(?:_(fail|warn|ordered|info))?\s+instant\s+(?:at\s+(.+?))?\s+(.+)$/;
const RANGE = /^eval(?:_(fail|warn|info))?\s+range\s+from\s+(.+)\s+to\s+(.+)\s+step\s+(.+?)\s+(.+)$/;
const EXPECT = /^expect\s+(ordered|fail|warn|no_warn|info|no_info)(?:\s+(regex|msg):(.+))?$/;
const EXPECT_RANGE = /^expect range vector\s+from\s+(.+)\s+to\s+(.+)\s+step\s+(.+)$/;
const SINGLE_NUMBER = /^[+-]?(?:[0-9._]+(?:[eE][+-]?[0-9]+)?|0[xX][0-9a-fA-F]+|[iI]nf|[nN]a[nN])$/;

/** Parses a script; what cannot be understood becomes a `broken` command and the rest goes on. */
export function parseScript(text: string): Command[] {
  const lines = text.split('\n').map((line) => {
    const trimmed = line.trim();
    return trimmed.startsWith('#') ? '' : trimmed;
  });
  const commands: Command[] = [];
  for (let at = 0; at < lines.length; at++) {
    const head = lines[at] as string;
    if (head === '') continue;
    const body: string[] = [];
    const line = at + 1;
    while (!/^clear\b/i.test(head) && at + 1 < lines.length && lines[at + 1] !== '') {
      at++;
      body.push(lines[at] as string);
    }
    commands.push(parseCommand(head, body, line));
  }
  return commands;
}

function parseCommand(head: string, body: readonly string[], line: number): Command {
  try {
    if (/^clear\b/i.test(head)) return { kind: 'clear', line };
    if (/^load/i.test(head)) return parseLoad(head, body, line);
    if (/^eval/i.test(head)) return parseEval(head, body, line);
    return { kind: 'broken', line, reason: `invalid command ${JSON.stringify(head)}` };
  } catch (error) {
    return { kind: 'broken', line, reason: error instanceof Error ? error.message : String(error) };
  }
}

function parseLoad(head: string, body: readonly string[], line: number): LoadCommand {
  const found = LOAD.exec(head);
  if (found === null) throw new Error('invalid load command');
  const series: LoadedSeries[] = [];
  let starts: StartsLine | undefined;
  for (const text of body) {
    if (/^\S*@st\s/.test(text)) {
      starts = parseStartsLine(text);
      continue;
    }
    const parsed = parseSeriesLine(text);
    if (starts !== undefined && labelsKey(starts.labels) !== labelsKey(parsed.labels)) {
      throw new Error('@st metric does not match the following sample line metric');
    }
    if (starts !== undefined && starts.starts.length !== parsed.values.length)
      throw new Error(
        `@st line has ${starts.starts.length} values but sample line has ${parsed.values.length}`,
      );
    series.push({ ...parsed, ...(starts === undefined ? {} : { starts: starts.starts }) });
    starts = undefined;
  }
  if (starts !== undefined) throw new Error('@st line has no following sample line');
  return {
    kind: 'load',
    line,
    stepMs: milliseconds(found[2] as string),
    withNhcb: found[1] !== undefined,
    series,
  };
}

function milliseconds(text: string): number {
  const duration = parseDuration(text);
  if (!duration.ok) throw new Error(`${duration.reason}`);
  return duration.ms;
}

function parseEval(head: string, body: readonly string[], line: number): EvalCommand {
  const command = parseEvalHead(head, line);
  for (const text of body) {
    if (!parseExpectation(command, text)) break;
  }
  return command;
}

function parseEvalHead(head: string, line: number): EvalCommand {
  const instant = INSTANT.exec(head);
  const range = instant === null ? RANGE.exec(head) : null;
  const found = instant ?? range;
  if (found === null) throw new Error('invalid evaluation command');
  const expects = new Map<ExpectKind, Expectation[]>();
  if (found[1] !== undefined) expects.set(found[1] as ExpectKind, [ANYTHING]);
  const base = { kind: 'eval', line, expects, expected: new Map<string, ExpectedSeries>() } as const;
  if (instant !== null) {
    const atMs = milliseconds(instant[2] ?? '0');
    const query = instant[3] as string;
    return {
      ...base,
      query,
      isRange: false,
      atMs,
      startMs: atMs,
      endMs: atMs,
      stepMs: 0,
      instantOnly: false,
    };
  }
  const [, , from = '', to = '', step = '', query = ''] = found;
  const [startMs, endMs, stepMs] = [milliseconds(from), milliseconds(to), milliseconds(step)];
  return { ...base, query, isRange: true, atMs: endMs, startMs, endMs, stepMs, instantOnly: false };
}

const ANYTHING: Expectation = { text: '.*', matches: () => true };

// One line under an eval; false when it ends the block.
function parseExpectation(command: EvalCommand, line: string): boolean {
  const failMessage = /^expected_fail_message\s+(.*)$/.exec(line);
  const failPattern = /^expected_fail_regexp\s+(.*)$/.exec(line);
  if (failMessage !== null) {
    command.expects.set('fail', [exactly((failMessage[1] as string).trim())]);
    return false;
  }
  if (failPattern !== null) {
    command.expects.set('fail', [pattern((failPattern[1] as string).trim())]);
    return false;
  }
  const range = EXPECT_RANGE.exec(line);
  if (range !== null) {
    const [, from = '', to = '', step = ''] = range;
    command.startMs = milliseconds(from);
    command.endMs = milliseconds(to);
    command.stepMs = milliseconds(step);
    command.atMs = command.endMs;
    command.instantOnly = true;
    return true;
  }
  if (line.startsWith('expect string')) {
    command.text = unquote(line.slice('expect string'.length).trim());
    command.instantOnly = true;
    return true;
  }
  if (line.split(' ')[0] === 'expect') {
    addExpect(command, line);
    return true;
  }
  if (SINGLE_NUMBER.test(line)) {
    command.scalar = parseNumber(line);
    return false;
  }
  const { labels, values } = parseSeriesLine(line);
  if (values.length > 1 && !command.isRange && !command.instantOnly) {
    throw new Error('expecting multiple values in instant evaluation not allowed');
  }
  command.expected.set(labelsKey(labels), { labels, values, place: command.expected.size + 1 });
  return true;
}

function addExpect(command: EvalCommand, line: string): void {
  const found = EXPECT.exec(line);
  if (found === null) throw new Error(`invalid expect statement ${JSON.stringify(line)}`);
  const [, kind, how, wanted = ''] = found;
  const text = wanted.trim();
  const expectation = how === undefined ? ANYTHING : how === 'msg' ? exactly(text) : pattern(text);
  const list = command.expects.get(kind as ExpectKind) ?? [];
  list.push(expectation);
  command.expects.set(kind as ExpectKind, list);
}

// As without its place, a note on forced monotonicity is written without its figures too.
const FIGURES = /, from buckets .* to [-0-9T:]+Z$/;

function withoutPlace(message: string): string {
  return message.replace(/ \(\d+:\d+\)$/, '');
}

function exactly(text: string): Expectation {
  const bare = withoutPlace(text);
  return {
    text,
    matches: (message, isRewritten = false) =>
      message === text ||
      ((isRewritten || bare === text) && withoutPlace(message) === bare) ||
      (bare === text && withoutPlace(message).replace(FIGURES, '') === bare),
  };
}

function pattern(text: string): Expectation {
  const compiled = new RegExp(text);
  return { text, matches: (message) => compiled.test(message) || compiled.test(withoutPlace(message)) };
}
