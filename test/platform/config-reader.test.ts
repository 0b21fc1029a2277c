import { describe, expect, it } from 'vitest';
import { SETTINGS } from '../../src/platform/config.ts';
import { configText, readConfig } from '../../src/platform/config-reader.ts';

const file = (text: string) => ({ file: { name: 'skein.yml', text } });
const complaint = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    return (error as Error).message;
  }
  return 'no complaint';
};

describe('configuration', () => {
  it('fills in every default', () => {
    const config = readConfig({});
    expect(config.process.listen).toBe('127.0.0.1:9095');
    expect(config.query.timeout).toBe(120_000);
    expect(config.receiver.frame_bytes).toBe(128 * 1024);
  });

  it('takes flags over the environment over the file', () => {
    const config = readConfig({
      ...file('query:\n  timeout: 30s\n  lookback_delta: 1m\n  samples_max: 7\n'),
      environment: { SKEIN_QUERY_TIMEOUT: '40s', SKEIN_QUERY_LOOKBACK_DELTA: '2m' },
      flags: { 'query.timeout': '50s' },
    });
    expect([config.query.timeout, config.query.lookback_delta, config.query.samples_max]).toEqual([
      50_000, 120_000, 7,
    ]);
  });

  it('names an unknown key, its line and what there is', () => {
    const message = complaint(() => readConfig(file('query:\n  timeout: 30s\n  timeot: 30s\n')));
    expect(message).toContain('skein.yml:3');
    expect(message).toContain('"timeot" is not a setting of query');
    expect(message).toContain('lookback_delta');
  });

  it('names an unknown section', () => {
    expect(complaint(() => readConfig(file('querry:\n  timeout: 30s\n')))).toContain(
      '"querry" is not a section',
    );
  });

  it('names a bad value and what is allowed, all complaints at once', () => {
    const message = complaint(() =>
      readConfig({
        ...file('query:\n  timeout: soon\n'),
        environment: { SKEIN_CLUSTER_PARTITIONS: '12' },
        flags: { 'receiver.frame_bytes': '1GiB' },
      }),
    );
    expect(message).toContain('query.timeout: "soon" is not allowed: expected a duration such as 2m');
    expect(message).toContain(
      'environment SKEIN_CLUSTER_PARTITIONS: cluster.partitions: "12" is not allowed',
    );
    expect(message).toContain('power of two');
    expect(message).toContain('at most 512KiB');
  });

  it('reports broken YAML', () => {
    expect(complaint(() => readConfig(file('query: [')))).toContain('skein.yml');
  });

  it('never prints a secret', () => {
    const config = readConfig({ flags: { 's3.secret_key': 'hunter2', 'nats.password': 'hunter3' } });
    expect(configText(config)).not.toMatch(/hunter/);
    expect(configText(config)).toContain('secret_key: <secret>');
  });

  it('prints a configuration that reads back as itself', () => {
    const config = readConfig({
      flags: { 'cluster.external_labels': 'region=eu,dc=1', 'cluster.replica_labels': 'replica' },
    });
    expect(readConfig(file(configText(config)))).toEqual(config);
  });

  it('gives every setting a reason and a default its own parser takes', () => {
    for (const [section, settings] of Object.entries(SETTINGS))
      for (const [key, setting] of Object.entries(settings)) {
        expect(setting.reason.length, `${section}.${key}`).toBeGreaterThan(9);
        if (setting.fallback !== '' || setting.kind !== 'text')
          expect(
            (setting.parse as (raw: unknown) => unknown)(setting.show(setting.fallback as never)),
            `${section}.${key}`,
          ).toEqual(setting.fallback);
      }
  });
});
