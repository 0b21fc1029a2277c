import { describe, expect, it } from 'vitest';
import { waveValue } from '../../../src/actors/canary/wave.ts';
import { DomainError } from '../../../src/model/errors.ts';
import { seededRandom } from '../../../src/platform/random.ts';
import { type CanaryRig, openCanaryRig } from './rig.ts';

const SECOND = 1000;
const MINUTE = 60_000;
const STEP = 5000;
const LOST = 'skein_canary_lost_samples_total{window="recent"}';
const LOST_OLDER = 'skein_canary_lost_samples_total{window="older"}';
const RATIO = 'skein_canary_lost_ratio';

/** Everything that would alarm somebody; all 0 when nothing is wrong. */
async function alarms(rig: CanaryRig): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const name of [
    LOST,
    LOST_OLDER,
    RATIO,
    'skein_canary_late_samples_total',
    'skein_canary_wrong_samples_total',
    'skein_canary_doubled_samples_total',
    'skein_canary_wrong_counts_total',
    'skein_canary_found_again_samples_total',
  ]) {
    const value = await rig.metric(name);
    if (value !== 0) found[name] = value;
  }
  return found;
}

/** Virtual time, to the step, until a metric is above `above`; undefined after `limitMs`. */
async function raisedAfter(
  rig: CanaryRig,
  name: string,
  above: number,
  limitMs: number,
): Promise<number | undefined> {
  for (let passedMs = STEP; passedMs <= limitMs; passedMs += STEP) {
    await rig.clock.advance(STEP);
    if ((await rig.metric(name)) > above) return passedMs;
  }
  return undefined;
}

