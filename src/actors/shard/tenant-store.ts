// One tenant's data in one partition: its head, the blocks cut from it, and what is known of how far they cover the log.

import type { DecodedFrame } from '../../codec/frame.ts';
import type { FrameLog, RefTable } from '../../codec/frame-log.ts';
import { MatcherCache } from '../../codec/regex.ts';
import type { Exemplar, MetricMetadata } from '../../model/exemplar.ts';
import type { Labels } from '../../model/labels.ts';
import type { Matcher } from '../../model/matcher.ts';
import type { RefusalReason } from '../../model/refusal.ts';
import { alignDown } from '../../model/time-range.ts';
import { BLOCK_RANGE_MS } from '../../model/units.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Config } from '../../platform/config.ts';
import type { SeriesSource } from '../../query/source.ts';
import type { BlockMeta } from '../../storage/block/block-meta.ts';
import { BlockSet } from '../../storage/block/block-set.ts';
import { type AppendOutcome, appendOutcome } from '../../storage/head/append-outcome.ts';
import { type Head, openHead } from '../../storage/head/head.ts';
import { NO_REF } from '../../storage/head/series-index.ts';
import type { ShardMetrics } from './metrics.ts';
import { type Batch, Refusals } from './refusals.ts';
import { headAndBlocks } from './source.ts';

/** A ref that no head gives: samples of series refused by a limit are resolved to it, and counted as unknown. */
const REFUSED_REF = 0xfffffffe;

/** What a cut pass covers: with message `applied` seen, every sample older than `end` went into blocks. */
export interface Coverage {
  readonly applied: number;
  readonly end: number;
}

/** What came of a frame. */
export interface Applied {
  readonly appended: number;
  readonly undefinedRefs: number;
  /** Newest sample time of the frame that is not in a block; -Infinity without one. */
  readonly newest: number;
  /** Some sample belongs to a range that had been cut. */
  readonly late: boolean;
}

/**
 * A cut pass that is to be made: decided when message `applied` was applied, by every replica alike, because only the log decides.
 * Its ranges are sealed with the mark `applied` until its blocks are in the bucket, whoever makes them.
 */
export interface CutPass extends Coverage {
  readonly ranges: readonly { readonly start: number; readonly end: number }[];
}

/** How a pass found in the bucket stands to what a replica holds. */
export type Standing =
  /** What it covers has left the head before. */
  | 'known'
  /** What it covers can be told from the rest of the head. */
  | 'separable'
  /** Which samples of the head it covers cannot be told: somebody cut by other rules. */
  | 'foreign';

/** What a store is made with. */
export interface TenantStoreOptions {
  readonly tenant: string;
  readonly partition: number;
  readonly config: Config;
  readonly clock: Clock;
  readonly countRefused: ShardMetrics['countRefused'];
}

/** Head and blocks of one tenant in one partition. */
export class TenantStore {
  readonly tenant: string;
  readonly partition: number;
  readonly blocks: BlockSet = new BlockSet();
  readonly matchers: MatcherCache = new MatcherCache();
  /** Cut passes whose blocks are in the bucket, oldest first. */
  coverage: Coverage[] = [];
  /** Cut passes whose blocks are not known to be in the bucket, oldest first. */
  passes: CutPass[] = [];
  head: Head;
  /** What was refused of what had been acknowledged. */
  readonly refusals: Refusals;
  readonly #countRefused: ShardMetrics['countRefused'];
  /** How far behind the newest sample a range must end to be complete: nothing in order, nothing within the window can enter it. */
  readonly #marginMs: number;
  /** Every range that ends by then has been looked at. */
  #judgedEnd = Number.NEGATIVE_INFINITY;
  readonly #outcome: AppendOutcome = appendOutcome();

  constructor(options: TenantStoreOptions) {
    this.tenant = options.tenant;
    this.partition = options.partition;
    this.#countRefused = options.countRefused;
    this.refusals = new Refusals({
      partition: options.partition,
      seriesMax: options.config.shard.series_max,
      outOfOrderWindowMs: options.config.shard.out_of_order_window,
      clock: options.clock,
    });
    this.#marginMs = Math.max(BLOCK_RANGE_MS / 2, options.config.shard.out_of_order_window);
    this.head = openHead(headOptions(options.config));
  }

