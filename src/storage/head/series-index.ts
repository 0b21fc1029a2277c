// Who the series of a head are: labels as numbers of interned name/value pairs, a hash table from labels to reference, and the
// inverted index from pair to references. References are small numbers; those of removed series are used again.

import { invariant } from '../../model/errors.ts';
import type { Labels } from '../../model/labels.ts';
import { compareText } from '../../model/text.ts';
import { NO_POSTINGS } from '../index/postings-set.ts';
import { PostingsList } from './postings-list.ts';

/** No series. */
export const NO_REF = 0xffffffff;
/** More pairs than this are collected through a bitmap instead of by sorting. */
const SORT_REFS_MAX = 64;

/** A label name with its values. */
export interface LabelName {
  readonly name: string;
  /** Pair number by value. */
  readonly values: Map<string, number>;
  /** All values in UTF-8 order; undefined since one came or went. */
  sorted: readonly string[] | undefined;
}

/** Labels, references and postings. */
export class SeriesIndex {
  /** Label names in use. */
  readonly names: Map<string, LabelName> = new Map();
  /** Number of series. */
  count = 0;
  /** References below this have been in use. */
  refEnd = 0;
  readonly #all = new PostingsList();
  // Pairs: value, name, number of series, and either the only series' reference or a list of them.
  readonly #pairValues: string[] = [];
  readonly #pairNames: LabelName[] = [];
  readonly #pairLists: (PostingsList | undefined)[] = [];
  #pairCounts = new Uint32Array(64);
  #pairOnly = new Uint32Array(64);
  readonly #freePairs: number[] = [];
  #freeRefs: number[] = [];
  // Series: where their pair numbers are.
  #starts = new Uint32Array(64);
  #lengths = new Uint16Array(64);
  #hashes = new Uint32Array(64);
  #pairs = new Uint32Array(512);
  #pairsUsed = 0;
  #pairsDead = 0;
  #slots = new Uint32Array(128); // reference + 1
  readonly #key: number[] = [];
  #textBytes = 0;
  #restoring = false;