describe('canary', () => {
  it('finds nothing wrong where nothing is, and reads every sample it wrote', async () => {
    const rig = openCanaryRig();
    await rig.start();
    await rig.clock.advance(10 * MINUTE);
    expect(await alarms(rig)).toEqual({});
    const acknowledged = await rig.metric('skein_canary_acknowledged_samples_total');
    expect(acknowledged).toBe(rig.samples.size);
    expect(acknowledged).toBe(100 * 120);
    // Each is in the recent window for 110 s, that is in 22 readings.
    expect(await rig.metric('skein_canary_checked_samples_total{window="recent"}')).toBeGreaterThan(
      15 * acknowledged,
    );
    expect(await rig.metric('skein_canary_checked_samples_total{window="older"}')).toBeGreaterThan(2000);
    expect(await rig.metric('skein_canary_freshness_seconds')).toBeLessThan(6);
    expect(await rig.metric('skein_canary_last_check_timestamp_seconds')).toBeGreaterThan(
      rig.clock.now() / 1000 - 6,
    );
    expect(await rig.metric('skein_canary_last_write_timestamp_seconds')).toBeGreaterThan(
      rig.clock.now() / 1000 - 6,
    );
  });

  it.each([1, 2, 3, 4])(
    'raises a metric within 2 minutes when one sample of a hundred is lost (seed %i)',
    async (seed) => {
      const rig = openCanaryRig(seed);
      const random = seededRandom(seed + 1000);
      await rig.start();
      await rig.clock.advance(30 * SECOND + random.integer(5000));
      let lost = 0;
      rig.faults.onSample = () => {
        if (random.integer(100) !== 0) return true;
        lost++;
        return false;
      };
      const after = await raisedAfter(rig, RATIO, 0, 2 * MINUTE);
      expect(after).toBeDefined();
      expect(await rig.metric(LOST)).toBeGreaterThan(0);
      await rig.clock.advance(2 * MINUTE - after!);
      // 2,200 samples are looked at, so 1 % comes with a standard deviation of 0.2 %.
      const ratio = await rig.metric(RATIO);
      expect(ratio).toBeGreaterThan(0.003);
      expect(ratio).toBeLessThan(0.02);
      rig.faults.onSample = () => true;
      await rig.clock.advance(3 * MINUTE);
      expect(await rig.metric(RATIO)).toBe(0);
      expect((await rig.metric(LOST)) + (await rig.metric(LOST_OLDER))).toBe(lost);
      expect(await rig.metric('skein_canary_wrong_counts_total')).toBeGreaterThan(0);
    },
  );

  it('raises it when one series of a hundred is lost whole, and when a stored minute vanishes', async () => {
    const rig = openCanaryRig();
    await rig.start();
    await rig.clock.advance(3 * MINUTE);
    rig.faults.onSample = ({ series }) => series !== 42;
    expect(await raisedAfter(rig, RATIO, 0, 2 * MINUTE)).toBeLessThanOrEqual(20 * SECOND);

    const other = openCanaryRig();
    await other.start();
    await other.clock.advance(3 * MINUTE);
    const now = other.clock.now();
    const gone = other.samples.take(now - 90 * SECOND, now - 30 * SECOND);
    await other.clock.advance(6 * SECOND);
    expect(await other.metric(RATIO)).toBeGreaterThan(0.4);
    expect(await other.metric(LOST)).toBe(gone.length);
  });

  it('finds what vanishes from old data by looking at random', async () => {
    const rig = openCanaryRig();
    await rig.start({ 'canary.memory': '1h' });
    await rig.clock.advance(20 * MINUTE);
    const now = rig.clock.now();
    expect(rig.samples.take(now - 10 * MINUTE, now - 5 * MINUTE)).toHaveLength(6000);
    const after = await raisedAfter(rig, LOST_OLDER, 0, 20 * MINUTE);
    expect(after).toBeDefined();
    expect(await rig.metric(RATIO)).toBe(0);
  });

  it('counts altered values and doubled samples, each once', async () => {
    const rig = openCanaryRig();
    await rig.start();
    await rig.clock.advance(MINUTE);
    let altered = 0;
    let doubled = 0;
    rig.faults.onSample = (sample) => {
      if (sample.series === 7) altered++;
      if (sample.series === 7) sample.value += 2 ** -20;
      if (sample.series === 8) doubled++;
      if (sample.series === 8) sample.copies = 2;
      return true;
    };
    await rig.clock.advance(MINUTE);
    rig.faults.onSample = () => true;
    await rig.clock.advance(3 * MINUTE);
    expect(await rig.metric('skein_canary_wrong_samples_total')).toBe(altered);
    expect(await rig.metric('skein_canary_doubled_samples_total')).toBe(doubled);
    expect(await rig.metric('skein_canary_wrong_counts_total')).toBeGreaterThan(0);
    expect([altered, doubled, await rig.metric(LOST)]).toEqual([12, 12, 0]);
  });

  it.each(['header', 'warning'] as const)(
    'takes a partial answer (%s) for no loss, counts it, and checks later what it lacked',
    async (by) => {
      const rig = openCanaryRig();
      await rig.start();
      await rig.clock.advance(3 * MINUTE);
      const lastCheck = await rig.metric('skein_canary_last_check_timestamp_seconds');
      rig.faults.partial = { by, leavesOut: ({ series }) => series % 2 === 0 };
      await rig.clock.advance(5 * MINUTE);
      expect(await alarms(rig)).toEqual({});
      expect(await rig.metric('skein_canary_partial_answers_total')).toBeGreaterThan(100);
      expect(await rig.metric('skein_canary_last_check_timestamp_seconds')).toBe(lastCheck);
      // What was lost behind partial answers is found when they end.
      const [victim, ...others] = rig.samples.take(
        rig.clock.now() - 4 * MINUTE,
        rig.clock.now() - 3 * MINUTE,
      );
      expect(victim).toBeDefined();
      for (const sample of others) rig.samples.put(sample);
      rig.faults.partial = undefined;
      await rig.clock.advance(MINUTE);
      expect(await rig.metric(LOST_OLDER)).toBe(1);
    },
  );

  it('says values are wrong in partial answers, too', async () => {
    const rig = openCanaryRig();
    await rig.start();
    rig.faults.partial = { by: 'header', leavesOut: () => false };
    rig.faults.onSample = (sample) => {
      sample.value = 0.5;
      return true;
    };
    await rig.clock.advance(MINUTE);
    expect(await rig.metric('skein_canary_wrong_samples_total')).toBeGreaterThan(100);
  });

  it('takes samples that only a strong read has for late, not for lost', async () => {
    const rig = openCanaryRig();
    await rig.start();
    let hidden = 0;
    rig.faults.onSample = (sample) => {
      sample.hidden = sample.series === 3;
      if (sample.hidden) hidden++;
      return true;
    };
    await rig.clock.advance(2 * MINUTE);
    rig.faults.onSample = () => true;
    await rig.clock.advance(MINUTE);
    expect(await alarms(rig)).toEqual({ skein_canary_late_samples_total: hidden });
  });

  it('takes a loss back when the samples are readable again', async () => {
    const rig = openCanaryRig();
    await rig.start();
    await rig.clock.advance(2 * MINUTE);
    const kept = rig.samples.take(rig.clock.now() - MINUTE, rig.clock.now());
    await rig.clock.advance(30 * SECOND);
    expect(await rig.metric(LOST)).toBe(kept.length);
    for (const sample of kept) rig.samples.put(sample);
    await rig.clock.advance(10 * SECOND);
    expect(await rig.metric('skein_canary_found_again_samples_total')).toBe(kept.length);
    expect(await rig.metric(RATIO)).toBe(0);
  });
});

