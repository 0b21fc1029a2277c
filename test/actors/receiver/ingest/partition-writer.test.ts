import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { INGEST_DEFAULTS } from '../../../../src/actors/receiver/ingest/config.ts';
import { createIngestor } from '../../../../src/actors/receiver/ingest/ingestor.ts';
import type { SealedFrame } from '../../../../src/actors/receiver/ingest/partition-writer.ts';
import { decodeFrame } from '../../../../src/codec/frame-reader.ts';
import { createHasher } from '../../../../src/codec/hash.ts';
import { encodeWriteRequest } from '../../../../src/codec/proto/remote-write.ts';
import { seededRandom } from '../../../../src/platform/random.ts';
import { bitsOf, Replay } from './replay.ts';

const hasher = await createHasher();
const NOW = 1_760_000_000_000;

function setup() {
  const config = { ...INGEST_DEFAULTS, partitions: 1, epochMs: 100_000 };
  const ingestor = createIngestor(config, { hasher, random: seededRandom(3) });
  let now = NOW;
  const add = (...series: number[]): void => {
    now += 1000;
    const body = encodeWriteRequest({
      timeseries: series.map((i) => ({
        labels: [{ name: '__name__', value: `m${i}` }],
        samples: [{ timestamp: NOW, value: i }],
        exemplars: [],
        histograms: [],
      })),
      metadata: [],
    });
    ingestor.ingest({ tenant: 't', protocol: 'v1', body, now, newest: () => undefined });
  };
  const take = (): SealedFrame => ingestor.writer('t', 0)!.take()!;
  return { add, take, writer: () => ingestor.writer('t', 0)!, pass: (ms: number) => (now += ms) };
}

describe('PartitionWriter', () => {
  it('defines a series again until a frame that defines it is acknowledged', () => {
    const { add, take, writer } = setup();
    const definitions = (frame: SealedFrame): number => decodeFrame(frame.bytes).definitions.length;
    add(1, 2);
    const first = take();
    add(1, 2);
    const second = take();
    expect([definitions(first), definitions(second)]).toEqual([2, 2]);
    writer().acknowledge(second.serial); // the first is still on its way: nothing is certain yet
    add(1, 2);
    const third = take();
    expect(definitions(third)).toBe(2);
    writer().acknowledge(first.serial);
    writer().acknowledge(third.serial);
    add(1, 2);
    expect(definitions(take())).toBe(0);
    expect(decodeFrame(first.bytes).definitions).toEqual(decodeFrame(third.bytes).definitions);
  });

  it('tells in each frame up to where the log has acknowledged', () => {
    const { add, take, writer } = setup();
    const frames = [1, 2, 3].map((i) => {
      add(i);
      return take();
    });
    writer().acknowledge(frames[0]!.serial);
    writer().acknowledge(frames[2]!.serial);
    add(4);
    expect(decodeFrame(take().bytes)).toMatchObject({ counter: 4, settled: 1, epoch: 0, epochFirst: 1 });
    writer().acknowledge(frames[1]!.serial);
    add(5);
    expect(decodeFrame(take().bytes)).toMatchObject({ counter: 5, settled: 3 });
  });

  it('begins a new epoch when its time is over', () => {
    const { add, take, writer, pass } = setup();
    add(1);
    writer().acknowledge(take().serial);
    pass(100_000);
    add(1);
    const frame = decodeFrame(take().bytes);
    expect(frame).toMatchObject({ counter: 2, epoch: 1, epochFirst: 2, settled: 1 });
    expect(frame.definitions.length).toBe(1);
    expect(frame.epochBegun).toBeGreaterThan(NOW + 100_000);
  });

  it('begins a new epoch when the clock jumps back', () => {
    const { add, take, writer, pass } = setup();
    add(1);
    writer().acknowledge(take().serial);
    pass(-300_000);
    add(1);
    expect(decodeFrame(take().bytes)).toMatchObject({ epoch: 1 });
  });

  it('starts over under a new writer id after a failure', () => {
    const { add, take, writer } = setup();
    add(1);
    const lost = take();
    add(2);
    writer().fail(lost.serial); // the open frame is not touched by it
    const next = take();
    expect(decodeFrame(next.bytes)).toMatchObject({ counter: 2, settled: 0 });
    add(1, 2);
    const fresh = decodeFrame(take().bytes);
    expect(fresh).toMatchObject({ counter: 1, settled: 0, epoch: 0, epochFirst: 1 });
    expect(fresh.definitions.length).toBe(2);
    expect(fresh.writer).not.toEqual(decodeFrame(lost.bytes).writer);
    writer().acknowledge(next.serial);
    expect(writer().idle).toBe(false);
  });

  it('lets a reader see that an acknowledged frame is missing', () => {
    const { add, take, writer } = setup();
    const replay = new Replay();
    for (let i = 0; i < 10; i++) {
      add(1);
      const frame = take();
      if (i !== 4) replay.apply(0, frame.bytes);
      writer().acknowledge(frame.serial);
    }
    expect(replay.gaps).toBe(1);
  });

  it('never leaves an acknowledged sample unreadable, whatever gets lost, doubled or answered late', () => {
    // Each step adds series, takes a frame, or settles the oldest frame on its way: stored, lost, or stored with its answer lost.
    const step = fc.oneof(
      fc.record({
        kind: fc.constant('add' as const),
        series: fc.array(fc.nat(6), { minLength: 1, maxLength: 5 }),
      }),
      fc.record({
        kind: fc.constantFrom(
          'send' as const,
          'stored' as const,
          'stored' as const,
          'lost' as const,
          'unsure' as const,
          'doubled' as const,
        ),
      }),
      fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(120_000) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const { add, writer, pass } = setup();
        const replay = new Replay();
        const flying: SealedFrame[] = [];
        let expected = 0;
        let repeats = 0;
        add(0);
        for (const item of steps) {
          if (item.kind === 'add') add(...item.series);
          else if (item.kind === 'wait') pass(item.ms);
          else if (item.kind === 'send') {
            const frame = writer().take();
            if (frame !== undefined) flying.push(frame);
          } else {
            const frame = flying.shift();
            if (frame === undefined) continue;
            if (item.kind !== 'lost') {
              replay.apply(0, frame.bytes);
              expected += frame.samples;
            }
            if (item.kind === 'doubled') {
              replay.apply(0, frame.bytes);
              repeats++;
            }
            if (item.kind === 'lost' || item.kind === 'unsure') writer().fail(frame.serial);
            else writer().acknowledge(frame.serial);
          }
        }
        expect(replay.samples.length).toBe(expected);
        expect([replay.undefinedRefs, replay.gaps, replay.repeats]).toEqual([0, 0, repeats]);
        for (const { labels, bits } of replay.samples) {
          expect(bits).toBe(bitsOf(Number(labels[1]!.slice(1))));
        }
      }),
      { numRuns: 300 },
    );
  });
});
