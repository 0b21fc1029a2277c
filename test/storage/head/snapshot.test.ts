import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Head, type HeadOptions, openHead } from '../../../src/storage/head/head.ts';
import { readSnapshot, SnapshotReader, writeSnapshot } from '../../../src/storage/head/snapshot.ts';
import { appendTo, labelsOfName, type NamedSample, readFrom, samplesOfChunks } from './head-twin.ts';

const options: HeadOptions = {
  outOfOrderWindowMs: 700,
  chunkRangeMs: 1000,
  seriesMax: 100,
  exemplarsMax: 5,
  metadataMax: 3,
};
const NAMES = ['a1', 'a2', 'b1', 'b2', 'c1', 'd1', 'd2'];

const bytesOf = (head: Head): Buffer => Buffer.concat([...writeSnapshot(head)]);

type Op =
  | { kind: 'batch'; samples: { series: number; forward: number; value: number }[] }
  | { kind: 'run'; series: number; count: number }
  | { kind: 'cut' };

const series = fc.nat(NAMES.length - 1);
const anyOp: fc.Arbitrary<Op> = fc.oneof(
  fc.record({
    kind: fc.constant('batch' as const),
    samples: fc.array(
      fc.record({ series, forward: fc.integer({ min: -700, max: 300 }), value: fc.double() }),
      {
        maxLength: 40,
      },
    ),
  }),
  fc.record({ kind: fc.constant('run' as const), series, count: fc.integer({ min: 1, max: 200 }) }),
  fc.record({ kind: fc.constant('cut' as const) }),
);

function run(head: Head, op: Op): unknown {
  const now = Number.isFinite(head.maxTime) ? head.maxTime : 7300;
  if (op.kind === 'batch')
    return appendTo(
      head,
      op.samples.map((s): NamedSample => [NAMES[s.series]!, now + s.forward, s.value]),
    );
  if (op.kind === 'run')
    return appendTo(
      head,
      Array.from({ length: op.count }, (_, i): NamedSample => [NAMES[op.series]!, now + i, i]),
    );
  const out: unknown[] = [];
  for (const range of head.pendingRanges().filter((r) => r.end + 500 <= head.maxTime)) {
    for (const cut of head.cut(range.start, range.end)) out.push(cut.labels, samplesOfChunks(cut.chunks));
    out.push([...head.truncate(range.end)]);
  }
  return out;
}

function observe(head: Head): unknown {
  const known = NAMES.filter((name) => head.index.find(labelsOfName(name)) !== 0xffffffff);
  return {
    read: known.map((name) => readFrom(head, name)),
    refs: known.map((name) => head.seriesFor(labelsOfName(name))),
    chunks: known.map((name) => head.chunks(head.seriesFor(labelsOfName(name)), -Infinity, Infinity)),
    ranges: head.pendingRanges(),
    stats: head.stats(10),
    values: head.labelValues('id', [], 0, 0, 0),
    times: [head.minTime, head.maxTime, head.samples.cutTime],
  };
}

describe('head snapshot', () => {
  it('gives a head that goes on exactly as if nothing had happened', () => {
    fc.assert(
      fc.property(
        fc.array(anyOp, { maxLength: 15 }),
        fc.array(anyOp, { maxLength: 15 }),
        fc.integer({ min: 1, max: 5000 }),
        (before, after, step) => {
          const head = openHead(options);
          for (const op of before) run(head, op);
          const bytes = bytesOf(head);
          const pieces: Uint8Array[] = [];
          for (let at = 0; at < bytes.length; at += step) pieces.push(bytes.subarray(at, at + step));
          const restored = readSnapshot(options, pieces);
          expect(observe(restored)).toEqual(observe(head));
          expect(bytesOf(restored).equals(bytesOf(head))).toBe(true);
          for (const op of after) expect(run(restored, op)).toEqual(run(head, op));
          expect(observe(restored)).toEqual(observe(head));
        },
      ),
      { numRuns: 150 },
    );
  });

  it('carries exemplars and metadata, with what the next one will push out', () => {
    const head = openHead(options);
    const labels = ['__name__', 'x'];
    const add = (target: Head, t: number) =>
      target.exemplars.add(labels, { labels: ['trace', `${t}`], value: t, timestamp: t });
    for (let t = 1; t <= 7; t++) add(head, t);
    for (const metric of ['a', 'b', 'c', 'd'])
      head.metadata.set(metric, { type: 'counter', help: `help of ${metric}`, unit: '' });
    const restored = readSnapshot(options, writeSnapshot(head));
    expect([...restored.exemplars.entries()]).toEqual([...head.exemplars.entries()]);
    expect(restored.metadata.list('', 0).map((entry) => entry.metric)).toEqual(['b', 'c', 'd']);
    add(head, 8);
    add(restored, 8);
    expect([...restored.exemplars.entries()]).toEqual([...head.exemplars.entries()]);
  });

  it('is refused when any byte is wrong or its end is missing', () => {
    const head = openHead(options);
    for (const op of [
      { kind: 'run', series: 0, count: 150 },
      { kind: 'batch', samples: [{ series: 0, forward: -100, value: 1 }] },
    ] as Op[])
      run(head, op);
    const bytes = bytesOf(head);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const broken = Buffer.from(bytes);
        broken[at]! ^= flip;
        expect(() => readSnapshot(options, [broken])).toThrow(/cannot read a head snapshot/);
        expect(() => readSnapshot(options, [bytes.subarray(0, at)])).toThrow(/its end is missing/);
      }),
    );
    expect(() => readSnapshot({ ...options, chunkRangeMs: 2000 }, [bytes])).toThrow(
      /chunk range is 1000 ms, not 2000/,
    );
  });

  it('notices a head that changes while it is being written', () => {
    const head = openHead(options);
    run(head, { kind: 'run', series: 0, count: 10 });
    const pieces = writeSnapshot(head);
    pieces.next();
    pieces.next();
    run(head, { kind: 'run', series: 1, count: 10 });
    expect(() => pieces.next()).toThrow(/changed while its snapshot/);
  });

  it('reads back an empty head', () => {
    const reader = new SnapshotReader(options);
    for (const piece of writeSnapshot(openHead(options))) reader.push(piece);
    const head = reader.finish();
    expect(head.seriesCount).toBe(0);
    expect(appendTo(head, [['a', 1, 1]])).toMatchObject({ appended: 1 });
  });
});
