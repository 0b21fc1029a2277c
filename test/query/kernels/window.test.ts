// A job computed in slices of its steps gives the bytes of the job computed at once.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { extendedRateKernel } from '../../../src/query/kernels/extended.ts';
import { RANGE_KERNELS } from '../../../src/query/kernels/range-kernels.ts';
import { START_TIME_KERNELS } from '../../../src/query/kernels/start-times.ts';
import {
  findWindows,
  type RangeKernel,
  sliceEnd,
  sliceOf,
  type WindowJob,
} from '../../../src/query/kernels/window.ts';

interface Series {
  readonly timestamps: readonly number[];
  readonly values: readonly number[];
}

function jobOf({ timestamps, values }: Series, steps: number, reach: number): WindowJob {
  const job: WindowJob = {
    timestamps: Float64Array.from(timestamps),
    values: Float64Array.from(values),
    from: new Int32Array(steps),
    to: new Int32Array(steps),
    steps,
    end: 100,
    step: 30,
    range: 90,
    evalStart: 130,
    evalStep: 30,
    output: new Float64Array(steps + 1),
    present: new Uint8Array(steps + 1),
    offset: 1,
    starts: Float64Array.from(timestamps, (time, i) => (i % 5 === 0 ? 0 : time - 10 * (i % 4))),
    overlapSeen: false,
    unevenMs: 0,
    before: reach,
    after: reach,
  };
  findWindows(job, timestamps.length);
  return job;
}

const seriesOfSamples: fc.Arbitrary<Series> = fc
  .array(fc.tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: -3, max: 20 })), { maxLength: 60 })
  .map((samples) => {
    let time = 0;
    return {
      timestamps: samples.map(([gap]) => {
        time += gap;
        return time;
      }),
      values: samples.map(([, value]) => value),
    };
  });

describe('slices of a window job', () => {
  const kernels: [string, RangeKernel, number][] = [...RANGE_KERNELS].map(([name, kernel]) => [
    name,
    kernel,
    0,
  ]);
  for (const [name, kernel] of START_TIME_KERNELS) kernels.push([`${name} by start times`, kernel, 0]);
  kernels.push(['smoothed rate', extendedRateKernel('rate', 'smoothed'), 50]);
  it.each(kernels)('%s is the same in slices', (_name, kernel, reach) => {
    fc.assert(
      fc.property(
        seriesOfSamples,
        fc.integer({ min: 1, max: 30 }),
        fc.nat(20),
        (series, steps, samplesMax) => {
          const first = Float64Array.from({ length: steps }, (_, i) => 0.1 + (0.8 * i) / steps);
          const whole = jobOf(series, steps, reach);
          kernel(whole, first, first);
          const sliced = jobOf(series, steps, reach);
          for (let start = 0, end = 0; start < steps; start = end) {
            end = sliceEnd(sliced, start, samplesMax);
            expect(end).toBeGreaterThan(start);
            kernel(sliceOf(sliced, start, end), first.subarray(start, end), first.subarray(start, end));
          }
          expect(sliced.present).toEqual(whole.present);
          for (let i = 1; i <= steps; i++)
            if (whole.present[i] === 1) expect(sliced.output[i]).toBe(whole.output[i]);
        },
      ),
    );
  });
});