  /** Memory held in bytes; what V8 needs for maps and strings is estimated. */
  get bytes(): number {
    let sum = this.#starts.length * 10 + this.#pairs.byteLength + this.#slots.byteLength + this.#all.bytes;
    for (const list of this.#pairLists) if (list !== undefined) sum += list.bytes + 200;
    return sum + this.#pairValues.length * 100 + this.#textBytes + this.names.size * 300;
  }

  /** Number of name/value pairs in use. */
  get pairCount(): number {
    return this.#pairValues.length - this.#freePairs.length;
  }

  /** The reference of the series with these labels, or NO_REF. */
  find(labels: Labels): number {
    const key = this.#key;
    key.length = 0;
    for (let i = 0; i < labels.length; i += 2) {
      const pair = this.names.get(labels[i]!)?.values.get(labels[i + 1]!);
      if (pair === undefined) return NO_REF;
      key.push(pair);
    }
    return this.#lookUp(key, hashOf(key));
  }

  /** Adds a series that `find` did not find; returns its reference. About 2-4 µs with 12 labels. */
  add(labels: Labels): number {
    const key = this.#key;
    key.length = 0;
    for (let i = 0; i < labels.length; i += 2) key.push(this.#intern(labels[i]!, labels[i + 1]!));
    const ref = this.#freeRefs.pop() ?? this.refEnd;
    this.#insert(ref, key);
    return ref;
  }

  /** The labels of a series: a new array of interned strings. */
  labels(ref: number): Labels {
    const start = this.#starts[ref]!;
    const length = this.#lengths[ref]!;
    const out: string[] = new Array(2 * length);
    for (let i = 0; i < length; i++) {
      const pair = this.#pairs[start + i]!;
      out[2 * i] = this.#pairNames[pair]!.name;
      out[2 * i + 1] = this.#pairValues[pair]!;
    }
    return out;
  }

  /** Prometheus's order of label sets, for two references. */
  compare(a: number, b: number): number {
    const startA = this.#starts[a]!;
    const startB = this.#starts[b]!;
    const length = Math.min(this.#lengths[a]!, this.#lengths[b]!);
    for (let i = 0; i < length; i++) {
      const pairA = this.#pairs[startA + i]!;
      const pairB = this.#pairs[startB + i]!;
      if (pairA !== pairB) return this.comparePairs(pairA, pairB);
    }
    return this.#lengths[a]! - this.#lengths[b]!;
  }

  /** Order of two pairs: by name, then value. */
  comparePairs(a: number, b: number): number {
    const nameA = this.#pairNames[a]!;
    const nameB = this.#pairNames[b]!;
    if (nameA !== nameB) return compareText(nameA.name, nameB.name);
    return compareText(this.#pairValues[a]!, this.#pairValues[b]!);
  }

  /** The first pair of a series' labels; -1 of a series without labels. */
  firstPair(ref: number): number {
    return this.#lengths[ref] === 0 ? -1 : this.#pairs[this.#starts[ref]!]!;
  }

  /** Number of the series' pair of that name, or -1. */
  pairOf(ref: number, name: LabelName): number {
    const start = this.#starts[ref]!;
    const end = start + this.#lengths[ref]!;
    for (let i = start; i < end; i++) if (this.#pairNames[this.#pairs[i]!] === name) return this.#pairs[i]!;
    return -1;
  }

  /** The pair numbers of a series, borrowed until the next change. */
  pairsOf(ref: number): Uint32Array {
    return this.#pairs.subarray(this.#starts[ref]!, this.#starts[ref]! + this.#lengths[ref]!);
  }

  /** The value of a pair. */
  pairValue(pair: number): string {
    return this.#pairValues[pair]!;
  }

  /** The name of a pair. */
  pairName(pair: number): LabelName {
    return this.#pairNames[pair]!;
  }

  /** How many series have the pair. */
  pairSeries(pair: number): number {
    return this.#pairCounts[pair]!;
  }

  /** Every series, ascending; borrowed until the next change. */
  all(): Uint32Array {
    return this.#all.view();
  }

  /** Series that have one of the pairs (all of one name), ascending; borrowed until the next change. */
  collect(pairs: readonly number[]): Uint32Array {
    if (pairs.length === 0) return NO_POSTINGS;
    if (pairs.length === 1) return this.#postings(pairs[0]!);
    let total = 0;
    for (const pair of pairs) total += this.#pairCounts[pair]!;
    const out = new Uint32Array(total);
    let count = 0;
    for (const pair of pairs) {
      const list = this.#pairLists[pair];
      if (list === undefined) out[count++] = this.#pairOnly[pair]!;
      else {
        out.set(list.view(), count);
        count += list.count;
      }
    }
    if (total <= SORT_REFS_MAX) return out.sort();
    return sortByBitmap(out, this.refEnd);
  }

  /** All values of a name in UTF-8 order. */
  sortedValues(name: LabelName): readonly string[] {
    name.sorted ??= [...name.values.keys()].sort(compareText);
    return name.sorted;
  }

  /** Removes series; their references may be given to others from now on. */
  remove(refs: Uint32Array): void {
    const removed = new Uint8Array(this.refEnd);
    const affected = new Set<number>();
    for (const ref of refs) {
      removed[ref] = 1;
      for (const pair of this.pairsOf(ref)) affected.add(pair);
      this.#pairsDead += this.#lengths[ref]!;
      this.#lengths[ref] = 0;
    }
    for (const pair of affected) this.#removeFrom(pair, removed);
    this.#all.remove(removed);
    this.count -= refs.length;
    this.#freeRefs.push(...refs);
    this.#freeRefs.sort((a, b) => b - a);
    if (this.#pairsDead * 2 > this.#pairsUsed) this.#compactPairs();
    this.#rehash(this.#slots.length);
  }

  /** Number of pair places, free ones included: what restorePair must be called for in order. */
  get pairEnd(): number {
    return this.#pairValues.length;
  }

  /** For reading a snapshot: makes the next pair; an empty value makes a free place. */
  restorePair(name: string, value: string): void {
    this.#restoring = true;
    if (value !== '') {
      this.#intern(name, value);
      return;
    }
    this.#freePairs.push(this.#pairValues.length);
    this.#pairValues.push('');
  }

  /** For reading a snapshot: adds a series, by ascending reference, that has these pairs. */
  restoreSeries(ref: number, pairs: readonly number[]): void {
    for (let free = this.refEnd; free < ref; free++) this.#freeRefs.push(free);
    this.#insert(ref, pairs);
  }

  /** For reading a snapshot: references below `refEnd` that were not restored are free. */
  restoreEnd(refEnd: number): void {
    for (let free = this.refEnd; free < refEnd; free++) this.#freeRefs.push(free);
    if (refEnd > this.#starts.length) this.#growSeries(refEnd);
    this.refEnd = refEnd;
    this.#freeRefs.reverse();
    this.#restoring = false;
  }

  #removeFrom(pair: number, removed: Uint8Array): void {
    const list = this.#pairLists[pair];
    if (list === undefined) {
      this.#pairCounts[pair] = 0;
    } else {
      list.remove(removed);
      this.#pairCounts[pair] = list.count;
      if (list.count > 1) return;
      if (list.count === 1) this.#pairOnly[pair] = list.view()[0]!;
      this.#pairLists[pair] = undefined;
    }
    if (this.#pairCounts[pair]! > 0) return;
    const name = this.#pairNames[pair]!;
    name.values.delete(this.#pairValues[pair]!);
    name.sorted = undefined;
    if (name.values.size === 0) this.names.delete(name.name);
    this.#textBytes -= this.#pairValues[pair]!.length;
    this.#pairValues[pair] = '';
    this.#freePairs.push(pair);
  }

  #postings(pair: number): Uint32Array {
    const list = this.#pairLists[pair];
    return list === undefined ? Uint32Array.of(this.#pairOnly[pair]!) : list.view();
  }

  #intern(name: string, value: string): number {
    let entry = this.names.get(name);
    if (entry === undefined) {
      entry = { name, values: new Map(), sorted: undefined };
      this.names.set(name, entry);
    }
    let pair = entry.values.get(value);
    if (pair === undefined) {
      pair = this.#takePair();
      if (pair >= this.#pairCounts.length) {
        this.#pairCounts = longer(this.#pairCounts, pair + 1);
        this.#pairOnly = longer(this.#pairOnly, pair + 1);
      }
      this.#pairValues[pair] = value;
      this.#pairNames[pair] = entry;
      this.#pairLists[pair] = undefined;
      this.#pairCounts[pair] = 0;
      this.#textBytes += value.length;
      entry.values.set(value, pair);
      entry.sorted = undefined;
    }
    return pair;
  }

  // Places are numbered by arrival while a snapshot is read, also behind free ones.
  #takePair(): number {
    return (this.#restoring ? undefined : this.#freePairs.pop()) ?? this.#pairValues.length;
  }

  #insert(ref: number, key: readonly number[]): void {
    if (ref >= this.#starts.length) this.#growSeries(ref + 1);
    if (ref >= this.refEnd) this.refEnd = ref + 1;
    const needed = this.#pairsUsed + key.length;
    if (needed > this.#pairs.length) this.#pairs = longer(this.#pairs, needed);
    this.#starts[ref] = this.#pairsUsed;
    this.#lengths[ref] = key.length;
    for (let i = 0; i < key.length; i++) {
      const pair = key[i]!;
      this.#pairs[this.#pairsUsed + i] = pair;
      this.#post(pair, ref);
    }
    this.#pairsUsed = needed;
    this.#hashes[ref] = hashOf(key);
    this.#all.add(ref);
    this.count++;
    if (this.count * 2 > this.#slots.length) this.#rehash(this.#slots.length * 2);
    else this.#place(ref);
  }

  #post(pair: number, ref: number): void {
    const count = this.#pairCounts[pair]!++;
    if (count === 0) {
      this.#pairOnly[pair] = ref;
      return;
    }
    let list = this.#pairLists[pair];
    if (list === undefined) {
      list = new PostingsList();
      list.add(this.#pairOnly[pair]!);
      this.#pairLists[pair] = list;
    }
    list.add(ref);
  }

  #lookUp(key: readonly number[], hash: number): number {
    const mask = this.#slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const ref = this.#slots[slot]! - 1;
      if (ref < 0) return NO_REF;
      if (this.#hashes[ref] === hash && this.#hasPairs(ref, key)) return ref;
    }
  }

  #hasPairs(ref: number, key: readonly number[]): boolean {
    if (this.#lengths[ref] !== key.length) return false;
    const start = this.#starts[ref]!;
    for (let i = 0; i < key.length; i++) if (this.#pairs[start + i] !== key[i]) return false;
    return true;
  }

  #place(ref: number): void {
    const mask = this.#slots.length - 1;
    let slot = this.#hashes[ref]! & mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = ref + 1;
  }

  #rehash(size: number): void {
    this.#slots = new Uint32Array(size);
    for (const ref of this.all()) this.#place(ref);
  }

  #growSeries(length: number): void {
    this.#starts = longer(this.#starts, length);
    this.#hashes = longer(this.#hashes, length);
    const lengths = new Uint16Array(this.#starts.length);
    lengths.set(this.#lengths);
    this.#lengths = lengths;
  }

  #compactPairs(): void {
    const pairs = new Uint32Array(Math.max(512, this.#pairsUsed - this.#pairsDead));
    let used = 0;
    for (const ref of this.all()) {
      const own = this.pairsOf(ref);
      pairs.set(own, used);
      this.#starts[ref] = used;
      used += own.length;
    }
    this.#pairs = pairs;
    this.#pairsUsed = used;
    this.#pairsDead = 0;
  }
}

// Multiply and rotate over the pair numbers, which nobody outside can choose.
function hashOf(key: readonly number[]): number {
  let hash = key.length;
  for (let i = 0; i < key.length; i++) {
    hash = Math.imul(hash ^ key[i]!, 0x9e3779b1);
    hash ^= hash >>> 15;
  }
  hash = Math.imul(hash ^ (hash >>> 13), 0x85ebca6b);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function longer(column: Uint32Array, length: number): Uint32Array<ArrayBuffer> {
  const out = new Uint32Array(Math.max(length, column.length * 2));
  out.set(column);
  return out;
}

function sortByBitmap(refs: Uint32Array<ArrayBuffer>, end: number): Uint32Array {
  const words = new Uint32Array((end + 31) >>> 5);
  for (let i = 0; i < refs.length; i++) words[refs[i]! >>> 5]! |= 1 << (refs[i]! & 31);
  let count = 0;
  for (let w = 0; w < words.length; w++) {
    for (let word = words[w]!; word !== 0; word &= word - 1)
      refs[count++] = (w << 5) + 31 - Math.clz32(word & -word);
  }
  invariant(
    count === refs.length,
    `a series has two values of one label: ${refs.length} postings, ${count} series`,
  );
  return refs;
}
