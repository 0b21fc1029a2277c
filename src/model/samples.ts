// Samples as columns, floats and native histograms alike. The staleness marker is one NaN among many and is told apart by its bits
// (Prometheus model/value).

import { HistogramColumns } from './histogram.ts';
import type { HistogramRow } from './histogram-equality.ts';

/** High and low half of Prometheus's stale NaN, 0x7ff0000000000002. */
export const STALE_NAN_HIGH = 0x7ff00000;
export const STALE_NAN_LOW = 0x00000002;

/**
 * A growable run of samples of one series in time order. `timestamps` and `values` have room for more than `count`;
 * `bits` is a view of the same memory as `values` (little-endian: low half at 2i, high half at 2i+1), because a NaN's
 * payload is only safe while it is moved as integers. The value of a sample that is a histogram is its sum, so that staleness
 * markers look alike.
 */
export interface SampleColumns {
  timestamps: Float64Array;
  values: Float64Array;
  bits: Uint32Array;
  /** When the counter that each sample tells of started, ms, 0 where unknown; undefined where no sample says. */
  starts: Float64Array | undefined;
  /** The samples that are histograms; undefined where none is. */
  histograms: HistogramColumns | undefined;
  /** Per sample its row of `histograms`, -1 for a float (and behind `count`); without meaning where there are no histograms. */
  rows: Int32Array;
  /** There while the columns of floats lie in the kernels' memory: shared, good until something else is read on this thread. */
  kernels: SampleKernels | undefined;
  count: number;
}

/**
 * Kernels over columns of a fixed size in a memory of their own, shared by all that read on one thread: between reading a series and
 * using what was read nothing may wait. `from`, `to`, `output` and `present` have room for as many steps as their length says.
 */
export interface SampleKernels {
  readonly timestamps: Float64Array;
  readonly values: Float64Array;
  readonly bits: Uint32Array;
  readonly from: Int32Array;
  readonly to: Int32Array;
  readonly output: Float64Array;
  readonly present: Uint8Array;
  /**
   * Decodes an XOR chunk of `count` samples, its bits in bytes [from, to) of `view`, from index `at` of the columns on; see decodeXorAt
   * in codec/xor-chunk.ts. Returns the index behind the last sample; -1 for what it cannot read, its twin says why.
   */
  decodeXor(
    view: DataView,
    from: number,
    to: number,
    count: number,
    start: number,
    end: number,
    at: number,
  ): number;
  /** Drops staleness markers of `count` samples, fills `from` and `to` for windows (end - range, end]; returns the samples left. */
  findWindows(count: number, steps: number, end: number, step: number, range: number): number;
  /** rate, increase or delta of the windows found, into `output` and `present`; see query/kernels/rate.ts. */
  extrapolate(
    steps: number,
    end: number,
    step: number,
    range: number,
    isCounter: boolean,
    isRate: boolean,
  ): void;
}

/** Empty columns in the kernels' memory. */
export function kernelColumns(kernels: SampleKernels): SampleColumns {
  const { timestamps, values, bits } = kernels;
  return { ...sampleColumns(0), timestamps, values, bits, kernels };
}

/** Moves columns out of the kernels' memory, if they are there: for what takes more than a moment, or has more than floats. */
export function detachColumns(columns: SampleColumns): void {
  if (columns.kernels === undefined) return;
  const { timestamps, bits, count } = columns;
  const own = sampleColumns(Math.max(OWN_MIN, count));
  own.timestamps.set(timestamps.subarray(0, count));
  own.bits.set(bits.subarray(0, 2 * count));
  columns.timestamps = own.timestamps;
  columns.values = own.values;
  columns.bits = own.bits;
  columns.kernels = undefined;
}

const OWN_MIN = 512;

/** Makes empty columns with room for `capacity` samples. */
export function sampleColumns(capacity: number): SampleColumns {
  const values = new Float64Array(capacity);
  const bits = new Uint32Array(values.buffer);
  const timestamps = new Float64Array(capacity);
  return {
    timestamps,
    values,
    bits,
    starts: undefined,
    histograms: undefined,
    rows: NO_ROWS,
    kernels: undefined,
    count: 0,
  };
}

