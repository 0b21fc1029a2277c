// The WebAssembly kernels against their twins in TypeScript: the same samples, windows and results, bit by bit.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatSampleValue } from '../../src/codec/float-text.ts';
import { queryResponsePieces } from '../../src/codec/prom-json.ts';
import { decodeXor, encodeXor } from '../../src/codec/xor-chunk.ts';
import { openKernels } from '../../src/kernels/kernels.ts';
import {
  detachColumns,
  histogramsOf,
  kernelColumns,
  pushSample,
  type SampleColumns,
  sampleColumns,
  startsOf,
} from '../../src/model/samples.ts';
import { readKernelsFile } from '../../src/platform/kernels-file.ts';
import { RANGE_KERNELS } from '../../src/query/kernels/range-kernels.ts';
import { dropStale, findWindows, type WindowJob } from '../../src/query/kernels/window.ts';
import { ordered } from '../query/ordered-series.ts';

const wasm = readKernelsFile();
if (wasm === undefined) throw new Error('build/kernels.wasm is not there: npm run prepare');
const kernels = openKernels(wasm);

const STALE = [0x00000002, 0x7ff00000] as const;

interface Point {
  readonly gap: number;
  readonly value: number | 'stale';
}

const point: fc.Arbitrary<Point> = fc.record({
  gap: fc.oneof(
    { weight: 6, arbitrary: fc.constant(15_000) },
    { weight: 2, arbitrary: fc.integer({ min: 14_900, max: 15_100 }) },
    fc.integer({ min: 1, max: 100_000_000_000 }),
  ),
  value: fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: 0, max: 1000 }) },
    { weight: 2, arbitrary: fc.double() },
    fc.constantFrom<Point['value'][]>('stale', Number.NaN, 0, -0, Infinity, -Infinity, 5e-324),
  ),
});
const points = fc.array(point, { minLength: 1, maxLength: 200 });
const begin = fc.oneof(fc.constant(1_790_000_000_000), fc.integer({ min: -1e12, max: 1e12 }));

function fill(columns: SampleColumns, start: number, series: readonly Point[]): SampleColumns {
  let time = start;
  for (const { gap, value } of series) {
    const at = columns.count++;
    columns.timestamps[at] = time += gap;
    if (value === 'stale') columns.bits.set(STALE, 2 * at);
    else columns.values[at] = value;
  }
  return columns;
}

function samplesOf({ timestamps, bits, count }: SampleColumns): number[][] {
  return [[...timestamps.subarray(0, count)], [...bits.subarray(0, 2 * count)]];
}

function outcomeOf(work: () => unknown): unknown {
  try {
    return work();
  } catch (error) {
    return (error as Error).message;
  }
}

function decoded(bytes: Uint8Array, start: number, end: number, columns: SampleColumns): unknown {
  return outcomeOf(() => {
    decodeXor(bytes, start, end, columns);
    return samplesOf(columns);
  });
}

