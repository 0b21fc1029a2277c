// A run of the fuzzer: worlds of data and features one after the other, a thousand queries in each.

import type { Expr } from '../../../src/query/parse/ast.ts';
import { walkExpr } from '../../../src/query/parse/ast-walk.ts';
import { exprText } from '../../../src/query/parse/print.ts';
import { typeOf } from '../../../src/query/parse/types.ts';
import type { WrittenSeries } from '../../helpers/write-requests.ts';
import { ACCEPTED, type Accepted, type Finding } from './accepted.ts';
import type { Grid } from './ask.ts';
import { caseText } from './case-text.ts';
import type { Difference } from './compare.ts';
import { DATA_MS, makeSeries } from './data.ts';
import { queryMaker } from './expressions.ts';
import { type Judgement, judge, tryParse } from './judge.ts';
import { normalisationReasons } from './normal-texts.ts';
import { type FuzzRandom, makeRandom, partSeed } from './random.ts';
import { type Question, shrinkQuestion } from './shrink.ts';
import { shrinkSeries } from './shrink-data.ts';
import { openWorld, type ServerUrls, type World, type WorldFlags } from './world.ts';

const QUERIES_PER_WORLD = 1_000;
const DATA_SECONDS = DATA_MS / 1000;

/** What to run, and where its report goes. */
export interface FuzzOptions {
  readonly count: number;
  readonly seed: number;
  readonly given: ServerUrls;
  /** Whether the data that a difference needs is found out and printed. */
  readonly withData: boolean;
  readonly print: (text: string) => void;
}

/** One world and what is in it. */
interface Place {
  readonly world: World;
  readonly flags: WorldFlags;
  readonly series: readonly WrittenSeries[];
}

/** Runs queries and counts what comes of them. */
export class FuzzRun {
  readonly #options: FuzzOptions;
  readonly #accepted = new Map<Accepted, number>();
  readonly #answers = { data: 0, empty: 0, failed: 0 };
  #unlisted = 0;

  constructor(options: FuzzOptions) {
    this.#options = options;
  }

  /** The exit status: 1 when something differs for no listed reason. */
  async all(): Promise<number> {
    const { count, seed, given, print } = this.#options;
    // Servers that are given have one world only.
    const isGiven = given.prometheusUrl !== undefined || given.skeinUrl !== undefined;
    const perWorld = isGiven ? count : QUERIES_PER_WORLD;
    for (let index = 0; index * perWorld < count; index++) {
      const random = makeRandom(partSeed(seed, index));
      const flags = { delayedNames: random.once(2), startTimes: random.once(3) };
      const series = makeSeries(random, flags.startTimes);
      const world = await openWorld(series, flags, given);
      const first = index * perWorld;
      try {
        await this.#queries({ world, flags, series }, random, {
          first,
          count: Math.min(perWorld, count - first),
        });
      } finally {
        await world.dispose();
      }
    }
    const { data, empty, failed } = this.#answers;
    print(`${count} queries of seed ${seed}: ${data} with data, ${empty} empty, ${failed} fail`);
    for (const { name, reason } of ACCEPTED)
      print(
        `accepted ${this.#accepted.get(ACCEPTED.find((one) => one.name === name)!) ?? 0} x ${name}: ${reason}`,
      );
    for (const reason of normalisationReasons()) print(`not compared: ${reason}`);
    print(`${this.#unlisted} unlisted differences`);
    return this.#unlisted === 0 ? 0 : 1;
  }

  async #queries(
    place: Place,
    random: FuzzRandom,
    { first, count }: { first: number; count: number },
  ): Promise<void> {
    const make = queryMaker(random);
    for (let i = 0; i < count; i++) {
      const question = { query: make(), grid: gridOf(random) };
      const { found, ours } = await judge(place.world, question.query, question.grid);
      if (ours.kind === 'error') this.#answers.failed++;
      else if (ours.series.length === 0 && ours.text === undefined) this.#answers.empty++;
      else this.#answers.data++;
      if (found === undefined) continue;
      const accepted = await acceptedAs(place, question, found);
      if (accepted === undefined) await this.#report(place, question, first + i);
      else this.#accepted.set(accepted, (this.#accepted.get(accepted) ?? 0) + 1);
    }
  }

  async #report(place: Place, question: Question, number: number): Promise<void> {
    const { print, withData } = this.#options;
    const differs = async (world: World, { query, grid }: Question): Promise<Difference | undefined> => {
      const { found } = await judge(world, query, grid);
      if (found === undefined) return undefined;
      return (await acceptedAs({ ...place, world }, { query, grid }, found)) === undefined
        ? found
        : undefined;
    };
    const small = await shrinkQuestion(
      question,
      async (one) => (await differs(place.world, one)) !== undefined,
    );
    const found = await differs(place.world, small);
    // A difference that has gone by the next time was none.
    if (found === undefined) return;
    this.#unlisted++;
    print(`#${number} ${question.query} ${JSON.stringify(question.grid)} ${JSON.stringify(place.flags)}`);
    print(`  ${small.query} ${JSON.stringify(small.grid)}\n  ${found.kind}: ${found.text}`);
    if (!withData) return;
    let { theirs } = found;
    const series = await shrinkSeries(place.series, small, async (fewer) => {
      const world = await openWorld(fewer, place.flags);
      try {
        const still = await differs(world, small);
        if (still !== undefined) theirs = still.theirs;
        return still !== undefined;
      } finally {
        await world.dispose();
      }
    });
    print(caseText(series, small, theirs));
  }
}

