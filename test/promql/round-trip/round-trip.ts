// The way of a sample through a shard: remote write 2.0 → receiver → frame → log → head → block → query. What comes back is compared
// with what was written bit by bit, from the head and from blocks.

import { encodeWriteRequestV2 } from '../../../src/codec/proto/remote-write.ts';
import { HistogramColumns, RESET_HINT } from '../../../src/model/histogram.ts';
import { type HistogramRow, histogramsEqual } from '../../../src/model/histogram-equality.ts';
import { compareText } from '../../../src/model/text.ts';
import type { RawColumns } from '../../../src/query/source.ts';
import { openShardRig, type ShardRig } from '../../actors/shard/rig.ts';
import { createMemoryDisk } from '../../bus/local/memory-disk.ts';
import {
  isStaleMarker,
  type WrittenSample,
  type WrittenSeries,
  writeRequests,
} from '../../helpers/write-requests.ts';

/** What came of series that were written and read again. */
export interface RoundTrip {
  /** Native histograms that came back as they were, from the head and from blocks. */
  readonly histograms: number;
  /** What did not, as sentences. */
  readonly differences: readonly string[];
  /** What the receiver refused, in its words. */
  readonly refused: readonly string[];
}

const HOUR = 3_600_000;
/** Width of the ranges of blocks. */
const RANGE = 2 * HOUR;
/** Samples are written in requests of so much time. */
const SLICE = HOUR / 2;
/** The label that tells the series of a round trip apart from what makes the shard cut blocks. */
const ROUND = 'round_trip';

/** Writes the series, whose times count from 0, and reads them again. Every series needs a `__name__`. */
export async function roundTrip(series: readonly WrittenSeries[]): Promise<RoundTrip> {
  const rig = await openShardRig();
  const span = Math.max(0, ...series.flatMap(({ samples }) => samples.map(({ time }) => time)));
  const begin = Math.floor((rig.clock.now() - span - 8 * RANGE) / RANGE) * RANGE;
  const end = begin + span;
  const moved = series.map(({ labels, samples }) => ({
    labels: [...labels, [ROUND, 'yes'] as const],
    samples: samples.map((sample) => ({ ...sample, time: sample.time + begin })),
  }));
  const shard = await rig.start('one', createMemoryDisk());
  const refused: string[] = [];
  for (let from = begin; from <= end; from += SLICE) refused.push(...(await write(rig, slice(moved, from))));
  await rig.clock.advance(1000);
  const read = async (): Promise<readonly RawColumns[]> =>
    rig.askRaw(`{${ROUND}="yes"}[${span + 2}ms]`, end + 1);
  const differences = differencesOf(moved, await read(), 'head');
  // Time goes on: everything is cut into blocks, the log gives it up, and a process that has nothing takes over.
  for (let time = end; time < end + 6 * RANGE; time += SLICE) {
    await write(rig, [{ labels: [['__name__', 'later']], samples: [{ time, value: 1 }] }]);
    await rig.clock.advance(10_000);
  }
  await rig.clock.advance(120_000);
  const { first } = await rig.wal.bounds();
  if ((await blockCount(rig)) === 0 || first === 1) differences.push('no block was made');
  await rig.driven(shard.stop());
  const other = await rig.start('two', createMemoryDisk());
  differences.push(...differencesOf(moved, await read(), 'block'));
  await rig.driven(other.stop());
  const histograms = moved.flatMap(({ samples }) => samples.filter(({ value }) => typeof value !== 'number'));
  return { histograms: histograms.length, differences, refused };
}

async function blockCount(rig: ShardRig): Promise<number> {
  let count = 0;
  for await (const { key } of rig.objects.list('')) if (key.endsWith('/meta.json')) count++;
  return count;
}

function slice(series: readonly WrittenSeries[], from: number): WrittenSeries[] {
  return series
    .map(({ labels, samples }) => ({
      labels,
      samples: samples.filter(({ time }) => time >= from && time < from + SLICE),
    }))
    .filter(({ samples }) => samples.length > 0);
}

async function write(rig: ShardRig, series: readonly WrittenSeries[]): Promise<string[]> {
  const errors: string[] = [];
  for (const request of writeRequests(series))
    errors.push(...(await rig.writeRequest('v2', encodeWriteRequestV2(request))));
  await rig.clock.advance(100);
  return errors;
}

function differencesOf(
  written: readonly WrittenSeries[],
  read: readonly RawColumns[],
  where: string,
): string[] {
  const found = new Map(read.map((one) => [keyOf(pairs(one.labels)), one]));
  const differences: string[] = [];
  for (const { labels, samples } of written) {
    const key = keyOf(labels);
    const columns = found.get(key);
    // Ranges do not show staleness markers.
    const wanted = samples.filter(({ value }) => !isMarker(value));
    const count = columns?.timestamps.length ?? 0;
    if (count !== wanted.length)
      differences.push(`${where}: ${key} has ${count} samples, not ${wanted.length}`);
    else
      wanted.forEach((sample, i) => {
        if (!sameSample(sample, columns!, i)) differences.push(`${where}: ${key} differs at ${sample.time}`);
      });
  }
  return differences;
}

function isMarker(value: WrittenSample['value']): boolean {
  return isStaleMarker(typeof value === 'number' ? value : value.columns.sums[value.row]!);
}

function sameSample({ time, value }: WrittenSample, columns: RawColumns, index: number): boolean {
  if (columns.timestamps[index] !== time) return false;
  const row = columns.histograms?.rows[index] ?? -1;
  if (typeof value === 'number' || row < 0)
    return typeof value === 'number' && row < 0 && Object.is(value, columns.values[index]);
  const found: HistogramRow = { columns: columns.histograms!.columns, row };
  return histogramsEqual(value, found) && isGauge(value) === isGauge(found);
}

// What else is known of counter resets chunks decide anew.
function isGauge({ columns, row }: HistogramRow): boolean {
  return columns.hints[row] === RESET_HINT.gauge;
}

function pairs(labels: readonly string[]): [string, string][] {
  return Array.from({ length: labels.length / 2 }, (_, i) => [labels[2 * i]!, labels[2 * i + 1]!]);
}

function keyOf(labels: WrittenSeries['labels']): string {
  const sorted = [...labels].sort(([a], [b]) => compareText(a, b));
  return `{${sorted.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(', ')}}`;
}

/** A copy of a series whose float histograms are integer ones; undefined where some count is none, or not the sum of its buckets. */
export function asIntegers({ labels, samples }: WrittenSeries): WrittenSeries | undefined {
  const copies = samples.map((sample) => {
    if (typeof sample.value === 'number') return sample;
    const columns = new HistogramColumns(1);
    const row = columns.copyRow(sample.value.columns, sample.value.row);
    columns.floats[row] = 0;
    const { counts, zeroCounts, buckets, bucketStarts } = columns;
    const all = [counts[row]!, zeroCounts[row]!, ...buckets.slice(bucketStarts[row], bucketStarts[row + 1])];
    const [total = 0, ...parts] = all;
    const isWhole = all.every((count) => Number.isInteger(count) && count >= 0);
    return isWhole && total === parts.reduce((sum, count) => sum + count, 0)
      ? { ...sample, value: { columns, row } }
      : undefined;
  });
  const whole = copies.filter((sample) => sample !== undefined);
  return whole.length === copies.length
    ? { labels: [...labels, ['kind', 'integer']], samples: whole }
    : undefined;
}
