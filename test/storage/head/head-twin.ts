// The naive twin of a head: maps of BigInt samples and the rules of acceptance in a dozen lines. And helpers of head tests.

import type { Chunk } from '../../../src/codec/chunk.ts';
import { decodeXor } from '../../../src/codec/xor-chunk.ts';
import { type SampleColumns, sampleColumns } from '../../../src/model/samples.ts';
import { type AppendOutcome, appendOutcome } from '../../../src/storage/head/append-outcome.ts';
import type { Head } from '../../../src/storage/head/head.ts';

export type Sample = readonly [time: number, bits: bigint];
/** A sample of a series known by a short name. */
export type NamedSample = readonly [series: string, time: number, value: number];

export function bitsOf(value: number): bigint {
  return new BigUint64Array(new Float64Array([value]).buffer)[0]!;
}

export function labelsOfName(series: string): string[] {
  return ['__name__', `metric_${series[0]}`, 'id', series];
}

export function samplesOf(columns: SampleColumns): Sample[] {
  return Array.from({ length: columns.count }, (_, i) => [
    columns.timestamps[i]!,
    (BigInt(columns.bits[2 * i + 1]!) << 32n) | BigInt(columns.bits[2 * i]!),
  ]);
}

export function samplesOfChunks(chunks: readonly Chunk[]): Sample[] {
  const columns = sampleColumns(1);
  for (const chunk of chunks) decodeXor(chunk.bytes, -Infinity, Infinity, columns);
  return samplesOf(columns);
}

/** Appends to a head through seriesFor, as one batch. */
export function appendTo(head: Head, samples: readonly NamedSample[]): AppendOutcome {
  const values = new Float64Array(samples.map(([, , value]) => value));
  const refs = Uint32Array.from(samples, ([series]) => head.seriesFor(labelsOfName(series)));
  const outcome = appendOutcome();
  const times = Float64Array.from(samples, ([, time]) => time);
  head.append(refs, times, new Uint32Array(values.buffer), samples.length, outcome);
  return outcome;
}

export function readFrom(
  head: Head,
  series: string,
  start: number = -Infinity,
  end: number = Infinity,
): Sample[] {
  const columns = sampleColumns(1);
  head.read(head.seriesFor(labelsOfName(series)), start, end, columns);
  return samplesOf(columns);
}

interface TwinSeries {
  readonly samples: Map<number, bigint>;
  /** Times that are in a block already. */
  readonly sealed: Set<number>;
  last: number;
}

export class HeadTwin {
  readonly series: Map<string, TwinSeries> = new Map();
  maxTime: number = -Infinity;
  cutTime: number = -Infinity;
  readonly window: number;
  readonly range: number;

  constructor(window: number, range: number) {
    this.window = window;
    this.range = range;
  }

  append(samples: readonly NamedSample[]): AppendOutcome {
    const outcome = appendOutcome();
    if (this.maxTime === -Infinity && samples.length > 0) this.maxTime = samples[0]![1];
    const newest = this.maxTime;
    const from = Math.max(newest - this.range / 2, this.cutTime);
    for (const [name, time, value] of samples) {
      let one = this.series.get(name);
      if (!one) this.series.set(name, (one = { samples: new Map(), sealed: new Set(), last: -Infinity }));
      const bits = bitsOf(value);
      const inOrder = time >= from && time > one.last;
      const known = one.samples.get(time);
      if (
        !inOrder &&
        !(time >= from && time === one.last) &&
        (this.window === 0 || time < newest - this.window)
      )
        outcome.tooOld++;
      else if (known !== undefined) outcome[known === bits ? 'duplicates' : 'conflicts']++;
      else {
        one.samples.set(time, bits);
        if (inOrder) {
          one.last = time;
          outcome.appended++;
        } else {
          outcome.outOfOrder++;
          if (time < this.cutTime) outcome.late++;
        }
        this.maxTime = Math.max(this.maxTime, time);
      }
    }
    return outcome;
  }

  /** Seals what is there before `end`, and tells it. */
  cut(start: number, end: number): Map<string, Sample[]> {
    const out = new Map<string, Sample[]>();
    for (const [name, one] of this.series) {
      const inside = this.read(name, start, end - 1);
      for (const [time] of inside) one.sealed.add(time);
      if (inside.length > 0) out.set(name, inside);
    }
    this.cutTime = Math.max(this.cutTime, end);
    return out;
  }

  truncate(time: number, inUse: ReadonlySet<string>): string[] {
    const removed: string[] = [];
    for (const [name, one] of this.series) {
      for (const sealed of one.sealed) {
        if (sealed >= time) continue;
        one.samples.delete(sealed);
        one.sealed.delete(sealed);
      }
      if (one.samples.size > 0 || inUse.has(name)) continue;
      this.series.delete(name);
      removed.push(name);
    }
    this.cutTime = Math.max(this.cutTime, time);
    this.maxTime = Math.max(this.maxTime, time);
    return removed.sort();
  }

  read(name: string, start: number, end: number): Sample[] {
    return [...(this.series.get(name)?.samples ?? [])]
      .filter(([time]) => time >= start && time <= end)
      .sort(([a], [b]) => a - b);
  }
}
