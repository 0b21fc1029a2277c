// What a reader of one partition's log remembers of its writers: which ref means which series in which epoch, and which
// counters it saw. It reports what it finds (gap, repeat, late join, undefined refs) and never guesses.

import { doubled } from './byte-table.ts';
import type { DecodedFrame } from './frame.ts';

/** Ref → number of the reader's own (the head's series), for one epoch of one writer. */
export class RefTable {
  #targets = new Uint32Array(64); // target + 1, 0 is undefined

  /** Says what `ref` means to the reader; `target` < 2^32 - 1. */
  set(ref: number, target: number): void {
    while (ref >= this.#targets.length) this.#targets = doubled(this.#targets);
    this.#targets[ref] = target + 1;
  }

  /** What `ref` means, or -1 when it was never defined. */
  get(ref: number): number {
    return ref < this.#targets.length ? this.#targets[ref]! - 1 : -1;
  }

  /** Everything a ref of this table means, in no order; owned by the caller. */
  targets(): Uint32Array {
    return this.#targets.filter((target) => target !== 0).map((target) => target - 1);
  }

  /** The table as one array (target + 1 by ref, 0 undefined), for a snapshot; owned by the caller. */
  facts(): Uint32Array {
    let end = this.#targets.length;
    while (end > 0 && this.#targets[end - 1] === 0) end--;
    return this.#targets.slice(0, end);
  }

  /** A table from its facts. */
  static from(facts: Uint32Array): RefTable {
    const table = new RefTable();
    if (facts.length > table.#targets.length) table.#targets = new Uint32Array(facts.length);
    table.#targets.set(facts);
    return table;
  }

  /**
   * Translates `count` refs into `out` and returns how many are undefined. Those get 0xffffffff; their samples must be counted
   * and reported, not stored. `out` may be `refs` itself.
   */
  resolve(refs: Uint32Array, count: number, out: Uint32Array): number {
    const targets = this.#targets;
    const length = targets.length;
    let undefinedCount = 0;
    for (let i = 0; i < count; i++) {
      const ref = refs[i]!;
      const target = ref < length ? targets[ref]! : 0;
      if (target === 0) undefinedCount++;
      out[i] = target - 1;
    }
    return undefinedCount;
  }
}

/** What the reader must know of a frame before it applies it. */
export interface FrameOutcome {
  /** Where the frame's definitions belong and its refs are looked up. */
  readonly refs: RefTable;
  /** The frame was applied before (the writer sent it twice): skip it. */
  readonly repeated: boolean;
  /** Acknowledged frames that never arrived, lowest and highest counter and how many; each is reported once. */
  readonly gap: { readonly from: number; readonly to: number; readonly count: number } | undefined;
  /** A frame reported as missing before, that arrived after all; apply it. */
  readonly late: boolean;
  /** Definitions of this epoch went by before the reader began: undefined refs are to be expected. */
  readonly joinedLate: boolean;
  /** The frame begins an epoch this reader had not seen. */
  readonly newEpoch: boolean;
}

interface Epoch {
  readonly refs: RefTable;
  readonly first: number; // counter
  readonly begun: number; // ms
  readonly sequence: number; // of the first frame met
}

interface Writer {
  readonly epochs: Map<number, Epoch>; // at most the newest two that still matter
  readonly seen: Set<number>; // counters above `checked`
  readonly missing: Set<number>; // reported as gap, or perhaps trimmed before the reader began
  checked: number; // every counter up to here was judged
  newest: number; // epoch
}

/** A FrameLog as plain data, for snapshots. */
export interface FrameLogFacts {
  /** Sequence of the first frame ever met; absent when there was none, and from snapshots of versions that did not keep it. */
  readonly began?: number;
  readonly writers: readonly {
    readonly key: string;
    readonly seen: readonly number[];
    readonly missing: readonly number[];
    readonly checked: number;
    readonly newest: number;
    readonly epochs: readonly {
      readonly epoch: number;
      readonly refs: Uint32Array;
      readonly first: number;
      readonly begun: number;
      readonly sequence: number;
    }[];
  }[];
}

/** Limits of a FrameLog. */
export interface FrameLogOptions {
  /** Writers remembered at once; beyond it, the one silent for longest is forgotten. */
  readonly writersMax: number;
}

/** State of reading one partition's log. Feed it every frame in order of sequence. */
export class FrameLog {
  readonly #writers = new Map<string, Writer>();
  readonly #options: FrameLogOptions;
  #began: number | undefined;

  constructor(options: FrameLogOptions = { writersMax: 4096 }) {
    this.#options = options;
  }

  /** Writers remembered now. */
  get writers(): number {
    return this.#writers.size;
  }

  /**
   * Judges a frame and returns the table of its epoch. The caller then sets the table for each definition of the frame and
   * resolves the refs of its samples. `sequence` is the frame's place in the log.
   */
  accept(frame: DecodedFrame, sequence: number): FrameOutcome {
    this.#began ??= sequence;
    const key = `${hex(frame.writer)}/${frame.tenant}`;
    const writer = this.#writers.get(key) ?? newWriter(frame, this.#began === FIRST_SEQUENCE);
    this.#writers.delete(key); // the map's order is the order of last use
    this.#writers.set(key, writer);
    if (this.#writers.size > this.#options.writersMax) this.#forgetSilent();
    const known = writer.epochs.get(frame.epoch);
    const firstOfWriter = writer.newest < 0;
    const epoch = known ?? newEpoch(frame, sequence);
    const late = writer.missing.delete(frame.counter);
    const repeated = !late && (frame.counter <= writer.checked || writer.seen.has(frame.counter));
    if (known === undefined && !repeated) {
      writer.epochs.set(frame.epoch, epoch);
      writer.newest = Math.max(writer.newest, frame.epoch);
    }
    if (!repeated && !late) writer.seen.add(frame.counter);
    const gap = check(writer, frame.settled);
    retireEpochs(writer, frame.settled);
    const joinedLate = known === undefined && firstOfWriter && frame.epochFirst <= frame.settled;
    return { refs: epoch.refs, repeated, gap, late, joinedLate, newEpoch: known === undefined };
  }

  /**
   * The lowest sequence among the first frames of the epochs still remembered, or undefined when there is none: a reader that
   * starts again must read from there (its definitions), and the log must not be trimmed past it.
   */
  oldestSequence(): number | undefined {
    let oldest: number | undefined;
    for (const writer of this.#writers.values()) {
      for (const { sequence } of writer.epochs.values()) {
        if (oldest === undefined || sequence < oldest) oldest = sequence;
      }
    }
    return oldest;
  }

  /** Forgets epochs that began before `time` (ms), and writers left without any: they take no frames any more. */
  forgetBegunBefore(time: number): void {
    for (const [key, writer] of this.#writers) {
      for (const [epoch, { begun }] of writer.epochs) if (begun < time) writer.epochs.delete(epoch);
      if (writer.epochs.size === 0) this.#writers.delete(key);
    }
  }

  /** What the refs of every remembered epoch of a tenant mean: series that frames to come may name. */
  *targetsOf(tenant: string): IterableIterator<Uint32Array> {
    for (const [key, writer] of this.#writers) {
      if (key.slice(key.indexOf('/') + 1) !== tenant) continue;
      for (const { refs } of writer.epochs.values()) yield refs.targets();
    }
  }

  /** The state as plain data; owned by the caller. */
  facts(): FrameLogFacts {
    const writers = [...this.#writers].map(([key, { epochs, seen, missing, checked, newest }]) => ({
      key,
      seen: [...seen],
      missing: [...missing],
      checked,
      newest,
      epochs: [...epochs].map(([epoch, { refs, ...rest }]) => ({ epoch, refs: refs.facts(), ...rest })),
    }));
    return this.#began === undefined ? { writers } : { began: this.#began, writers };
  }

  /** The state that plain data describe. */
  static from(facts: FrameLogFacts, options?: FrameLogOptions): FrameLog {
    const log = new FrameLog(options);
    log.#began = facts.began ?? (facts.writers.length > 0 ? UNKNOWN_SEQUENCE : undefined);
    for (const { key, seen, missing, checked, newest, epochs } of facts.writers) {
      const restored = epochs.map(
        ({ epoch, refs, ...rest }) => [epoch, { refs: RefTable.from(refs), ...rest }] as const,
      );
      log.#writers.set(key, {
        epochs: new Map(restored),
        seen: new Set(seen),
        missing: new Set(missing),
        checked,
        newest,
      });
    }
    return log;
  }

