// Durable logs on a local disk: one folder per partition, segments of checked records (docs/formats/wal-record.md), group
// commit: what is appended while an fsync is under way is written with one write and made durable by one fdatasync. Readers at
// the tail are woken by the commit and served from memory.

import { DomainError, invariant } from '../../model/errors.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Disk, DiskFile } from '../../platform/disk.ts';
import type { Logger } from '../../platform/log.ts';
import type { DurableLog, DurableLogs, LogBounds, LogMessage } from '../durable-log.ts';
import { createLogFolder, type OpenedFolder, openLogFolder, writeBounds } from './log-folder.ts';
import { damaged, nearestRecord, offsetOf, readRun, type Segment } from './segment.ts';
import { SegmentWriter } from './segment-writer.ts';
import { messagesOf, type RecordBatch, recordHeaderBytes, segmentHeaderBytes } from './wal-record.ts';

/** What the logs live on, and their limits. */
export interface LocalLogOptions {
  readonly disk: Disk;
  readonly clock: Clock;
  readonly log: Logger;
  /** Bytes of records one log may hold before it refuses with `full`; default no limit but the disk. */
  readonly bytesMax?: number;
  /** A segment that has reached this size is followed by a new one; default 64 MiB, at most a quarter of `bytesMax`. */
  readonly segmentBytes?: number;
  /** Recently appended bytes kept in memory per log for readers at its tail; default 8 MiB. */
  readonly recentBytesMax?: number;
}

/** Largest payload of one message, as in a NATS cluster with default settings. */
const payloadBytesMax = 1024 * 1024;
const segmentBytesDefault = 64 * 1024 * 1024;
const recentBytesDefault = 8 * 1024 * 1024;
/** Payload bytes of one group commit. */
const commitBytesMax = 4 * 1024 * 1024;
/** Bytes that may wait for their commit before `append` refuses. */
const queueBytesMax = 64 * 1024 * 1024;
/** Bytes of one batch a reader gets from memory. */
const readBatchBytes = 1024 * 1024;
/** Microtask turns the writer grants those it has just woken to append again, so that they share the next fsync. */
const gatherTurns = 16;

/** Opens the logs below `disk`. Nothing is read before a log is opened. */
export async function openLocalLogs(options: LocalLogOptions): Promise<DurableLogs> {
  const opened = new Map<number, Promise<LocalLog>>();
  let isOpen = true;
  const folderOf = (partition: number): string => `partition-${partition}`;

  const load = async (partition: number): Promise<LocalLog> => {
    const disk = options.disk.within(folderOf(partition));
    const folder = await openLogFolder(disk, options.log);
    return new LocalLog({ ...options, disk }, folder);
  };
  const checkOpen = (): void => {
    if (!isOpen) throw new DomainError('unavailable', 'cannot use the logs: they are closed');
  };

  return {
    payloadBytesMax,
    async create(partition) {
      checkOpen();
      const folder = folderOf(partition);
      await createLogFolder(options.disk, options.disk.within(folder), folder, options.clock.now());
    },
    async open(partition) {
      checkOpen();
      const found = opened.get(partition) ?? load(partition);
      opened.set(partition, found);
      try {
        return await found;
      } catch (error) {
        if (opened.get(partition) === found) opened.delete(partition);
        throw error;
      }
    },
    async close() {
      isOpen = false;
      const logs = await Promise.allSettled(opened.values());
      opened.clear();
      await Promise.all(logs.map((log) => (log.status === 'fulfilled' ? log.value.close() : undefined)));
    },
  };
}

interface Pending {
  readonly payload: Uint8Array;
  readonly resolve: (sequence: number) => void;
  readonly reject: (error: unknown) => void;
}

class LocalLog implements DurableLog {
  readonly #disk: Disk;
  readonly #log: Logger;
  readonly #bytesMax: number;
  readonly #recentBytesMax: number;
  readonly #segments: Segment[];
  readonly #writer: SegmentWriter;
  readonly #queue: Pending[] = [];
  readonly #recent: RecordBatch[] = [];
  readonly #waiters = new Set<() => void>();
  #queueBytes = 0;
  #recentBytes = 0;
  #first: number;
  #last: number;
  /** Record bytes before `#first` in the first segment. */
  #forgottenBytes = 0;
  /** Resolves when `#forgottenBytes` is known; after opening that takes a look into the segment. */
  #forgottenKnown: Promise<void> | undefined;
  #writing: Promise<void> | undefined;
  #trimming: Promise<void> = Promise.resolve();
  #isOpen = true;

