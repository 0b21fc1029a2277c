// The instant selector's kernel: for every step the newest sample of the left-open lookback window, unless it is a staleness
// marker (Prometheus promql/engine.go, vectorSelectorSingle).

import { isStaleAt, type SampleColumns } from '../../model/samples.ts';

/** Where and when a select kernel looks: step i looks at `reference + i * step` (ms) and `lookback` ms back. */
export interface SelectJob {
  reference: number;
  step: number;
  steps: number;
  lookback: number;
  output: Float64Array;
  present: Uint8Array;
  offset: number;
}

/** As selectInstants, with the start times of the samples in seconds, 0 where unknown. */
export function selectStarts(columns: SampleColumns, job: SelectJob): number {
  const { output, offset, steps } = job;
  const found = selectInstants(
    { ...columns, values: columns.starts ?? new Float64Array(columns.count) },
    job,
    false,
  );
  for (let i = offset; i < offset + steps; i++) output[i]! /= 1000;
  return found;
}

/** The rows of the histograms that selectInstants shows at each step; -1 for a float and where it shows nothing. */
export function selectRows(columns: SampleColumns, job: SelectJob): Int32Array {
  const { steps, step, lookback } = job;
  const { timestamps: times, rows, bits, count } = columns;
  const out = new Int32Array(steps).fill(-1);
  let reference = job.reference;
  let next = 0;
  for (let i = 0; i < steps; i++) {
    while (next < count && times[next]! <= reference) next++;
    const last = next - 1;
    if (last >= 0 && times[last]! > reference - lookback && !isStaleAt(bits, last)) out[i] = rows[last]!;
    reference += step;
  }
  return out;
}

/** Fills one row with the series' values (or, with `timestamps`, the samples' times in seconds); returns the present steps. */
export function selectInstants(columns: SampleColumns, job: SelectJob, timestamps: boolean): number {
  const { output, present, offset, steps, step, lookback } = job;
  const { timestamps: times, values, bits, count } = columns;
  let reference = job.reference;
  let next = 0;
  let found = 0;
  for (let i = 0; i < steps; i++) {
    while (next < count && times[next]! <= reference) next++;
    const last = next - 1;
    if (last < 0 || times[last]! <= reference - lookback || isStaleAt(bits, last)) {
      present[offset + i] = 0;
    } else {
      output[offset + i] = timestamps ? times[last]! / 1000 : values[last]!;
      present[offset + i] = 1;
      found++;
    }
    reference += step;
  }
  return found;
}