// Why a difference may be: for a reason of its own, or of a part of the query that differs by itself.
async function acceptedAs(
  place: Place,
  { query, grid }: Question,
  found: Difference,
): Promise<Accepted | undefined> {
  const expr = tryParse(query);
  if (expr === undefined) return undefined;
  const direct = await coveredBy(place, { expr, grid, found });
  if (direct !== undefined) return direct;
  const parts: Expr[] = [];
  walkExpr(expr, (node) => {
    if (node !== expr && PARTS.has(node.kind) && typeOf(node) !== 'scalar') parts.push(node);
  });
  for (const part of parts)
    for (const when of part.kind === 'subquery' ? instantsOf(grid) : [grid]) {
      const { found: within } = await judge(place.world, exprText(part), when);
      const accepted = within && (await coveredBy(place, { expr: part, grid: when, found: within }));
      if (accepted !== undefined) return accepted;
    }
  return undefined;
}

const PARTS: ReadonlySet<Expr['kind']> = new Set(['aggregate', 'binary', 'call', 'subquery', 'unary']);

// The steps of a range as instants, the last first.
function instantsOf(grid: Grid): Grid[] {
  if (grid.step === 0) return [grid];
  const instants: Grid[] = [];
  for (let time = grid.end; time >= grid.start; time -= grid.step)
    instants.push({ ...grid, start: time, end: time, step: 0 });
  return instants;
}

async function coveredBy(
  { world, flags }: Place,
  finding: Pick<Finding, 'expr' | 'grid' | 'found'>,
): Promise<Accepted | undefined> {
  const judgePart = (query: string): Promise<Judgement> => judge(world, query, finding.grid);
  for (const accepted of ACCEPTED)
    if (await accepted.covers({ ...finding, flags, judgePart })) return accepted;
  return undefined;
}

function gridOf(random: FuzzRandom): Grid {
  const lookback = random.once(10) ? { lookback: random.pick(['1m', '20s', '10m']) } : {};
  const end = random.below(DATA_SECONDS * 1.1) + random.pick([0, 0, 0, 0.5, 0.001]);
  if (random.once(3)) return { start: end, end, step: 0, ...lookback };
  const step = random.pick([15, 30, 47, 60, 7.5, 300]);
  return { start: end - step * random.below(25), end, step, ...lookback };
}
