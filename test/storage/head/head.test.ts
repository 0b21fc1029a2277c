import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileMatcher } from '../../../src/codec/regex.ts';
import { xorSampleCount } from '../../../src/codec/xor-chunk.ts';
import { compareLabels } from '../../../src/model/labels.ts';
import { openHead } from '../../../src/storage/head/head.ts';
import { NO_REF } from '../../../src/storage/head/series-index.ts';
import {
  appendTo,
  bitsOf,
  HeadTwin,
  labelsOfName,
  type NamedSample,
  readFrom,
  samplesOfChunks,
} from './head-twin.ts';

const HOUR = 3_600_000;
const RANGE = 1000;
const WINDOW = 700;
const NAMES = ['a1', 'a2', 'b1', 'b2', 'c1'];

const open = (window = HOUR) => openHead({ outOfOrderWindowMs: window, seriesMax: 1_000_000 });
const steady = (series: string, from: number, step: number, count: number): NamedSample[] =>
  Array.from({ length: count }, (_, i) => [series, from + i * step, i]);

// Times wander forward with jumps back; most batches are short, some fill chunks.
type Op =
  | { kind: 'append'; batch: { series: number; forward: number; value: number }[] }
  | { kind: 'run'; series: number; step: number; count: number }
  | { kind: 'cut'; lateBatch: { series: number; back: number }[]; inUse: number[] };

const seriesIndex = fc.nat(NAMES.length - 1);
const anyOp: fc.Arbitrary<Op> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      batch: fc.array(
        fc.record({ series: seriesIndex, forward: fc.integer({ min: -900, max: 400 }), value: fc.nat(2) }),
        { minLength: 1, maxLength: 25 },
      ),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('run' as const),
      series: seriesIndex,
      step: fc.integer({ min: 1, max: 12 }),
      count: fc.integer({ min: 1, max: 300 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('cut' as const),
      lateBatch: fc.array(fc.record({ series: seriesIndex, back: fc.nat(900) }), { maxLength: 5 }),
      inUse: fc.array(seriesIndex, { maxLength: 2 }),
    }),
  },
);

