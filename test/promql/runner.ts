// Runs promqltest scripts against an engine over memory. Every instant evaluation is run as written, then pinned with `@` at
// other times, each time also as a range query of three steps whose middle one must agree.

import { errorText } from '../../src/model/errors.ts';
import { labelsKey } from '../../src/model/labels.ts';
import type { Engine } from '../../src/query/engine.ts';
import type { Expr } from '../../src/query/parse/ast.ts';
import { ALL_PARSE_FEATURES } from '../../src/query/parse/options.ts';
import { parseQuery } from '../../src/query/parse/parse-query.ts';
import type { QueryResult } from '../../src/query/result.ts';
import { nativeTwins } from './classic-to-native.ts';
import { type Need, needsOf } from './classify.ts';
import { compareFailure, compareNotes, compareStep, compareValue } from './compare.ts';
import { MemorySource } from './memory-source.ts';
import { otherTimes, pinTime } from './pin-time.ts';
import { type EvalCommand, type LoadCommand, parseScript } from './script.ts';

/** The settings promqltest prescribes for the engine. */
export const PROMQLTEST_SETTINGS = { lookbackMs: 300_000, defaultStepMs: 60_000 } as const;

/** One evaluation's outcome; `difference` is there when it failed. */
export interface Outcome {
  readonly line: number;
  readonly query: string;
  readonly needs: ReadonlySet<Need>;
  readonly difference?: string;
}

/** Queries whose answer depends on the range they are asked over. */
const RANGE_DEPENDENT = /(start|end|range|step)\(\)/;

/** Runs one script; `makeEngine` gets the source that `load` fills. */
export async function runScript(
  text: string,
  makeEngine: (source: MemorySource) => Engine,
): Promise<Outcome[]> {
  const source = new MemorySource();
  const engine = makeEngine(source);
  const outcomes: Outcome[] = [];
  for (const command of parseScript(text)) {
    if (command.kind === 'clear') source.clear();
    else if (command.kind === 'load') load(source, command);
    else if (command.kind === 'eval') outcomes.push(await evaluate(engine, source, command));
    else outcomes.push({ line: command.line, query: '', needs: new Set(), difference: command.reason });
  }
  return outcomes;
}

function load(source: MemorySource, { series, stepMs, withNhcb }: LoadCommand): void {
  // Of two lines for one series in a load command the later counts.
  const loaded = [...new Map(series.map((one) => [labelsKey(one.labels), one])).values()];
  for (const { labels, values, starts } of loaded) source.append(labels, { values, starts, stepMs });
  if (withNhcb)
    for (const { labels, values } of nativeTwins(loaded)) source.append(labels, { values, stepMs });
}

async function evaluate(engine: Engine, source: MemorySource, command: EvalCommand): Promise<Outcome> {
  const { line, query } = command;
  let needs: ReadonlySet<Need> = new Set();
  let difference: string | undefined;
  try {
    const expr = parseQuery(query, ALL_PARSE_FEATURES);
    needs = needsOf(command, expr, source);
    difference = command.isRange ? await runRange(engine, command) : await runInstants(engine, command, expr);
  } catch (error) {
    difference = compareFailure(command, errorText(error));
  }
  return { line, query, needs, ...(difference !== undefined && { difference }) };
}

/** Runs a query; a failure is compared with the expected one and leaves no result. */
async function attempt(
  command: EvalCommand,
  run: () => Promise<QueryResult>,
  isRewritten = false,
): Promise<{ result?: QueryResult; difference?: string | undefined }> {
  let result: QueryResult;
  try {
    result = await run();
  } catch (error) {
    return { difference: compareFailure(command, errorText(error)) };
  }
  if (command.expects.has('fail')) return { difference: 'expected an error but the query succeeded' };
  return { result, difference: compareNotes(command, result, isRewritten) };
}

async function runRange(engine: Engine, command: EvalCommand): Promise<string | undefined> {
  const { query, startMs, endMs, stepMs } = command;
  const { result, difference } = await attempt(command, () =>
    engine.range({ query, startMs, endMs, stepMs }),
  );
  if (result === undefined || difference !== undefined) return difference;
  return compareValue(command, result.value);
}

async function runInstants(engine: Engine, command: EvalCommand, expr: Expr): Promise<string | undefined> {
  const first = await runInstant(engine, command, { query: command.query, timeMs: command.atMs });
  if (first !== undefined) return first;
  const pinned = pinTime(expr, command.atMs);
  if (pinned === undefined) return undefined;
  for (const timeMs of otherTimes(command.atMs)) {
    const difference = await runInstant(engine, command, { query: pinned, timeMs });
    if (difference !== undefined) return `${difference} [as ${pinned} at ${timeMs} ms]`;
  }
  return undefined;
}

async function runInstant(
  engine: Engine,
  command: EvalCommand,
  asked: { query: string; timeMs: number },
): Promise<string | undefined> {
  const { result, difference } = await attempt(
    command,
    () => engine.instant(asked),
    asked.query !== command.query,
  );
  if (result === undefined || difference !== undefined) return difference;
  const compared = compareValue(command, result.value);
  if (compared !== undefined) return compared;
  if (command.instantOnly || RANGE_DEPENDENT.test(asked.query)) return undefined;
  const { query, timeMs } = asked;
  const grid = { query, startMs: timeMs - 60_000, endMs: timeMs + 60_000, stepMs: 60_000 };
  let ranged: QueryResult;
  try {
    ranged = await engine.range(grid);
  } catch (error) {
    return `query failed in range mode: ${errorText(error)}`;
  }
  if (command.expects.has('ordered')) return undefined;
  const inRange = compareStep(command, ranged.value, timeMs);
  return inRange === undefined ? undefined : `${inRange} [range mode]`;
}