  /** Appends a frame's content to the head. Samples that a cut pass after this message covers are passed over. */
  apply(frame: DecodedFrame, refs: RefTable, sequence: number): Applied {
    for (const { ref, labels } of frame.definitions) {
      const target = this.head.seriesFor(labels);
      if (target === NO_REF) this.refusals.noteSeries(labels);
      refs.set(ref, target === NO_REF ? REFUSED_REF : target);
    }
    for (const { family, ...metadata } of frame.metadata) this.head.metadata.set(family, metadata);
    const undefinedRefs =
      refs.resolve(frame.refs, frame.count, frame.refs) +
      (frame.histograms === undefined ? 0 : resolveAll(refs, frame.histograms.refs));
    for (const { ref, ...exemplar } of frame.exemplars) {
      const target = refs.get(ref);
      if (target >= 0 && this.head.has(target)) this.head.exemplars.add(this.head.labels(target), exemplar);
    }
    const floor = this.#coveredBefore(sequence);
    const count = floor === Number.NEGATIVE_INFINITY ? frame.count : dropOlder(frame, floor);
    const outcome = this.#outcome;
    resetOutcome(outcome);
    const newestBefore = this.head.maxTime;
    this.head.append(frame.refs, frame.timestamps, frame.bits, count, outcome);
    let newest = this.#appendHistograms(frame, floor, newestBefore);
    this.#noteRefused({ frame, count, newest: newestBefore }, undefinedRefs);
    for (let i = 0; i < count; i++) if (frame.timestamps[i]! > newest) newest = frame.timestamps[i]!;
    this.#sealComplete(sequence);
    return { appended: outcome.appended + outcome.outOfOrder, undefinedRefs, newest, late: outcome.late > 0 };
  }

  // Returns the time of the newest one that is not in a block.
  #appendHistograms({ histograms }: DecodedFrame, floor: number, newest: number): number {
    if (histograms === undefined) return Number.NEGATIVE_INFINITY;
    this.head.appendHistograms({ ...histograms, floor, newest }, this.#outcome);
    let last = Number.NEGATIVE_INFINITY;
    for (const time of histograms.timestamps) if (time >= floor && time > last) last = time;
    return last;
  }

  /** Series over head and blocks. The caller keeps truncation away while it reads. */
  source(): SeriesSource {
    return headAndBlocks(this.head, this.blocks, this.matchers);
  }

  /** As source(), without blocks. */
  headSource(): SeriesSource {
    return headAndBlocks(this.head, new BlockSet(), this.matchers);
  }

  /** Metadata of one metric, or of all with ''. */
  metadata(metric: string, limit: number): { readonly metric: string; readonly metadata: MetricMetadata }[] {
    return this.head.metadata.list(metric, limit);
  }

  /** Exemplars of series that one of the matcher sets accepts. */
  exemplars(
    sets: readonly (readonly Matcher[])[],
    start: number,
    end: number,
  ): readonly { labels: Labels; exemplars: readonly Exemplar[] }[] {
    return this.head.exemplars.select(
      sets.map((set) => set.map((matcher) => this.matchers.compile(matcher))),
      start,
      end,
    );
  }

  /** Time of the newest sample, ms; -Infinity without any. */
  maxTime(): number {
    return Math.max(this.head.maxTime, this.lastBlockEnd() - 1);
  }

  seriesCount(): number {
    return this.head.seriesCount;
  }

  memoryBytes(): number {
    return this.head.memoryBytes();
  }

  blockCount(): number {
    return this.blocks.metas().length;
  }

  /** End of the newest block, ms; -Infinity without one. */
  lastBlockEnd(): number {
    return this.blocks.maxTime() ?? Number.NEGATIVE_INFINITY;
  }