  #forgetSilent(): void {
    for (const key of this.#writers.keys()) {
      this.#writers.delete(key);
      return;
    }
  }
}

function hex(bytes: Uint8Array): string {
  let out = '';
  for (const byte of bytes) out += byte.toString(16).padStart(2, '0');
  return out;
}

/** Counters a writer may have unsettled, and missing ones remembered for late arrival. */
const WINDOW = 65_536;
/** The first message of a log that was never trimmed. */
const FIRST_SEQUENCE = 1;
const UNKNOWN_SEQUENCE = Number.POSITIVE_INFINITY;

// Frames that were settled before the first one met are none of this reader's business. Nor are those that were under way when that
// one was sent, if the reader did not begin where the log did: they stand before it, perhaps among the messages trimmed.
function newWriter({ counter, settled }: DecodedFrame, isFromFirst: boolean): Writer {
  const checked = isFromFirst ? settled : counter - 1;
  const missing = new Set<number>();
  for (let before = Math.max(settled + 1, counter - WINDOW); before <= checked; before++) missing.add(before);
  return { epochs: new Map(), seen: new Set(), missing, checked, newest: -1 };
}

function newEpoch(frame: DecodedFrame, sequence: number): Epoch {
  return { refs: new RefTable(), first: frame.epochFirst, begun: frame.epochBegun, sequence };
}

// Judges the counters up to `settled`: those not seen are missing.
function check(writer: Writer, settled: number): FrameOutcome['gap'] {
  let from = 0;
  let to = 0;
  let count = 0;
  while (writer.checked < settled && writer.seen.delete(writer.checked + 1)) writer.checked++;
  // A jump beyond the window is reported in full but not remembered number by number.
  const start = Math.max(writer.checked + 1, settled - WINDOW);
  if (start > writer.checked + 1) {
    from = writer.checked + 1;
    to = start - 1;
    count = start - from;
    for (const counter of writer.seen) if (counter < start && writer.seen.delete(counter)) count--;
  }
  for (let counter = start; counter <= settled; counter++) {
    if (writer.seen.delete(counter)) continue;
    if (count === 0) from = counter;
    to = counter;
    count++;
    if (writer.missing.size < WINDOW) writer.missing.add(counter);
  }
  writer.checked = Math.max(writer.checked, settled);
  return count === 0 ? undefined : { from, to, count };
}

// An epoch is over once every frame before a newer epoch's first is settled.
function retireEpochs(writer: Writer, settled: number): void {
  if (writer.epochs.size < 2) return;
  const newest = writer.epochs.get(writer.newest);
  if (newest === undefined || settled < newest.first) return;
  for (const epoch of writer.epochs.keys()) if (epoch < writer.newest) writer.epochs.delete(epoch);
}
