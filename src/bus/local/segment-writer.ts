// Writes group commits to the active segment of a local log: one write, one fdatasync. After any failure nothing more is
// acknowledged from the file it happened on: a failed fsync may have dropped the dirty pages and say "fine" when asked again
// (fsyncgate). The good prefix is cut off, synced, read back and left; writing goes on in a new segment.

import { DomainError, errorText, invariant } from '../../model/errors.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Disk, DiskFile } from '../../platform/disk.ts';
import type { Logger } from '../../platform/log.ts';
import { checkSegment, createSegment, noteRecord, type Segment } from './segment.ts';
import { encodeBatch, type RecordBatch, segmentHeaderBytes } from './wal-record.ts';

/** Pause between attempts to go on after a failure; appends in between fail at once. */
const recoveryPauseMs = 1_000;

/** What a writer works on. `segments` is shared with the log: the writer adds at its end, trimming removes at its start. */
export interface WriterOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly log: Logger;
  readonly segments: Segment[];
  readonly segmentBytes: number;
}

/** The one writer of a log. Calls must not overlap. */
export class SegmentWriter {
  readonly #options: WriterOptions;
  #file: DiskFile | undefined;
  #failure: { error: DomainError; atMs: number } | undefined;

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  /**
   * Writes `payloads` as records from `first` on; durable when it resolves. `full` when the disk is, else `unavailable`: then
   * none of them counts, though some may come back after a crash.
   */
  async commit(payloads: readonly Uint8Array[], first: number): Promise<RecordBatch> {
    try {
      if (this.#failure) await this.#recover(first);
      if (this.#active().end >= this.#options.segmentBytes) await this.#roll(first);
    } catch (error) {
      throw this.#translate(error);
    }
    const segment = this.#active();
    const batch = encodeBatch(payloads, first, segment.seed);
    try {
      this.#file ??= await this.#options.disk.open(segment.name, 'write');
      await this.#file.write(batch.bytes, segment.end);
      await this.#file.sync();
    } catch (error) {
      const failure = this.#translate(error);
      this.#failure = { error: failure, atMs: Number.NEGATIVE_INFINITY };
      this.#options.log.error('cannot write the log', { error: failure.message, records: payloads.length });
      throw failure;
    }
    noteRecord(segment, first, segment.end);
    segment.end += batch.bytes.length;
    return batch;
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
  }

  #active(): Segment {
    const segment = this.#options.segments.at(-1);
    invariant(segment, 'a log has no segment');
    return segment;
  }

  async #roll(first: number): Promise<void> {
    const { disk, clock, segments } = this.#options;
    const segment = await createSegment(disk, first, clock.now());
    await this.close();
    segments.push(segment);
  }

  async #recover(first: number): Promise<void> {
    const { disk, clock, log, segments } = this.#options;
    const now = clock.monotonic();
    const failure = this.#failure;
    invariant(failure, 'there is nothing to recover from');
    if (now - failure.atMs < recoveryPauseMs) throw failure.error;
    failure.atMs = now;
    await this.#file?.close().catch(() => {});
    this.#file = undefined;
    const segment = this.#active();
    await this.#verify(segment, first);
    const fresh = await createSegment(disk, first, clock.now());
    // An empty segment has been replaced by one of the same name, any other is left for good.
    if (segment.end === segmentHeaderBytes) segments.pop();
    segments.push(fresh);
    this.#failure = undefined;
    log.warn('the log is writable again, in a new segment', { segment: disk.describe(fresh.name) });
  }

  async #verify(segment: Segment, first: number): Promise<void> {
    const { disk } = this.#options;
    const file = await disk.open(segment.name, 'write');
    try {
      await file.truncate(segment.end);
      await file.sync();
      const check = await checkSegment(file, segment, segment.end);
      if (check.damage !== undefined || check.last !== first - 1)
        throw new DomainError(
          'corrupt',
          `cannot go on writing after ${disk.describe(segment.name)}: acknowledged records up to ${first - 1} were written, ` +
            `up to ${check.last} can be read (${check.damage ?? 'the file is too short'})`,
        );
    } finally {
      await file.close();
    }
  }

  #translate(error: unknown): DomainError {
    if (error instanceof DomainError && (error.code === 'full' || error.code === 'corrupt')) return error;
    const { disk, segments } = this.#options;
    const name = disk.describe(segments.at(-1)?.name ?? '');
    return new DomainError('unavailable', `cannot append to ${name}: ${errorText(error)}`, { cause: error });
  }
}