  /** Ranges that end by this time are complete, as far as the newest sample tells: a multiple of two hours. */
  completeEnd(): number {
    return alignDown(this.head.maxTime - this.#marginMs, BLOCK_RANGE_MS);
  }

  /** The oldest time of which samples may still come, as far as the newest sample tells. */
  openStart(): number {
    return this.maxTime() - this.#marginMs;
  }

  /** How a pass found in the bucket stands to the head, the last message of which is `applied`. */
  standingOf(pass: Coverage, applied: number): Standing {
    if (this.coverage.some((known) => known.applied >= pass.applied && known.end >= pass.end)) return 'known';
    const isOurs = this.passes.some((own) => own.applied === pass.applied && own.end === pass.end);
    return isOurs || pass.applied >= applied || this.head.minTime >= pass.end ? 'separable' : 'foreign';
  }

  /**
   * Notes a pass, not a foreign one, whose blocks are in the bucket: what it covers leaves the head, the last message of which is
   * `applied`. Nothing may be reading the head.
   */
  noteCoverage(pass: Coverage, applied: number, frameLog: FrameLog): void {
    const { minTime } = this.head;
    // A pass that goes further than this replica: everything it holds of that time is covered.
    if (pass.applied >= applied && minTime < pass.end)
      this.head.seal(alignDown(minTime, BLOCK_RANGE_MS), pass.end, pass.applied);
    this.passes = this.passes.filter((own) => own.applied > pass.applied);
    this.coverage = [
      ...this.coverage.filter((known) => known.end > pass.end || known.applied > pass.applied),
      { applied: pass.applied, end: pass.end },
    ];
    this.head.truncate(pass.end, frameLog.targetsOf(this.tenant), pass.applied);
  }

  /** Closes the blocks. */
  async close(): Promise<void> {
    await this.blocks.close();
  }

  // A range that is complete once stays so: a later message cannot add to it in order, and late data wait for the next pass.
  #sealComplete(applied: number): void {
    const end = this.completeEnd();
    if (!(end > this.#judgedEnd)) return;
    this.#judgedEnd = end;
    const ranges = this.head.openRanges().filter((range) => range.end <= end);
    if (ranges.every((range) => range.late)) return;
    this.head.seal(ranges[0]!.start, end, applied);
    this.passes.push({
      applied,
      end,
      ranges: ranges.map(({ start, end: rangeEnd }) => ({ start, end: rangeEnd })),
    });
  }

  /** Everything older than this was in blocks when message `sequence` had been seen. */
  #coveredBefore(sequence: number): number {
    let end = Number.NEGATIVE_INFINITY;
    for (const pass of this.coverage) if (pass.applied >= sequence && pass.end > end) end = pass.end;
    return end;
  }

  // Undefined refs are damage and reported as such; the rest of `unknown` is series refused by the limit.
  #noteRefused(batch: Batch, undefinedRefs: number): void {
    const { tooOld, conflicts, unknown } = this.#outcome;
    if (tooOld === 0 && conflicts === 0 && unknown <= undefinedRefs) return;
    const refused = {
      too_old: tooOld,
      duplicate_timestamp: conflicts,
      series_limit: Math.max(0, unknown - undefinedRefs),
    };
    this.refusals.note(batch, refused, this.head);
    for (const [reason, samples] of Object.entries(refused))
      if (samples > 0) this.#countRefused(this.tenant, reason as RefusalReason, samples);
  }
}

/** Options of every head. */
export function headOptions(config: Config): Parameters<typeof openHead>[0] {
  return {
    outOfOrderWindowMs: config.shard.out_of_order_window,
    seriesMax: config.shard.series_max,
    exemplarsMax: config.shard.exemplars_max,
    metadataMax: config.limits.metadata_max,
  };
}

/** The cut pass a block of ours was part of, as its meta.json tells; undefined for all but the last block of a pass. */
export function coverageOf(meta: BlockMeta): Coverage | undefined {
  const facts = meta.thanos?.extensions?.['skein'] as { applied?: unknown; coveredEnd?: unknown } | undefined;
  if (typeof facts?.applied !== 'number' || typeof facts.coveredEnd !== 'number') return undefined;
  return { applied: facts.applied, end: facts.coveredEnd };
}

function resolveAll(refs: RefTable, column: Uint32Array): number {
  return refs.resolve(column, column.length, column);
}

function resetOutcome(outcome: AppendOutcome): void {
  for (const key of Object.keys(outcome) as (keyof AppendOutcome)[]) outcome[key] = 0;
}

// Keeps the samples from `floor` on, in place; returns how many.
function dropOlder(frame: DecodedFrame, floor: number): number {
  const { refs, timestamps, bits } = frame;
  let kept = 0;
  for (let i = 0; i < frame.count; i++) {
    if (timestamps[i]! < floor) continue;
    refs[kept] = refs[i]!;
    timestamps[kept] = timestamps[i]!;
    bits[2 * kept] = bits[2 * i]!;
    bits[2 * kept + 1] = bits[2 * i + 1]!;
    kept++;
  }
  return kept;
}