describe('kernels', () => {
  it('decode every chunk to the samples its twin decodes', () => {
    fc.assert(
      fc.property(points, begin, fc.nat(200), fc.nat(200), fc.nat(3), (series, start, from, to, before) => {
        const source = fill(sampleColumns(series.length), start, series);
        const { bytes } = encodeXor(source, 0, series.length)!;
        const low = from < series.length ? source.timestamps[from]! : Number.NEGATIVE_INFINITY;
        const high = to < series.length ? source.timestamps[to]! : Number.POSITIVE_INFINITY;
        const ahead = series.slice(0, before);
        const mine = decoded(bytes, low, high, fill(kernelColumns(kernels), 0, ahead));
        expect(mine).toEqual(decoded(bytes, low, high, fill(sampleColumns(8), 0, ahead)));
      }),
      { numRuns: 500 },
    );
  });

  it('refuse what is cut off or makes no sense as their twins do, and never read past their memory', () => {
    fc.assert(
      fc.property(
        points,
        fc.array(fc.tuple(fc.nat(3000), fc.nat(255)), { maxLength: 4 }),
        fc.nat(3000),
        (series, changes, length) => {
          const whole = encodeXor(fill(sampleColumns(series.length), 0, series), 0, series.length)!.bytes;
          const bytes = whole.slice(0, Math.min(whole.length, length));
          for (const [at, byte] of changes) if (at < bytes.length && at > 12) bytes[at] = byte;
          const mine = decoded(bytes, -1e15, 1e15, kernelColumns(kernels));
          const twins = decoded(bytes, -1e15, 1e15, sampleColumns(8));
          if (typeof twins === 'string') expect(mine).toEqual(twins);
          // Beyond 2^53 ms the twin rounds; nobody's samples are there.
          else if (isSensible(twins)) expect(mine).toEqual(twins);
        },
      ),
      { numRuns: 1000 },
    );
  });

  it('find the windows and the extrapolated results that their twins find', () => {
    const grid = fc.record({
      steps: fc.integer({ min: 1, max: 60 }),
      step: fc.constantFrom(0, 1000, 15_000, 60_000),
      range: fc.constantFrom(1, 15_000, 60_000, 300_000),
      ahead: fc.integer({ min: -300_000, max: 2_000_000 }),
    });
    fc.assert(
      fc.property(points, begin, grid, (series, start, { steps, step, range, ahead }) => {
        const twin = fill(sampleColumns(series.length), start, series);
        const mine = fill(kernelColumns(kernels), start, series);
        const job = jobOf(twin, { steps, step, range, end: start + ahead });
        const kept = dropStale(twin);
        findWindows(job, kept);
        expect(kernels.findWindows(mine.count, steps, job.end, step, range)).toBe(kept);
        mine.count = kept;
        expect(samplesOf(mine)).toEqual(samplesOf(twin));
        expect(kernels.from.subarray(0, steps)).toEqual(job.from);
        expect(kernels.to.subarray(0, steps)).toEqual(job.to);
        for (const name of ['rate', 'increase', 'delta']) {
          RANGE_KERNELS.get(name)!(job, new Float64Array(0), new Float64Array(0));
          kernels.extrapolate(steps, job.end, step, range, name !== 'delta', name === 'rate');
          expect([...kernels.present.subarray(0, steps)]).toEqual([...job.present]);
          const results = (output: Float64Array): (number | undefined)[] =>
            Array.from(job.present, (isThere, i) => (isThere === 1 ? output[i] : undefined));
          expect(results(kernels.output)).toEqual(results(job.output));
        }
      }),
      { numRuns: 500 },
    );
  });

  it('print every number as it is printed without them', () => {
    const stamps = { bytes: new DataView(new ArrayBuffer(8192)), starts: new Uint32Array(4097) };
    for (let i = 0; i <= 4096; i++) stamps.starts[i] = 2 * i;
    for (let i = 0; i < 4096; i++) stamps.bytes.setUint16(2 * i, 0x2c20); // ", "
    const bits = new BigUint64Array(4096);
    const values = new Float64Array(bits.buffer);
    const present = new Uint8Array(4096).fill(1);
    const random = fc.sample(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), { numRuns: 20_000, seed: 7 });
    const decimals = fc.sample(fc.tuple(fc.integer(), fc.integer({ min: -25, max: 25 })), {
      numRuns: 20_000,
      seed: 7,
    });
    const powers = Array.from({ length: 2046 }, (_, i) => 2 ** (i - 1074)).flatMap((v) => [
      v,
      -v * 3,
      v / 10,
    ]);
    const numbers = [
      ...[
        0,
        -0,
        Number.NaN,
        Infinity,
        -Infinity,
        5e-324,
        Number.MAX_VALUE,
        2.2250738585072014e-308,
        9e15,
        1e21,
        1e22,
      ],
      ...[
        999999999999999900000,
        1e-6,
        9.999999e-7,
        1e-7,
        0.1,
        0.5,
        100,
        123456789,
        1234567890123456800,
        2 ** 53,
        1e23,
      ],
      ...powers,
      ...decimals.map(([digits, exponent]) => digits * 10 ** exponent),
      ...random.map((one) => new Float64Array(BigUint64Array.of(one).buffer)[0]!),
    ];
    for (let from = 0; from < numbers.length; from += 4096) {
      const part = numbers.slice(from, from + 4096);
      values.set(part);
      const text = kernels.printRow({ steps: part.length, values, present }, 0, 0, stamps, 0)!;
      const expected = part.map((value) => `, ${formatSampleValue(value)}`).join('');
      expect(Buffer.from(text).toString('latin1').split(',')).toEqual(expected.split(','));
    }
  });

  it('print what is present of a row, and leave rows that are too long to others', () => {
    const value = fc.oneof(fc.integer(), fc.double());
    const row = fc.array(fc.option(value, { nil: undefined }), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 4 }), fc.nat(1e12), (rows, start) => {
        const steps = Math.max(...rows.map(({ length }) => length));
        const cells = rows.flatMap((cells) => Array.from({ length: steps }, (_, i) => cells[i]));
        const batch = {
          labels: rows.map((_, i) => ['a', String(i)]),
          steps,
          values: Float64Array.from(cells, (cell) => cell ?? 0),
          present: Uint8Array.from(cells, (cell) => (cell === undefined ? 0 : 1)),
        };
        const result = {
          value: { type: 'matrix', range: { start, end: 0, step: 1500 }, series: ordered(batch) },
          annotations: [],
        };
        const text = (printer?: typeof kernels): string =>
          Buffer.concat([...queryResponsePieces(result as never, { printer })]).toString();
        expect(text(kernels)).toBe(text());
      }),
    );
    const long = { steps: 20_000, values: new Float64Array(20_000), present: new Uint8Array(20_000) };
    const stamps = { bytes: new DataView(new ArrayBuffer(8)), starts: new Uint32Array(20_001) };
    expect(kernels.printRow(long, 0, 0, stamps, 0)).toBeUndefined();
  });

  it('leave columns that outgrow them, wait or have more than floats to a memory of their own', () => {
    const series = Array.from({ length: 3 }, (_, i) => ({ gap: 1, value: i }));
    const leaves: ((columns: SampleColumns) => void)[] = [
      detachColumns,
      histogramsOf,
      startsOf,
      (columns) => {
        const { bytes } = encodeXor(fill(sampleColumns(3), 10, series), 0, 3)!;
        for (let i = 0; i * 3 <= kernels.values.length; i++) decodeXor(bytes, -Infinity, Infinity, columns);
      },
    ];
    for (const leave of leaves) {
      const columns = fill(kernelColumns(kernels), 0, series);
      leave(columns);
      expect(columns.kernels).toBeUndefined();
      expect(columns.timestamps.buffer).not.toBe(kernels.timestamps.buffer);
      kernels.values.fill(7);
      kernels.timestamps.fill(7);
      expect([...columns.values.subarray(0, 3)]).toEqual([0, 1, 2]);
      expect([...columns.timestamps.subarray(0, 3)]).toEqual([1, 2, 3]);
    }
  });

  it('lose no sample when the one that is pushed is the first with more than a float', () => {
    const source = fill(sampleColumns(3), 0, [
      { gap: 1, value: 5 },
      { gap: 1, value: 6 },
    ]);
    startsOf(source)[1] = 1;
    const columns = kernelColumns(kernels);
    for (let i = 0; i < 2; i++) pushSample(columns, source, i);
    expect([...columns.timestamps.subarray(0, 2)]).toEqual([1, 2]);
    expect([...columns.values.subarray(0, 2)]).toEqual([5, 6]);
    expect([...columns.starts!.subarray(0, 2)]).toEqual([0, 1]);
  });

  it('say so when they are given something else', () => {
    expect(() => openKernels(new Uint8Array([1, 2, 3]))).toThrow(/cannot open the kernels/);
  });
});

function isSensible(samples: unknown): boolean {
  return (samples as number[][])[0]!.every((time) => Math.abs(time) < 2 ** 52);
}

function jobOf(
  { timestamps, values }: SampleColumns,
  { steps, step, range, end }: { steps: number; step: number; range: number; end: number },
): WindowJob {
  return {
    timestamps,
    values,
    from: new Int32Array(steps),
    to: new Int32Array(steps),
    steps,
    end,
    step,
    range,
    evalStart: end,
    evalStep: step,
    output: new Float64Array(steps),
    present: new Uint8Array(steps),
    offset: 0,
    starts: undefined,
    overlapSeen: false,
    unevenMs: 0,
    before: 0,
    after: 0,
  };
}