  constructor(options: LocalLogOptions, folder: OpenedFolder) {
    this.#disk = options.disk;
    this.#log = options.log;
    this.#bytesMax = options.bytesMax ?? Number.POSITIVE_INFINITY;
    this.#recentBytesMax = options.recentBytesMax ?? recentBytesDefault;
    this.#segments = folder.segments;
    this.#first = folder.first;
    this.#last = folder.last;
    this.#writer = new SegmentWriter({
      ...options,
      segments: this.#segments,
      segmentBytes: Math.min(options.segmentBytes ?? segmentBytesDefault, this.#bytesMax / 4),
    });
  }

  append(payload: Uint8Array): Promise<number> {
    const refusal = this.#refusal(payload.length);
    if (refusal) return Promise.reject(refusal);
    return new Promise((resolve, reject) => {
      this.#queue.push({ payload, resolve, reject });
      this.#queueBytes += payload.length + recordHeaderBytes;
      this.#writing ??= this.#write();
    });
  }

  async *read(from: number, signal: AbortSignal): AsyncGenerator<readonly LogMessage[], void, undefined> {
    invariant(Number.isSafeInteger(from) && from >= 1, `cannot read a log from sequence ${from}`);
    const cursor = new DiskCursor(this.#disk, this.#segments);
    let next = from;
    try {
      while (!signal.aborted) {
        this.#checkReadable(next);
        if (next > this.#last) {
          await this.#tailMoves(signal);
          continue;
        }
        const batch = this.#fromMemory(next) ?? (await this.#fromDisk(cursor, next));
        if (signal.aborted) return;
        next += batch.length;
        if (batch.length > 0) yield batch;
      }
    } finally {
      await cursor.close();
    }
  }

  async bounds(): Promise<LogBounds> {
    await this.#knowForgotten();
    return { first: this.#first, last: this.#last, bytes: this.#keptBytes() };
  }

  trim(first: number): Promise<void> {
    const done = this.#trimming.then(() => this.#trim(first));
    this.#trimming = done.catch(() => {});
    return done;
  }

  /** Finishes what is queued, notes how far the log is durable, and ends its readers. */
  async close(): Promise<void> {
    this.#isOpen = false;
    await this.#writing;
    await this.#trimming;
    await writeBounds(this.#disk, { first: this.#first, durable: this.#last });
    await this.#writer.close();
    this.#wake();
  }

  #refusal(bytes: number): DomainError | undefined {
    const where = `cannot append to the log ${this.#disk.describe('')}`;
    if (!this.#isOpen) return new DomainError('unavailable', `${where}: it is closed`);
    if (bytes > payloadBytesMax)
      return new DomainError(
        'too_large',
        `${where}: ${bytes} bytes in one message, at most ${payloadBytesMax} are allowed`,
      );
    if (this.#queueBytes + bytes > queueBytesMax)
      return new DomainError(
        'full',
        `${where}: ${this.#queueBytes} bytes wait for the disk, at most ${queueBytesMax} may`,
      );
    const held = this.#keptBytes() + this.#queueBytes;
    if (held + bytes + recordHeaderBytes <= this.#bytesMax) return undefined;
    this.#knowForgotten().catch(() => {});
    return new DomainError('full', `${where}: it holds ${held} bytes, at most ${this.#bytesMax} are allowed`);
  }

  #keptBytes(): number {
    let bytes = -this.#forgottenBytes;
    for (const segment of this.#segments) bytes += segment.end - segmentHeaderBytes;
    return bytes;
  }

  // After opening, the place of the first record kept is looked up once, when somebody wants to know.
  async #knowForgotten(): Promise<void> {
    this.#forgottenKnown ??= this.#countForgotten(this.#first);
    await this.#forgottenKnown;
  }

  async #countForgotten(first: number): Promise<void> {
    const segment = this.#segments[0]!;
    const offset = first <= segment.first ? segmentHeaderBytes : await offsetOf(this.#disk, segment, first);
    if (this.#first === first) this.#forgottenBytes = offset - segmentHeaderBytes;
  }

  // The one loop that writes: takes what is queued, commits it as a group, tells those who wait.
  async #write(): Promise<void> {
    while (this.#queue.length > 0) {
      for (let turn = 0; turn < gatherTurns; turn++) await undefined;
      const group = this.#takeGroup();
      const first = this.#last + 1;
      try {
        const batch = await this.#writer.commit(
          group.map((pending) => pending.payload),
          first,
        );
        this.#last = first + group.length - 1;
        this.#remember(batch);
        for (const [i, pending] of group.entries()) pending.resolve(first + i);
        this.#wake();
      } catch (error) {
        for (const pending of group) pending.reject(error);
      }
    }
    this.#writing = undefined;
  }

  #takeGroup(): Pending[] {
    let bytes = 0;
    let count = 0;
    while (count < this.#queue.length && (count === 0 || bytes < commitBytesMax))
      bytes += this.#queue[count++]!.payload.length + recordHeaderBytes;
    this.#queueBytes -= bytes;
    return this.#queue.splice(0, count);
  }

  #remember(batch: RecordBatch): void {
    this.#recent.push(batch);
    this.#recentBytes += batch.bytes.length;
    while (this.#recentBytes > this.#recentBytesMax) this.#recentBytes -= this.#recent.shift()!.bytes.length;
  }

  #wake(): void {
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const wake of waiters) wake();
  }

  #tailMoves(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        signal.removeEventListener('abort', wake);
        this.#waiters.delete(wake);
        resolve();
      };
      this.#waiters.add(wake);
      signal.addEventListener('abort', wake, { once: true });
    });
  }

  #checkReadable(next: number): void {
    const where = `cannot read the log ${this.#disk.describe('')} from record ${next}`;
    if (!this.#isOpen) throw new DomainError('unavailable', `${where}: it is closed`);
    if (next < this.#first)
      throw new DomainError(
        'not_found',
        `${where}: records ${next} to ${this.#first - 1} are no longer kept, the first is ${this.#first}`,
      );
  }

  #fromMemory(next: number): LogMessage[] | undefined {
    let index = this.#recent.length - 1;
    while (index >= 0 && this.#recent[index]!.first > next) index--;
    const batch = this.#recent[index];
    if (!batch || next >= batch.first + batch.count) return undefined;
    const messages = messagesOf(batch, next - batch.first);
    let bytes = batch.bytes.length;
    for (let i = index + 1; i < this.#recent.length && bytes < readBatchBytes; i++) {
      messages.push(...messagesOf(this.#recent[i]!, 0));
      bytes += this.#recent[i]!.bytes.length;
    }
    return messages;
  }

  async #fromDisk(cursor: DiskCursor, next: number): Promise<readonly LogMessage[]> {
    try {
      return await cursor.read(next);
    } catch (error) {
      // A trim may have taken the segment away meanwhile; then that is what is wrong.
      this.#checkReadable(next);
      throw error;
    }
  }

  async #trim(wanted: number): Promise<void> {
    if (!this.#isOpen)
      throw new DomainError('unavailable', `cannot trim ${this.#disk.describe('')}: it is closed`);
    const first = Math.min(wanted, this.#last + 1);
    if (first <= this.#first) return;
    const index = this.#segments.findLastIndex((segment) => segment.first <= first);
    const holder = this.#segments[index]!;
    const offset = first === holder.first ? segmentHeaderBytes : await offsetOf(this.#disk, holder, first);
    await writeBounds(this.#disk, { first, durable: this.#last });
    this.#first = first;
    this.#forgottenBytes = offset - segmentHeaderBytes;
    this.#forgottenKnown = Promise.resolve();
    for (const segment of this.#segments.splice(0, index))
      await this.#disk.remove(segment.name).catch((error: unknown) => {
        this.#log.warn('cannot remove a trimmed segment; the next start will', { error: String(error) });
      });
  }
}

/** A reader's place on disk: one open file, and the record that comes next in it. */
class DiskCursor {
  readonly #disk: Disk;
  readonly #segments: readonly Segment[];
  #segment: Segment | undefined;
  #file: DiskFile | undefined;
  #sequence = 0;
  #offset = 0;

  constructor(disk: Disk, segments: readonly Segment[]) {
    this.#disk = disk;
    this.#segments = segments;
  }

  /** Records from `next` on, which the log has; possibly none while the cursor is still on its way there. */
  async read(next: number): Promise<readonly LogMessage[]> {
    const segment = this.#segments.findLast((candidate) => candidate.first <= next);
    invariant(segment, `no segment holds record ${next}`);
    if (segment !== this.#segment || this.#sequence > next || !this.#file) await this.#enter(segment, next);
    const { end } = segment;
    if (this.#offset >= end)
      throw damaged(this.#disk, segment, this.#place(), `the segment ends before record ${next}`);
    const run = await readRun(this.#file!, segment, this.#place(), end);
    if (run.messages.length === 0)
      throw damaged(this.#disk, segment, this.#place(), run.damage ?? 'it is missing');
    const skipped = Math.max(0, next - this.#sequence);
    this.#sequence = run.sequence;
    this.#offset = run.offset;
    return skipped === 0 ? run.messages : run.messages.slice(skipped);
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
  }

  #place(): { sequence: number; offset: number } {
    return { sequence: this.#sequence, offset: this.#offset };
  }

  async #enter(segment: Segment, next: number): Promise<void> {
    await this.close();
    this.#file = await this.#disk.open(segment.name, 'read');
    this.#segment = segment;
    const start = nearestRecord(segment, next);
    this.#sequence = start.sequence;
    this.#offset = start.offset;
  }
}
