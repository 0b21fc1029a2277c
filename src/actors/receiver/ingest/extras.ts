// What travels beside samples: exemplars and metric metadata. Neither ever fails a request by being unacceptable, as in
// Prometheus; it is dropped and counted. Metadata is sent on only when it is new or changed, or in a new epoch.

import { isUtf8 } from 'node:buffer';
import { ByteWriter } from '../../../codec/bytes.ts';
import { type Hasher, hashRange } from '../../../codec/hash.ts';
import { partitionOfHash } from '../../../codec/label-bytes.ts';
import { labelRanges, type RequestColumns } from '../../../codec/remote-write/columns.ts';
import type { IngestConfig } from './config.ts';
import type { IngestRun } from './ingestor.ts';
import { compareNames, dropEmptyValues, sortPairs, validText } from './label-check.ts';

const TIME_LIMIT = 2 ** 51;
const FAMILIES_MAX = 100_000;
/** Suffixes of the series of one family: histograms and summaries are described under their family's name. */
const SUFFIXES: Readonly<Record<number, readonly string[]>> = {
  3: ['_bucket', '_count', '_sum'],
  4: ['_bucket', '_gcount', '_gsum'],
  5: ['_count', '_sum'],
};

/** Judges the exemplars of a request and appends the good ones. */
export class ExemplarIntake {
  readonly #runesMax: number;
  readonly #labels = labelRanges();

  constructor(config: Pick<IngestConfig, 'exemplarRunesMax'>) {
    this.#runesMax = config.exemplarRunesMax;
  }

