// What a shard refused of one tenant after it had been acknowledged: how many by reason, when last, and which sample. The head only
// counts; which sample it was is found by looking the frame's samples up in it afterwards.

import { formatFloat } from '../../codec/float-text.ts';
import type { DecodedFrame } from '../../codec/frame.ts';
import { type Labels, labelsText } from '../../model/labels.ts';
import type { Refusal, RefusalReason } from '../../model/refusal.ts';
import { type SampleColumns, sampleColumns } from '../../model/samples.ts';
import { BLOCK_RANGE_MS, isoTime } from '../../model/units.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Head } from '../../storage/head/head.ts';

/** Looking refused samples up takes at most one part in so many of a shard's time. */
const LOOK_SHARE = 50;
const UNKNOWN = 'which sample it was is not known';
const LOOKED_UP = ['too_old', 'duplicate_timestamp'] as const;
const LABELS_CHARACTERS_MAX = 500;

/** What refusals are told with. */
export interface RefusalsOptions {
  readonly partition: number;
  readonly seriesMax: number;
  readonly outOfOrderWindowMs: number;
  readonly clock: Clock;
}

/** Samples of a frame after they were appended. */
export interface Batch {
  readonly frame: DecodedFrame;
  readonly count: number;
  readonly newest: number;
}

/** Samples of a frame refused, by reason. */
export type RefusedCounts = Readonly<Record<RefusalReason, number>>;

/** Refusals of one tenant in one partition, since the partition's log began or is remembered. */
export class Refusals {
  readonly #options: RefusalsOptions;
  readonly #byReason = new Map<RefusalReason, Refusal>();
  readonly #found: SampleColumns = sampleColumns(4);
  #refusedSeries: Labels | undefined;
  #lookAgainAt = Number.NEGATIVE_INFINITY;

  constructor(options: RefusalsOptions) {
    this.#options = options;
  }

  /** All of them, by reason; to be put back by `restore`. */
  list(): Refusal[] {
    return [...this.#byReason.values()].sort((a, b) => (a.reason < b.reason ? -1 : 1));
  }

  restore(refusals: readonly Refusal[]): void {
    for (const refusal of refusals) this.#byReason.set(refusal.reason, refusal);
  }

  /** A series found no place: samples of it will be refused. */
  noteSeries(labels: Labels): void {
    this.#refusedSeries = labels;
  }

  /**
   * Notes what was refused of a batch that the head has just appended; `newest` is the time of its newest sample before that. The
   * samples are the first `count` of a frame whose refs are the head's.
   */
  note(batch: Batch, refused: RefusedCounts, head: Head): void {
    const { clock } = this.#options;
    const texts = this.#texts(batch, refused, head);
    for (const reason of Object.keys(refused) as RefusalReason[]) {
      if (refused[reason] <= 0) continue;
      const before = this.#byReason.get(reason);
      this.#byReason.set(reason, {
        reason,
        samples: (before?.samples ?? 0) + refused[reason],
        lastTime: clock.now(),
        lastError: texts.get(reason) ?? before?.lastError ?? UNKNOWN,
      });
    }
  }

  #texts(batch: Batch, refused: RefusedCounts, head: Head): ReadonlyMap<RefusalReason, string> {
    const texts = new Map<RefusalReason, string>();
    if (refused.series_limit > 0) texts.set('series_limit', this.#seriesText());
    const { clock } = this.#options;
    const began = clock.monotonic();
    const reasons = LOOKED_UP.filter((reason) => refused[reason] > 0);
    const isNew = reasons.some((reason) => !this.#byReason.has(reason));
    if (reasons.length === 0 || (began < this.#lookAgainAt && !isNew)) return texts;
    let missing = reasons.length;
    for (let i = batch.count - 1; i >= 0 && missing > 0; i--) {
      const reason = this.#reasonAt(batch, i, refused, head);
      if (reason === undefined || refused[reason] === 0 || texts.has(reason)) continue;
      texts.set(reason, this.#sampleText(batch.frame, i, reason, head));
      missing--;
    }
    const ended = clock.monotonic();
    this.#lookAgainAt = ended + LOOK_SHARE * (ended - began);
    return texts;
  }

  // What the head holds at a sample's time is the sample itself, or what it was refused for. Of what is too old even a sample that is
  // there is refused; whether one was in order all the same cannot be told within half a range of the newest.
  #reasonAt(
    { frame, newest }: Batch,
    i: number,
    refused: RefusedCounts,
    head: Head,
  ): 'too_old' | 'duplicate_timestamp' | undefined {
    const ref = frame.refs[i]!;
    if (!head.has(ref)) return undefined;
    const time = frame.timestamps[i]!;
    const found = this.#found;
    head.read(ref, time, time, found);
    if (found.count === 0) return 'too_old';
    const { outOfOrderWindowMs } = this.#options;
    const isOld = outOfOrderWindowMs === 0 || time < newest - outOfOrderWindowMs;
    if (isOld && time < newest - BLOCK_RANGE_MS / 2) return 'too_old';
    const isSame = found.bits[0] === frame.bits[2 * i] && found.bits[1] === frame.bits[2 * i + 1];
    if (isSame) return undefined;
    return isOld && refused.too_old > 0 ? 'too_old' : 'duplicate_timestamp';
  }

  // `#found` has what is there.
  #sampleText(frame: DecodedFrame, i: number, reason: 'too_old' | 'duplicate_timestamp', head: Head): string {
    const sample = `cannot append ${formatFloat(frame.values[i]!)} at ${isoTime(frame.timestamps[i]!)} to ${seriesText(head.labels(frame.refs[i]!))}`;
    if (reason === 'duplicate_timestamp')
      return `${sample}: it has ${formatFloat(this.#found.values[0]!)} at that time already`;
    const { partition, outOfOrderWindowMs } = this.#options;
    return `${sample}: out of order and more than ${outOfOrderWindowMs / 1000} s (shard.out_of_order_window) older than the newest sample of the tenant in partition ${partition}, ${isoTime(head.maxTime)}`;
  }

  #seriesText(): string {
    const { partition, seriesMax } = this.#options;
    const series = this.#refusedSeries === undefined ? 'a series' : seriesText(this.#refusedSeries);
    return `cannot add ${series}: the tenant has ${seriesMax} series (shard.series_max) in partition ${partition} already`;
  }
}

function seriesText(labels: Labels): string {
  const text = labelsText(labels);
  return text.length <= LABELS_CHARACTERS_MAX ? text : `${text.slice(0, LABELS_CHARACTERS_MAX)}…`;
}
