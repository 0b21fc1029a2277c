// Recognises the series of one tenant by their raw label bytes. A steady sender's next series is the one that followed last
// time: one compare in place. Otherwise a hash table. Only a series never seen before is parsed, checked and placed.
//
//   key (raw bytes, ByteTable) ──seriesOf──▶ series (number of its canonical key) ──▶ partition, ref, …
//
// The canonical key is the raw form with labels sorted and empty values left out; other spellings of the same labels are
// keys of their own that point to it.

import { ByteTable, doubled } from '../../../codec/byte-table.ts';
import { ByteWriter } from '../../../codec/bytes.ts';
import type { LabelRanges } from '../../../codec/frame-writer.ts';
import { type LabelSink, labelRanges } from '../../../codec/remote-write/columns.ts';
import { Cursor } from '../../../codec/remote-write/cursor.ts';
import { readRawLabels, writeRawLabel } from '../../../codec/remote-write/labels.ts';
import type { LabelCheck } from './label-check.ts';

/** Id given to a series whose labels are not acceptable. */
export const REFUSED = -1;
/** Id given to a series that is dropped and counted without a complaint. */
export const DROPPED = -2;

/** Places canonical raw labels: their partition. */
export type Placement = (bytes: Uint8Array, labels: LabelRanges) => number;

/** A complaint about series `index` of a request. */
export interface SeriesProblem {
  readonly index: number;
  readonly reason: string;
}

/** What a SeriesTable needs. */
export interface SeriesTableOptions {
  readonly check: LabelCheck;
  readonly place: Placement;
  /** Random 32 bits: nobody outside can choose labels that collide. */
  readonly seed: number;
}

/** The series of one tenant; the sink of the walkers. Arrays are indexed by series. */
export class SeriesTable implements LabelSink {
  /** Partition of each series. */
  partitionOf: Uint32Array = new Uint32Array(256);
  /** Ref of each series in its partition's writer; meaning and validity are the writer's. */
  refOf: Uint32Array = new Uint32Array(256);
  /** Frame that defined the series last (the writer's serial), 0 for none. */
  definedIn: Uint32Array = new Uint32Array(256);
  /** Hash of the metadata sent last for the series, 0 for none. */
  metadataOf: Uint32Array = new Uint32Array(256);
  predictedLength = 0;
  /** Complaints about the request at hand. */
  readonly problems: SeriesProblem[] = [];
  /** Series of the request at hand dropped for want of a name. */
  dropped = 0;
  /** Whether series without a metric name are dropped silently (remote write 1.0) instead of refused. */
  dropNameless = false;
  /** Time by which a series counts as seen, in milliseconds; set per request. */
  now = 0;

  #keys: ByteTable;
  #seriesOf = new Uint32Array(256); // per key
  #followedBy = new Int32Array(256); // per key: the key that came next last time, or -1
  #seenAt = new Uint32Array(256); // per key, in seconds
  #previous = -1; // key
  #predicted = -1; // key
  readonly #options: SeriesTableOptions;
  readonly #labels = labelRanges();
  readonly #cursor = new Cursor();
  readonly #canonical = new ByteWriter(512);

  constructor(options: SeriesTableOptions) {
    this.#options = options;
    this.#keys = new ByteTable(options.seed, 256);
  }

  /** Keys remembered: about the number of series. */
  get count(): number {
    return this.#keys.count;
  }

  /** Bytes of memory held. */
  get bytes(): number {
    return this.#keys.bytes + this.#seriesOf.length * 28;
  }

  /** Begins a request. */
  begin(options: { now: number; dropNameless: boolean }): void {
    this.problems.length = 0;
    this.dropped = 0;
    this.now = Math.floor(options.now / 1000);
    this.dropNameless = options.dropNameless;
  }

  predict(view: DataView, start: number, end: number): number {
    const previous = this.#previous;
    if (previous < 0) return -1;
    const key = this.#followedBy[previous]!;
    if (key < 0) return -1;
    const keys = this.#keys;
    const length = keys.lengths[key]!;
    if (length > end - start || !keys.matches(key, view, start)) return -1;
    this.predictedLength = length;
    this.#predicted = key;
    return this.#seriesOf[key]!;
  }