  /** Appends the exemplars in `columns` through `run`. */
  take(columns: RequestColumns, body: Uint8Array, view: DataView, run: IngestRun): void {
    for (let i = 0; i < columns.exemplarCount; i++) {
      const series = columns.seriesIds[columns.exemplarSeries[i]!]!;
      const timestamp = columns.exemplarTimestamps[i]!;
      const timely = timestamp <= run.timeMax && timestamp >= -TIME_LIMIT;
      if (series < 0 || !timely || !this.#readLabels(columns, i, body)) {
        run.exemplarsRejected++;
        continue;
      }
      const part = run.part(run.table.partitionOf[series]!);
      const low = columns.exemplarBits[2 * i]!;
      const high = columns.exemplarBits[2 * i + 1]!;
      part.writer.exemplar(run.table, series, { timestamp, low, high, view, labels: this.#labels }, run.now);
      part.exemplars++;
      run.noteSerial(part);
    }
  }

  // Reads, sorts and judges the labels of exemplar `i`.
  #readLabels(columns: RequestColumns, i: number, body: Uint8Array): boolean {
    const labels = this.#labels;
    const first = columns.exemplarPairs[i]!;
    const end = i + 1 < columns.exemplarCount ? columns.exemplarPairs[i + 1]! : columns.pairCount;
    labels.pairs = end - first;
    if (labels.pairs > this.#runesMax) return false;
    labels.ranges = columns.pairRanges.slice(4 * first, 4 * end);
    sortPairs(body, labels);
    let bytes = 0;
    for (let at = 0; at < 4 * labels.pairs; at += 4) {
      const { ranges } = labels;
      bytes += ranges[at + 1]! - ranges[at]! + ranges[at + 3]! - ranges[at + 2]!;
      if (bytes > 4 * this.#runesMax) return false;
      if (ranges[at] === ranges[at + 1] || !validText(body, ranges, at)) return false;
      if (at > 0 && compareNames(body, ranges, at - 4, at) === 0) return false;
    }
    dropEmptyValues(labels);
    return bytes <= this.#runesMax || this.#runes(body) <= this.#runesMax;
  }

  // Characters: bytes that do not continue one.
  #runes(body: Uint8Array): number {
    let runes = 0;
    for (let i = 0; i < 4 * this.#labels.pairs; i += 2) {
      const end = this.#labels.ranges[i + 1]!;
      for (let at = this.#labels.ranges[i]!; at < end; at++) if ((body[at]! & 0xc0) !== 0x80) runes++;
    }
    return runes;
  }
}

/** Judges one tenant's metadata and remembers what was sent on. */
export class MetadataIntake {
  readonly #config: IngestConfig;
  readonly #hasher: Hasher;
  readonly #sent = new Map<string, number>(); // family → hash
  readonly #scratch = new ByteWriter(512);
  readonly #ranges = new Uint32Array(6);
  readonly #labels = labelRanges();
  #generation = 1;
  #forgetAt = 0;

  constructor(config: IngestConfig, hasher: Hasher) {
    this.#config = config;
    this.#hasher = hasher;
  }

  /** Forgets what was sent, so that it is sent again. */
  forget(): void {
    this.#sent.clear();
    this.#generation++;
  }

  /** Appends what is new of the metadata in `columns` through `run`. */
  take(columns: RequestColumns, body: Uint8Array, view: DataView, run: IngestRun): void {
    if (columns.metadataCount === 0) return;
    if (run.now >= this.#forgetAt || this.#sent.size > FAMILIES_MAX) {
      this.forget();
      this.#forgetAt = run.now + this.#config.epochMs;
    }
    const ranges = columns.metadataRanges;
    for (let i = 0; i < columns.metadataCount; i++) {
      const at = 6 * i;
      const type = columns.metadataTypes[i]!;
      const help = hashRange(view, ranges[at + 2]!, ranges[at + 3]!, this.#generation + type);
      const hash = hashRange(view, ranges[at + 4]!, ranges[at + 5]!, help) || 1;
      const index = columns.metadataSeries[i]!;
      const series = index < 0 ? -1 : columns.seriesIds[index]!;
      if (series >= 0 && run.table.metadataOf[series] === hash) continue;
      if (series >= 0) run.table.metadataOf[series] = hash;
      this.#takeNew({ type, hash, series, body, ranges, at }, run);
    }
  }

  #takeNew(entry: MetadataEntry, run: IngestRun): void {
    const scratch = this.#scratch;
    const { type, hash, series, body, ranges, at } = entry;
    scratch.clear();
    const familyBytes =
      series >= 0 ? this.#familyOf(series, type, run) : body.subarray(ranges[at], ranges[at + 1]);
    scratch.raw(familyBytes);
    const family = scratch.length;
    const { labelNameBytesMax, helpBytesMax } = this.#config;
    const helpLength = ranges[at + 3]! - ranges[at + 2]!;
    const unitLength = ranges[at + 5]! - ranges[at + 4]!;
    if (
      family === 0 ||
      family > labelNameBytesMax ||
      helpLength > helpBytesMax ||
      unitLength > labelNameBytesMax
    ) {
      run.metadataRejected++;
      return;
    }
    scratch.raw(body.subarray(ranges[at + 2], ranges[at + 3]));
    scratch.raw(body.subarray(ranges[at + 4], ranges[at + 5]));
    if (!isUtf8(scratch.written())) {
      run.metadataRejected++;
      return;
    }
    const key = new TextDecoder().decode(scratch.bytes.subarray(0, family));
    if (this.#sent.get(key) === hash) return;
    this.#sent.set(key, hash);
    this.#ranges.set([0, family, family, family + helpLength, family + helpLength, scratch.length]);
    const placed = this.#hasher.hash64(scratch.bytes.subarray(0, family));
    const part = run.part(partitionOfHash(placed, run.partitions));
    part.writer.metadata(type, scratch.view, this.#ranges, run.now);
    part.metadata++;
    run.noteSerial(part);
  }

  // The metric name of a series without the suffix that its type adds.
  #familyOf(series: number, type: number, run: IngestRun): Uint8Array {
    run.table.readLabels(series, this.#labels);
    const { ranges, pairs } = this.#labels;
    const arena = run.table.arena;
    const decoder = new TextDecoder();
    for (let at = 0; at < 4 * pairs; at += 4) {
      if (decoder.decode(arena.subarray(ranges[at]!, ranges[at + 1]!)) !== '__name__') continue;
      const name = decoder.decode(arena.subarray(ranges[at + 2]!, ranges[at + 3]!));
      const suffix =
        SUFFIXES[type]?.find((ending) => name.endsWith(ending) && name.length > ending.length) ?? '';
      return arena.subarray(ranges[at + 2]!, ranges[at + 3]! - suffix.length);
    }
    return arena.subarray(0, 0);
  }
}

interface MetadataEntry {
  readonly type: number;
  readonly hash: number;
  readonly series: number;
  readonly body: Uint8Array;
  readonly ranges: Uint32Array;
  readonly at: number;
}
