// Samples as columns. The staleness marker is one NaN among many and is told apart by its bits (Prometheus model/value).

/** High and low half of Prometheus's stale NaN, 0x7ff0000000000002. */
export const STALE_NAN_HIGH = 0x7ff00000;
export const STALE_NAN_LOW = 0x00000002;

/**
 * A growable run of samples of one series in time order. `timestamps` and `values` have room for more than `count`;
 * `bits` is a view of the same memory as `values` (little-endian: low half at 2i, high half at 2i+1), because a NaN's
 * payload is only safe while it is moved as integers.
 */
export interface SampleColumns {
  timestamps: Float64Array;
  values: Float64Array;
  bits: Uint32Array;
  /** When the counter that each sample tells of started, ms, 0 where unknown; undefined where no sample says. */
  starts: Float64Array | undefined;
  count: number;
}

/** Makes empty columns with room for `capacity` samples. */
export function sampleColumns(capacity: number): SampleColumns {
  const values = new Float64Array(capacity);
  const bits = new Uint32Array(values.buffer);
  return { timestamps: new Float64Array(capacity), values, bits, starts: undefined, count: 0 };
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
  columns.timestamps = timestamps;
  columns.values = values;
  columns.bits = bits;
}

/** Whether the value at `index` of a Uint32 view over float64s is the staleness marker. */
export function isStaleAt(bits: Uint32Array, index: number): boolean {
  return bits[2 * index + 1] === STALE_NAN_HIGH && bits[2 * index] === STALE_NAN_LOW;
}