  predictSymbols(view: DataView, symbols: Uint32Array, refs: Uint32Array, count: number): number {
    const previous = this.#previous;
    if (previous < 0) return -1;
    const key = this.#followedBy[previous]!;
    if (key < 0 || !rawEqualsSymbols(this.#keys, key, { view, symbols, refs, count })) return -1;
    this.#predicted = key;
    return this.#seriesOf[key]!;
  }

  confirm(id: number): void {
    const key = this.#predicted;
    this.#previous = key;
    if (this.#seenAt[key] === this.now) return;
    this.#seenAt[key] = this.now;
    if (id !== key) this.#seenAt[id] = this.now;
  }

  recognise(view: DataView, start: number, end: number, index: number): number {
    let key = this.#keys.find(view, start, end);
    if (key < 0) {
      key = this.#learn(view, start, end, index);
      if (key < 0) return key;
    }
    const series = this.#seriesOf[key]!;
    this.#seenAt[key] = this.now;
    this.#seenAt[series] = this.now;
    if (this.#previous >= 0) this.#followedBy[this.#previous] = key;
    this.#previous = key;
    return series;
  }

  refuse(index: number, reason: string): number {
    this.problems.push({ index, reason });
    return REFUSED;
  }

  /** Reads the labels of a series into `labels`: positions in `arena` below. Borrowed until the table learns another. */
  readLabels(series: number, labels: LabelRanges): void {
    const { arena, view, offsets, lengths } = this.#keys;
    const start = offsets[series]!;
    this.#cursor.open(arena, view);
    readRawLabels(this.#cursor, start, start + lengths[series]!, labels);
  }

  /** View over the bytes that `readLabels` points into. Replaced when the table learns a series. */
  get view(): DataView {
    return this.#keys.view;
  }

  /** Bytes that `readLabels` points into. */
  get arena(): Uint8Array {
    return this.#keys.arena;
  }

  /** Forgets the series not seen since `time` (ms) and returns how many keys went. Numbers of the kept ones change. */
  forget(time: number): number {
    const limit = Math.floor(time / 1000);
    const old = this.#keys;
    let kept = 0;
    for (let key = 0; key < old.count; key++) if (this.#seenAt[key]! >= limit) kept++;
    const gone = old.count - kept;
    if (gone === 0) return 0;
    this.#rebuild(limit, kept);
    return gone;
  }

  // A fresh table with the kept keys. A spelling is seen with its series, so a kept spelling's series is kept too.
  #rebuild(limit: number, kept: number): void {
    const old = this.#keys;
    const keys = new ByteTable(this.#options.seed, capacityFor(kept));
    const moved = new Int32Array(old.count).fill(-1);
    for (let key = 0; key < old.count; key++) {
      if (this.#seenAt[key]! < limit) continue;
      moved[key] = keys.add(old.view, old.offsets[key]!, old.offsets[key]! + old.lengths[key]!);
    }
    const size = Math.max(256, keys.offsets.length);
    const move = (from: Uint32Array): Uint32Array<ArrayBuffer> => {
      const to = new Uint32Array(size);
      for (let key = 0; key < moved.length; key++) if (moved[key]! >= 0) to[moved[key]!] = from[key]!;
      return to;
    };
    const seriesOf = move(this.#seriesOf);
    for (let key = 0; key < keys.count; key++) seriesOf[key] = moved[seriesOf[key]!]!;
    const followedBy = new Int32Array(size).fill(-1);
    for (let key = 0; key < moved.length; key++) {
      const next = this.#followedBy[key]!;
      if (moved[key]! >= 0 && next >= 0) followedBy[moved[key]!] = moved[next]!;
    }
    this.partitionOf = move(this.partitionOf);
    this.refOf = move(this.refOf);
    this.definedIn = move(this.definedIn);
    this.metadataOf = move(this.metadataOf);
    this.#seenAt = move(this.#seenAt);
    this.#seriesOf = seriesOf;
    this.#followedBy = followedBy;
    this.#keys = keys;
    this.#previous = this.#predicted = -1;
  }

  // A key never seen: checks its labels, finds or makes its series. Negative when refused or dropped.
  #learn(view: DataView, start: number, end: number, index: number): number {
    const cursor = this.#cursor;
    const labels = this.#labels;
    const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    cursor.open(bytes, view);
    readRawLabels(cursor, start, end, labels);
    const verdict = this.#options.check.judge(bytes, labels);
    if (verdict.reason !== undefined) {
      if (verdict.nameless && this.dropNameless) {
        this.dropped++;
        return DROPPED;
      }
      return this.refuse(index, verdict.reason);
    }
    const canonical = this.#canonical;
    canonical.clear();
    for (let i = 0; i < labels.pairs; i++) writeRawLabel(canonical, bytes, labels.ranges, 4 * i);
    const count = this.#keys.count;
    const series = this.#keys.add(canonical.view, 0, canonical.length);
    if (series === count) {
      this.#prepare(series, series);
      this.readLabels(series, labels);
      this.partitionOf[series] = this.#options.place(this.#keys.arena, labels);
    }
    if (this.#keys.lengths[series] === end - start && this.#keys.matches(series, view, start)) return series;
    const key = this.#keys.add(view, start, end);
    this.#prepare(key, series);
    return key;
  }

  #prepare(key: number, series: number): void {
    if (key >= this.#seriesOf.length) this.#grow();
    this.#seriesOf[key] = series;
    this.#followedBy[key] = -1;
    this.refOf[key] = this.definedIn[key] = this.metadataOf[key] = 0;
  }

  #grow(): void {
    this.#seriesOf = doubled(this.#seriesOf);
    this.#seenAt = doubled(this.#seenAt);
    this.partitionOf = doubled(this.partitionOf);
    this.refOf = doubled(this.refOf);
    this.definedIn = doubled(this.definedIn);
    this.metadataOf = doubled(this.metadataOf);
    const followedBy = new Int32Array(this.#followedBy.length * 2);
    followedBy.set(this.#followedBy);
    this.#followedBy = followedBy;
  }
}

interface SymbolLabels {
  readonly view: DataView;
  readonly symbols: Uint32Array;
  readonly refs: Uint32Array;
  readonly count: number;
}

// Whether key `key` is what `writeRawLabel` would write for the labels that refs name. Keys in any other spelling do not
// match and are found by their hash. Positions are checked before the bytes behind them are read.
function rawEqualsSymbols(keys: ByteTable, key: number, labels: SymbolLabels): boolean {
  const { view, symbols, refs, count } = labels;
  const { arena } = keys;
  let at = keys.offsets[key]!;
  const end = at + keys.lengths[key]!;
  let labelEnd = at;
  for (let i = 0; i < count; i++) {
    const isName = (i & 1) === 0;
    if (isName) {
      if (at !== labelEnd || at + 3 > end || arena[at] !== 0x0a) return false;
      const first = arena[at + 1]!;
      const size = first < 0x80 ? first : (first & 0x7f) | (arena[at + 2]! << 7);
      at += first < 0x80 ? 2 : 3;
      labelEnd = at + size;
    }
    const symbol = 2 * refs[i]!;
    const start = symbols[symbol]!;
    const length = symbols[symbol + 1]! - start;
    const header = length < 0x80 ? 2 : 3;
    if (length >= 0x4000 || at + header + length > end || arena[at] !== (isName ? 0x0a : 0x12)) return false;
    const written = header === 2 ? arena[at + 1]! : (arena[at + 1]! & 0x7f) | (arena[at + 2]! << 7);
    if (written !== length || (header === 3 && arena[at + 1]! < 0x80)) return false;
    if (!keys.holds(at + header, view, start, start + length)) return false;
    at += header + length;
  }
  return at === end && at === labelEnd;
}

function capacityFor(keys: number): number {
  let capacity = 256;
  while (capacity < keys) capacity *= 2;
  return capacity;
}
