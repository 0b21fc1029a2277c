import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OTHER_TENANTS, REFUSED_TENANTS_MAX, shardMetrics } from '../../../src/actors/shard/metrics.ts';
import { Refusals } from '../../../src/actors/shard/refusals.ts';
import type { DecodedFrame } from '../../../src/codec/frame.ts';
import { labelsOf } from '../../../src/model/labels.ts';
import type { Refusal } from '../../../src/model/refusal.ts';
import { createMetrics } from '../../../src/platform/metrics.ts';
import { appendOutcome } from '../../../src/storage/head/append-outcome.ts';
import { type Head, openHead } from '../../../src/storage/head/head.ts';
import { createMemoryDisk } from '../../bus/local/memory-disk.ts';
import { createVirtualClock } from '../../helpers/virtual-clock.ts';
import { openShardRig } from './rig.ts';

const HOUR = 3_600_000;
const T0 = Date.UTC(2025, 11, 31);

type Sample = readonly [series: number, time: number, value: number];

function frameOf(samples: readonly Sample[]): DecodedFrame {
  const values = Float64Array.from(samples, ([, , value]) => value);
  return {
    count: samples.length,
    refs: Uint32Array.from(samples, ([series]) => series),
    timestamps: Float64Array.from(samples, ([, time]) => time),
    values,
    bits: new Uint32Array(values.buffer),
  } as unknown as DecodedFrame;
}

/** A head with three series, refused samples of which are noted. */
function open(): { head: Head; append: (samples: readonly Sample[]) => Refusal[] } {
  const head = openHead({ outOfOrderWindowMs: HOUR, seriesMax: 3 });
  for (const i of ['0', '1', '2']) head.seriesFor(labelsOf({ __name__: 'm', i }));
  const options = { partition: 4, seriesMax: 3, outOfOrderWindowMs: HOUR, clock: createVirtualClock() };
  const refusals = new Refusals(options);
  return {
    head,
    append(samples) {
      const frame = frameOf(samples);
      const outcome = appendOutcome();
      const newest = head.maxTime;
      head.append(frame.refs, frame.timestamps, frame.bits, frame.count, outcome);
      const counts = { too_old: outcome.tooOld, duplicate_timestamp: outcome.conflicts, series_limit: 0 };
      refusals.note({ frame, count: frame.count, newest }, counts, head);
      return refusals.list();
    },
  };
}

describe('refusals', () => {
  it('name series, time and value of a sample that has another value already', () => {
    const { append } = open();
    append([[1, T0, 5]]);
    expect(append([[1, T0, 5]])).toEqual([]);
    expect(
      append([
        [1, T0, 6],
        [1, T0 + 1, 6],
      ]),
    ).toMatchObject([
      {
        reason: 'duplicate_timestamp',
        samples: 1,
        lastError: 'cannot append 6 at 2025-12-31T00:00:00.000Z to m{i="1"}: it has 5 at that time already',
      },
    ]);
  });

  it('name a sample that is too old, and the newest sample that makes it so', () => {
    const { append } = open();
    append([[0, T0 + 3 * HOUR, 1]]);
    expect(append([[2, T0, -0.5]])).toMatchObject([
      {
        reason: 'too_old',
        samples: 1,
        lastError:
          'cannot append -0.5 at 2025-12-31T00:00:00.000Z to m{i="2"}: out of order and more than 3600 s ' +
          '(shard.out_of_order_window) older than the newest sample of the tenant in partition 4, 2025-12-31T03:00:00.000Z',
      },
    ]);
  });

  it('name a sample that was refused, whatever else the frame holds', () => {
    const sample = fc.tuple(fc.nat(2), fc.nat(16), fc.nat(2));
    fc.assert(
      fc.property(fc.array(fc.array(sample, { minLength: 1, maxLength: 12 }), { maxLength: 8 }), (frames) => {
        const { append } = open();
        const stored = new Map<string, number>();
        let newest: number | undefined;
        const refused = { too_old: [] as string[], duplicate_timestamp: [] as string[] };
        let last: Refusal[] = [];
        for (const frame of frames) {
          const samples = frame.map(
            ([series, quarter, value]): Sample => [series, T0 + (quarter * HOUR) / 4, value],
          );
          const before = newest ?? samples[0]![1];
          for (const [series, time, value] of samples) {
            const key = `${series} ${time}`;
            const text = `cannot append ${value} at ${new Date(time).toISOString()} to m{i="${series}"}:`;
            if (time < before - HOUR) refused.too_old.push(text);
            else if (!stored.has(key)) stored.set(key, value);
            else if (stored.get(key) !== value) refused.duplicate_timestamp.push(text);
            newest = Math.max(newest ?? before, time);
          }
          last = append(samples);
        }
        for (const { reason, samples, lastError } of last) {
          const texts = reason === 'series_limit' ? [] : refused[reason];
          expect(samples).toBe(texts.length);
          expect(
            texts.some((text) => lastError.startsWith(text)),
            `${reason}: ${lastError}`,
          ).toBe(true);
        }
        expect(last).toHaveLength(Object.values(refused).filter((texts) => texts.length > 0).length);
      }),
      { numRuns: 300 },
    );
  });

  it('name the series that found no place', () => {
    const refusals = new Refusals({
      partition: 4,
      seriesMax: 3,
      outOfOrderWindowMs: 0,
      clock: createVirtualClock(),
    });
    refusals.noteSeries(labelsOf({ __name__: 'm', long: 'x'.repeat(10_000) }));
    refusals.note(
      { frame: frameOf([[9, T0, 1]]), count: 1, newest: T0 },
      { too_old: 0, duplicate_timestamp: 0, series_limit: 1 },
      open().head,
    );
    const [{ lastError, samples }] = refusals.list() as [Refusal];
    expect(samples).toBe(1);
    expect(lastError).toMatch(/^cannot add m\{long="x{400,}…: the tenant has 3 series \(shard\.series_max\)/);
    expect(lastError.length).toBeLessThan(700);
  });

  it('are counted for so many tenants by name, and for the others together', async () => {
    const metrics = createMetrics({ withProcess: false });
    const { countRefused } = shardMetrics(metrics, 3);
    for (let i = 0; i < REFUSED_TENANTS_MAX + 50; i++) countRefused(`t${i}`, 'too_old', 2);
    countRefused('t0', 'too_old', 1);
    const { text } = await metrics.expose();
    const rows = text.split('\n').filter((line) => line.startsWith('skein_shard_samples_refused_total{'));
    expect(rows).toHaveLength(REFUSED_TENANTS_MAX + 1);
    expect(rows).toContain('skein_shard_samples_refused_total{partition="3",tenant="t0",reason="too_old"} 3');
    expect(rows).toContain(
      `skein_shard_samples_refused_total{partition="3",tenant="${OTHER_TENANTS}",reason="too_old"} 100`,
    );
  });

  it('of a partition are answered by its shard, and again after a restart from its snapshot', async () => {
    const rig = await openShardRig();
    const disk = createMemoryDisk();
    const shard = await rig.start('a', disk);
    await rig.write([T0 + 5 * HOUR]);
    await rig.write([T0, T0 + HOUR]);
    await rig.clock.advance(2000);
    const refused = await rig.refusals('a');
    // Two series each.
    expect(refused).toMatchObject([{ reason: 'too_old', samples: 4 }]);
    expect(refused[0]!.lastError).toContain('to m{i="b"}');
    await rig.driven(shard.stop());
    await rig.start('a', disk);
    await rig.clock.advance(2000);
    expect(await rig.refusals('a')).toEqual(refused);
  });
});