describe('canary and a target that is away', () => {
  const unavailable = new DomainError('unavailable', 'cannot reach it');

  it('raises no false alarm, counts failures, and has everything acknowledged in the end', async () => {
    const rig = openCanaryRig();
    await rig.start();
    await rig.clock.advance(3 * MINUTE);
    rig.faults.onWrite = () => ({ error: unavailable });
    rig.faults.onQuery = () => unavailable;
    await rig.clock.advance(7 * MINUTE);
    expect(await alarms(rig)).toEqual({});
    expect(await rig.metric('skein_canary_write_failures_total{reason="unavailable"}')).toBeGreaterThan(60);
    expect(await rig.metric('skein_canary_query_failures_total{reason="unavailable"}')).toBeGreaterThan(60);
    expect(await rig.metric('skein_canary_freshness_seconds')).toBeGreaterThan(7 * 60);
    rig.faults.onWrite = () => undefined;
    rig.faults.onQuery = () => undefined;
    await rig.clock.advance(2 * MINUTE);
    expect(await alarms(rig)).toEqual({});
    expect(rig.samples.size).toBe(100 * 12 * 12);
    expect(await rig.metric('skein_canary_acknowledged_samples_total')).toBe(rig.samples.size);
    expect(await rig.metric('skein_canary_freshness_seconds')).toBeLessThan(6);
  });

  it('finds what is lost of a retried write, though its time was read before', async () => {
    const rig = openCanaryRig();
    await rig.start();
    await rig.clock.advance(3 * MINUTE);
    rig.faults.onWrite = () => ({ status: 503 });
    await rig.clock.advance(5 * MINUTE);
    rig.faults.onWrite = () => undefined;
    const from = rig.clock.now() - 4 * MINUTE;
    rig.faults.onSample = ({ series, timeMs }) => !(series === 5 && timeMs > from && timeMs <= from + 5000);
    await rig.clock.advance(MINUTE);
    expect(await rig.metric(LOST_OLDER)).toBe(1);
    expect(await rig.metric(LOST)).toBe(0);
  });

  it('owes nothing for writes without a 2xx, whether they were stored or not', async () => {
    const rig = openCanaryRig();
    const random = seededRandom(3);
    rig.faults.onWrite = () => {
      const stores = random.integer(2) === 0;
      const kind = random.integer(4);
      if (kind === 0) return { stores, error: new DomainError('timeout', 'too late') };
      if (kind === 1) return { stores, status: 400 };
      if (kind === 2) return { stores, status: 500 };
      return undefined;
    };
    await rig.start();
    await rig.clock.advance(10 * MINUTE);
    expect(await alarms(rig)).toEqual({});
    const dropped = await rig.metric('skein_canary_dropped_samples_total{reason="refused"}');
    const acknowledged = await rig.metric('skein_canary_acknowledged_samples_total');
    expect(dropped).toBeGreaterThan(1000);
    expect(acknowledged).toBeGreaterThan(1000);
    expect(dropped + acknowledged).toBeGreaterThan(100 * 110);
  });

  it('waits as long as Retry-After asks, and gives samples up after ten minutes', async () => {
    const rig = openCanaryRig();
    await rig.start();
    rig.faults.onWrite = () => ({ status: 429, retryAfter: '30' });
    const writes = (): number => rig.requests.filter(({ method }) => method === 'POST').length;
    await rig.clock.advance(5 * MINUTE);
    expect(writes()).toBeGreaterThanOrEqual(9);
    expect(writes()).toBeLessThanOrEqual(11);
    await rig.clock.advance(15 * MINUTE);
    rig.faults.onWrite = () => undefined;
    await rig.clock.advance(MINUTE);
    const expired = await rig.metric('skein_canary_dropped_samples_total{reason="expired"}');
    expect(expired).toBeGreaterThan(100 * 12 * 9);
    expect(await rig.metric('skein_canary_acknowledged_samples_total')).toBe(100 * 12 * 21 - expired);
    expect(await alarms(rig)).toEqual({});
  });

  it('counts answers it cannot read', async () => {
    const rig = openCanaryRig();
    rig.faults.onQuery = () => 200;
    await rig.start();
    await rig.clock.advance(MINUTE);
    expect(await rig.metric('skein_canary_query_failures_total{reason="corrupt"}')).toBeGreaterThan(10);
    expect(await alarms(rig)).toEqual({});
  });
});

