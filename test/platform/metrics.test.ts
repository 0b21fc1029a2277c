import { describe, expect, it } from 'vitest';
import { createMetrics } from '../../src/platform/metrics.ts';

describe('metrics', () => {
  it('gives the same metric when asked again for a name', async () => {
    const metrics = createMetrics({ withProcess: false });
    metrics.counter('skein_things_total', 'Things.', ['kind']).add(2, { kind: 'a' });
    metrics.counter('skein_things_total', 'Things.', ['kind']).add(1, { kind: 'a' });
    metrics.counter('skein_plain_total', 'Plain.').add();
    const { text, contentType } = await metrics.expose();
    expect(contentType).toContain('text/plain');
    expect(text).toContain('# HELP skein_things_total Things.');
    expect(text).toContain('# TYPE skein_things_total counter');
    expect(text).toContain('skein_things_total{kind="a"} 3');
    expect(text).toContain('skein_plain_total 1');
  });

  it('reads gauges when it is scraped, and forgets series', async () => {
    const metrics = createMetrics({ withProcess: false });
    let depth = 1;
    metrics.gauge('skein_depth', 'Depth.', ['queue'], (gauge) => {
      gauge.set(depth, { queue: 'a' });
      gauge.remove({ queue: 'b' });
    });
    depth = 7;
    const { text } = await metrics.expose();
    expect(text).toContain('skein_depth{queue="a"} 7');
    expect(text).not.toContain('queue="b"');
  });

  it('counts observations into buckets', async () => {
    const metrics = createMetrics({ withProcess: false });
    const seconds = metrics.histogram('skein_seconds', 'Seconds.', [0.1, 1]);
    for (const value of [0.05, 0.5, 5]) seconds.observe(value);
    const { text } = await metrics.expose();
    expect(text).toContain('skein_seconds_bucket{le="0.1"} 1');
    expect(text).toContain('skein_seconds_bucket{le="1"} 2');
    expect(text).toContain('skein_seconds_count 3');
  });

  it('keeps registries apart, and describes what it holds', async () => {
    const [one, other] = [createMetrics({ withProcess: false }), createMetrics({ withProcess: true })];
    one.counter('skein_a_total', 'A.', ['x']);
    expect(one.describe()).toMatchObject([
      { name: 'skein_a_total', type: 'counter', help: 'A.', labelNames: ['x'] },
    ]);
    expect((await other.expose()).text).not.toContain('skein_a_total');
    expect((await other.expose()).text).toContain('process_cpu_seconds_total');
  });
});