describe('head', () => {
  it('holds, gives back, cuts and forgets what its plain description says, whatever comes', () => {
    fc.assert(
      fc.property(
        fc.array(anyOp, { minLength: 1, maxLength: 40 }),
        fc.constantFrom(0, WINDOW),
        (ops, window) => {
          const head = openHead({ outOfOrderWindowMs: window, chunkRangeMs: RANGE, seriesMax: 100 });
          const twin = new HeadTwin(window, RANGE);
          const append = (batch: NamedSample[]) => expect(appendTo(head, batch)).toEqual(twin.append(batch));
          for (const op of ops) {
            const now = Number.isFinite(twin.maxTime) ? twin.maxTime : 5300;
            if (op.kind === 'append')
              append(op.batch.map((s) => [NAMES[s.series]!, now + s.forward, s.value]));
            else if (op.kind === 'run') append(steady(NAMES[op.series]!, now + 1, op.step, op.count));
            else if (Number.isFinite(twin.maxTime)) {
              const end = Math.floor((twin.maxTime - RANGE / 2) / RANGE) * RANGE;
              for (const range of head.pendingRanges().filter((r) => r.end <= end)) {
                const expected = twin.cut(range.start, range.end);
                const cut = [...head.cut(range.start, range.end)];
                expect(cut.map((s) => s.labels)).toEqual(cut.map((s) => s.labels).sort(compareLabels));
                expect(new Map(cut.map((s) => [s.labels[3]!, samplesOfChunks(s.chunks)]))).toEqual(expected);
                for (const { chunks } of cut)
                  for (const [i, chunk] of chunks.entries()) {
                    expect(chunk.minTime).toBeGreaterThanOrEqual(
                      i === 0 ? range.start : chunks[i - 1]!.maxTime + 1,
                    );
                    expect(chunk.maxTime).toBeLessThan(range.end);
                  }
              }
              append(op.lateBatch.map((s) => [NAMES[s.series]!, twin.maxTime - s.back, 7]));
              const inUse = new Set(op.inUse.map((i) => NAMES[i]!).filter((name) => twin.series.has(name)));
              const refs = Uint32Array.from(inUse, (name) => head.seriesFor(labelsOfName(name)));
              const names = new Map([...twin.series.keys()].map((n) => [head.seriesFor(labelsOfName(n)), n]));
              const removed = head.truncate(end, [refs, Uint32Array.of(NO_REF)]);
              expect(Array.from(removed, (ref) => names.get(ref)!).sort()).toEqual(twin.truncate(end, inUse));
            }
            expect(head.maxTime).toBe(twin.maxTime);
            expect(head.seriesCount).toBe(twin.series.size);
          }
          for (const name of twin.series.keys()) {
            expect(readFrom(head, name)).toEqual(twin.read(name, -Infinity, Infinity));
            const [start, end] = [twin.maxTime - 800, twin.maxTime - 60];
            expect(readFrom(head, name, start, end)).toEqual(twin.read(name, start, end));
            const ref = head.seriesFor(labelsOfName(name));
            const shipped = samplesOfChunks(head.chunks(ref, start, end));
            expect(shipped.filter(([t]) => t >= start && t <= end)).toEqual(twin.read(name, start, end));
          }
        },
      ),
      { numRuns: 150 },
    );
  });

  it('takes a day-old backfill in order into a fresh head, cutting as the data goes on', () => {
    const head = open();
    const day = Math.floor(1.7e12 / 7.2e6) * 7.2e6;
    let kept = 0;
    let most = 0;
    for (let t = day; t < day + 24 * HOUR; t += 60_000) {
      const outcome = appendTo(
        head,
        NAMES.map((name): NamedSample => [name, t, t % 97]),
      );
      expect(outcome).toMatchObject({ appended: NAMES.length, outOfOrder: 0, tooOld: 0 });
      for (const range of head.pendingRanges()) {
        if (range.end + HOUR > head.maxTime) continue;
        for (const series of head.cut(range.start, range.end)) kept += samplesOfChunks(series.chunks).length;
        head.truncate(range.end);
      }
      most = Math.max(most, head.pendingRanges().length);
    }
    for (const name of NAMES) kept += readFrom(head, name).length;
    expect(kept).toBe(24 * 60 * NAMES.length);
    expect(most).toBeLessThanOrEqual(2);
  });

  it('tells duplicates, conflicts, out-of-order and too old samples apart', () => {
    const head = open();
    const now = 1.7e12;
    expect(appendTo(head, [['a', now, 1]])).toMatchObject({ appended: 1 });
    expect(appendTo(head, [['a', now, 1]])).toMatchObject({ appended: 0, duplicates: 1 });
    expect(appendTo(head, [['a', now, 2]])).toMatchObject({ conflicts: 1 });
    expect(appendTo(head, [['a', now - HOUR, 3]])).toMatchObject({ outOfOrder: 1 });
    expect(appendTo(head, [['a', now - HOUR, 3]])).toMatchObject({ duplicates: 1 });
    expect(appendTo(head, [['a', now - HOUR, 4]])).toMatchObject({ conflicts: 1 });
    expect(appendTo(head, [['a', now - HOUR - 1, 5]])).toMatchObject({ tooOld: 1 });
    expect(appendTo(head, [['b', now - HOUR, 6]])).toMatchObject({ appended: 1 });
    expect(appendTo(head, [['b', now - HOUR - 1, 6]])).toMatchObject({ tooOld: 1 });
    expect(readFrom(head, 'a')).toEqual([
      [now - HOUR, bitsOf(3)],
      [now, bitsOf(1)],
    ]);
  });

  it('keeps the payload of every NaN', () => {
    const head = open();
    const ref = head.seriesFor(['__name__', 'x']);
    const bits = Uint32Array.of(2, 0x7ff00000, 1, 0x7ff80000, 0xdeadbeef, 0xfff80001);
    const outcome = appendTo(head, []);
    head.append(new Uint32Array(3).fill(ref), Float64Array.of(1, 2, 3), bits, 3, outcome);
    const chunk = head.chunks(ref, 0, 10);
    expect(samplesOfChunks(chunk).map(([, value]) => value.toString(16))).toEqual([
      '7ff0000000000002',
      '7ff8000000000001',
      'fff80001deadbeef',
    ]);
  });

  it('spreads chunks evenly over a range as Prometheus does', () => {
    const start = Math.floor(1.7e12 / 7.2e6) * 7.2e6;
    const samplesPerChunk = (step: number, count: number): number[] => {
      const head = open();
      appendTo(head, steady('a', start, step, count));
      return head.chunks(0, 0, Infinity).map((chunk) => xorSampleCount(chunk.bytes));
    };
    expect(samplesPerChunk(15_000, 481)).toEqual([120, 120, 120, 120, 1]);
    expect(samplesPerChunk(10_000, 721)).toEqual([120, 120, 120, 120, 120, 120, 1]);
    // 2 h / 29 s make 248.3: two chunks of an hour each, not 120 + 120 + 9.
    expect(samplesPerChunk(29_000, 250)).toEqual([125, 124, 1]);
    expect(samplesPerChunk(60_000, 121)).toEqual([120, 1]);
  });

  it('keeps samples of the largest size of neighbouring series apart', () => {
    const head = openHead({ outOfOrderWindowMs: 0, chunkRangeMs: 4e9, seriesMax: 10 });
    const expected = new Map<string, unknown[]>(NAMES.map((name) => [name, []]));
    let time = 0;
    for (let i = 0; i < 400; i++) {
      time += i % 2 === 0 ? 1 : 9_000_001 + i;
      for (const name of NAMES) {
        const value = (i % 3 === 0 ? 1 : -1) * (Math.PI / (i + name.charCodeAt(0))) ** ((i % 7) * 20 - 60);
        appendTo(head, [[name, time, value]]);
        expected.get(name)!.push([time, bitsOf(value)]);
      }
    }
    for (const name of NAMES) expect(readFrom(head, name)).toEqual(expected.get(name));
  });

  it('ends a chunk before it passes 1024 bytes', () => {
    const head = open();
    let seed = 1;
    const noisy = Array.from({ length: 500 }, (_, i): NamedSample => {
      seed = (seed * 48271) % 2147483647;
      return ['a', 7.2e6 + i * 15_000 + (seed % 9000), seed / 2147483647];
    });
    appendTo(head, noisy);
    const chunks = head.chunks(0, 0, Infinity);
    expect(Math.max(...chunks.map((chunk) => chunk.bytes.length))).toBeLessThanOrEqual(1024);
    expect(samplesOfChunks(chunks)).toHaveLength(500);
  });

  it('refuses new series at the limit and counts their samples', () => {
    const head = openHead({ outOfOrderWindowMs: HOUR, seriesMax: 2 });
    const outcome = appendTo(head, [
      ['a', 1000, 1],
      ['b', 1000, 1],
      ['c', 1000, 1],
      ['a', 2000, 1],
    ]);
    expect(outcome).toMatchObject({ appended: 3, unknown: 1 });
    expect(head.seriesFor(labelsOfName('d'))).toBe(NO_REF);
    expect(head.seriesFor(labelsOfName('b'))).toBe(1);
  });

  it('keeps series that a writer still names and gives references of others to new series', () => {
    const head = open();
    appendTo(head, [
      ['a', 1000, 1],
      ['b', 1000, 1],
    ]);
    appendTo(head, [['c', 3 * 7.2e6, 1]]);
    Array.from(head.cut(0, 7.2e6));
    expect([...head.truncate(7.2e6, [Uint32Array.of(1)])]).toEqual([0]);
    expect([head.has(0), head.has(1)]).toEqual([false, true]);
    expect(head.select([compileMatcher({ name: 'id', op: '=~', value: '.+' })], 0, Infinity)).toEqual(
      Uint32Array.of(2),
    );
    expect(head.seriesFor(labelsOfName('d'))).toBe(0);
    expect(head.labels(1)).toEqual(labelsOfName('b'));
    expect([...head.truncate(7.2e6)]).toEqual([0, 1]);
    expect(head.labelValues('id', [], 0, Infinity, 0)).toEqual(['c']);
  });

  it('keeps late samples of a range that has been cut for another block', () => {
    const head = openHead({ outOfOrderWindowMs: 4 * HOUR, seriesMax: 10 });
    appendTo(head, [
      ['a', 1000, 1],
      ['a', 3 * HOUR, 2],
    ]);
    const first = [...head.cut(0, 7.2e6)];
    expect(
      appendTo(head, [
        ['a', 500, 9],
        ['a', 1000, 1],
      ]),
    ).toMatchObject({ outOfOrder: 1, late: 1, duplicates: 1 });
    expect(samplesOfChunks(first[0]!.chunks)).toEqual([[1000, bitsOf(1)]]);
    expect([...head.cut(0, 7.2e6)]).toEqual(first);
    head.truncate(7.2e6);
    expect(head.pendingRanges()).toEqual([
      { start: 0, end: 7.2e6, late: true },
      { start: 7.2e6, end: 2 * 7.2e6, late: false },
    ]);
    expect(readFrom(head, 'a')).toEqual([
      [500, bitsOf(9)],
      [3 * HOUR, bitsOf(2)],
    ]);
    const [second] = [...head.cut(0, 7.2e6)];
    expect(samplesOfChunks(second!.chunks)).toEqual([[500, bitsOf(9)]]);
    head.truncate(7.2e6);
    expect(readFrom(head, 'a')).toEqual([[3 * HOUR, bitsOf(2)]]);
  });

  it('gives memory back when ranges are truncated', () => {
    const head = open();
    const batch = (t: number) =>
      Array.from({ length: 200 }, (_, i): NamedSample => [`s${i}`, t, Math.sin(t + i)]);
    let most = 0;
    for (let t = 0; t < 20 * HOUR; t += 60_000) {
      appendTo(head, batch(t));
      for (const range of head.pendingRanges().filter((r) => r.end + HOUR <= head.maxTime)) {
        Array.from(head.cut(range.start, range.end));
        head.truncate(range.end);
      }
      if (t < 5 * HOUR) most = Math.max(most, head.memoryBytes());
    }
    expect(head.memoryBytes()).toBeLessThan(most * 1.3);
  });
});