describe('canary that is started again', () => {
  it.each(['stopped', 'killed'])(
    'raises no false alarm when it was %s, and goes on with what it was owed',
    async (how) => {
      const rig = openCanaryRig();
      const first = await rig.start();
      await rig.clock.advance(4 * MINUTE + 17 * SECOND);
      if (how === 'stopped') await first.stop();
      else rig.kill();
      const firstLifeEnd = rig.clock.now();
      await rig.clock.advance(40 * SECOND);
      await rig.start();
      await rig.clock.advance(5 * MINUTE);
      expect(await alarms(rig)).toEqual({});
      // What was acknowledged in its first life is still looked for.
      rig.samples.take(0, firstLifeEnd);
      expect(await raisedAfter(rig, LOST_OLDER, 0, 10 * MINUTE)).toBeDefined();
    },
  );

  it('finds what was lost while it was away', async () => {
    const rig = openCanaryRig();
    const first = await rig.start();
    await rig.clock.advance(4 * MINUTE);
    await first.stop();
    const gone = rig.samples.take(rig.clock.now() - 10 * SECOND, rig.clock.now() + 1);
    expect(gone).toHaveLength(300);
    await rig.clock.advance(5 * MINUTE);
    await rig.start();
    await rig.clock.advance(30 * SECOND);
    expect(await rig.metric(LOST_OLDER)).toBe(gone.length);
  });

  it('forgets what was about other settings', async () => {
    const rig = openCanaryRig();
    const first = await rig.start({ 'canary.series': '50' });
    await rig.clock.advance(4 * MINUTE);
    await first.stop();
    await rig.start({ 'canary.series': '100' });
    await rig.clock.advance(8 * MINUTE);
    expect(await alarms(rig)).toEqual({});
  });

  it('starts without a memory that is damaged', async () => {
    const rig = openCanaryRig();
    await rig.disk.writeFile('canary-ledger', new Uint8Array([0xc1, 1, 2, 3]));
    await rig.start();
    await rig.clock.advance(MINUTE);
    expect(await alarms(rig)).toEqual({});
    expect(await rig.metric('skein_canary_acknowledged_samples_total')).toBeGreaterThan(1000);
  });

  it('is refused where it could neither write nor read', async () => {
    const rig = openCanaryRig();
    await expect(rig.start({ 'canary.write_url': '' })).rejects.toThrow(/canary.write_url.*no receiver/);
  });
});

describe('wave', () => {
  it('has values of its own for every series, exact as decimals', () => {
    const timeMs = Date.UTC(2026, 10, 23);
    const values = Array.from({ length: 1000 }, (_, series) => waveValue(series, timeMs));
    expect(new Set(values).size).toBe(1000);
    for (const [series, value] of values.entries()) {
      expect(Math.abs(value)).toBeLessThanOrEqual(series + 1);
      expect(Number.isInteger(value * 2 ** 20)).toBe(true);
      expect(waveValue(series, timeMs + 5000)).not.toBe(value);
    }
  });
});