const NO_ROWS = new Int32Array(0);

/** Forgets all samples; keeps the memory of floats. */
export function clearSamples(columns: SampleColumns): void {
  columns.count = 0;
  columns.starts = undefined;
  columns.histograms = undefined;
}

/** Sample `index` of `source` as a histogram; undefined for a float. Borrowed. */
export function histogramAt(source: SampleColumns, index: number): HistogramRow | undefined {
  if (source.histograms === undefined || source.rows[index]! < 0) return undefined;
  return { columns: source.histograms, row: source.rows[index]! };
}

/** Appends sample `index` of `source` with all that belongs to it. */
export function pushSample(target: SampleColumns, source: SampleColumns, index: number): void {
  const at = target.count;
  const start = source.starts?.[index] ?? 0;
  const histogram = histogramAt(source, index);
  // What is opened may move the columns: first.
  if (start !== 0) startsOf(target);
  const row = histogram === undefined ? -1 : histogramsOf(target).copyRow(histogram.columns, histogram.row);
  growColumns(target, at + 1);
  target.timestamps[at] = source.timestamps[index]!;
  target.bits[2 * at] = source.bits[2 * index]!;
  target.bits[2 * at + 1] = source.bits[2 * index + 1]!;
  if (target.starts !== undefined) target.starts[at] = start;
  if (row >= 0) target.rows[at] = row;
  target.count = at + 1;
}

/** The columns' histograms, opened where there were none. */
export function histogramsOf(columns: SampleColumns): HistogramColumns {
  if (columns.histograms !== undefined) return columns.histograms;
  detachColumns(columns);
  if (columns.rows.length < columns.values.length) columns.rows = new Int32Array(columns.values.length);
  columns.rows.fill(-1);
  columns.histograms = new HistogramColumns();
  return columns.histograms;
}

/** Appends the row of `columns.histograms` begun last as a sample. */
export function pushHistogram(columns: SampleColumns, histograms: HistogramColumns, timestamp: number): void {
  const at = columns.count;
  growColumns(columns, at + 1);
  const row = histograms.count - 1;
  columns.timestamps[at] = timestamp;
  columns.bits[2 * at] = histograms.sumBits[2 * row]!;
  columns.bits[2 * at + 1] = histograms.sumBits[2 * row + 1]!;
  columns.rows[at] = row;
  columns.count = at + 1;
}

/** Grows the columns to hold at least `capacity` samples; keeps the first `count`. */
export function growColumns(columns: SampleColumns, capacity: number): void {
  if (columns.values.length >= capacity) return;
  const size = Math.max(capacity, columns.values.length * 2);
  const values = new Float64Array(size);
  const bits = new Uint32Array(values.buffer);
  bits.set(columns.bits.subarray(0, columns.count * 2));
  const timestamps = new Float64Array(size);
  timestamps.set(columns.timestamps.subarray(0, columns.count));
  if (columns.starts !== undefined) {
    const starts = new Float64Array(size);
    starts.set(columns.starts.subarray(0, columns.count));
    columns.starts = starts;
  }
  if (columns.histograms !== undefined) {
    const rows = new Int32Array(size).fill(-1);
    rows.set(columns.rows);
    columns.rows = rows;
  }
  columns.timestamps = timestamps;
  columns.values = values;
  columns.bits = bits;
  columns.kernels = undefined;
}

/** Whether the value at `index` of a Uint32 view over float64s is the staleness marker. */
export function isStaleAt(bits: Uint32Array, index: number): boolean {
  return bits[2 * index + 1] === STALE_NAN_HIGH && bits[2 * index] === STALE_NAN_LOW;
}

/** The columns' start timestamps, opened with "unknown" where there were none. */
export function startsOf(columns: SampleColumns): Float64Array {
  if (columns.starts !== undefined) return columns.starts;
  detachColumns(columns);
  columns.starts = new Float64Array(columns.values.length);
  return columns.starts;
}
