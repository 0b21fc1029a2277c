import { describe, expect, it } from 'vitest';
import {
  type PartitionRow,
  type ProcessRow,
  type StatusFacts,
  statusPage,
} from '../../src/actors/status-page.ts';

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);
const LATER = {
  applied: 1_234_567,
  lag: 0,
  series: 10,
  blocks: 2,
  lastBlockEnd: NOW - 3_700_000,
  logBytes: 1000,
  blocksKnown: true,
  standbys: [],
};

function process(id: string, roles: readonly string[], here = false): ProcessRow {
  return { id, roles, here, zone: '', version: '1', address: `${id}:9095`, startedMs: NOW - 65_000 };
}

function partition(number: number, owner: string | undefined, state = 'ready'): PartitionRow {
  return { partition: number, owner, state, ...LATER };
}

function page(facts: Partial<StatusFacts>): string {
  return statusPage({
    version: '1',
    cluster: 'c',
    url: 'http://here:1',
    nowMs: NOW,
    standbys: 1,
    logBytesMax: 10_000,
    processes: [process('a', ['receiver', 'shard', 'querier'], true)],
    partitions: [partition(0, 'a')],
    actors: [],
    ...facts,
  });
}

const verdict = (html: string): string =>
  /<div class="verdict (\w+)">(.*?)<\/div>/.exec(html)!.slice(1).join(' ');

describe('the status page', () => {
  it('says that all is well only when every partition has a living owner that is ready', () => {
    expect(verdict(page({}))).toBe('ok <p>The one partition has an owner and is ready.</p>');
    const partitions = [0, 1, 2, 3].map((number) => partition(number, 'a'));
    expect(verdict(page({ partitions }))).toBe('ok <p>All 4 partitions have an owner and are ready.</p>');
    partitions[1] = partition(1, undefined, 'unknown');
    partitions[2] = partition(2, 'dead');
    partitions[3] = partition(3, 'a', 'replaying');
    const html = page({ partitions });
    expect(verdict(html)).toBe(
      'bad <p>Partitions 1, 2 of 4 have no owner: what is written there waits in the log, and queries do not see it until a shard takes over.</p><p>Partition 3 is not ready yet.</p>',
    );
    for (const state of ['no owner', 'owner is gone', 'replaying'])
      expect(html).toContain(`>${state}</span>`);
  });

  it('names few of many partitions', () => {
    const partitions = Array.from({ length: 20 }, (_, number) => partition(number, undefined));
    expect(verdict(page({ partitions }))).toContain('None of the 20 partitions has an owner');
    partitions[19] = partition(19, 'a');
    expect(verdict(page({ partitions }))).toContain(
      'Partitions 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 9 more of 20 have no owner',
    );
  });

  it('points to processes that can take metrics and answer queries', () => {
    expect(page({})).toContain('- url: http://here:1/api/v1/write');
    const apart = [process('s', ['shard'], true), process('r', ['receiver']), process('q', ['querier'])];
    const html = page({ processes: apart });
    expect(html).toContain('- url: http://r:9095/api/v1/write');
    expect(html).toContain('<code>http://q:9095</code>');
    const alone = page({ processes: [process('s', ['shard'], true)] });
    expect(alone).toContain('No receiver runs');
    expect(alone).toContain('No querier runs');
  });

  it('shows numbers and times for people', () => {
    const html = page({});
    expect(html).toContain('1\u202f234\u202f567');
    expect(html).toContain('2026-01-02 02:02:25 UTC <span class="muted">(1 h 1 min ago)</span>');
    expect(html).toContain('<td>1 min 5 s</td>');
  });

  it('lets no name become markup', () => {
    const evil = '<script>"\'&';
    const html = page({
      cluster: evil,
      url: evil,
      version: evil,
      processes: [{ ...process(evil, [evil, 'receiver'], true), zone: evil, version: evil, address: evil }],
      partitions: [partition(0, evil, evil)],
      actors: [{ name: evil, lifecycle: evil, waiting: 0, lastError: evil }],
    });
    expect(html).not.toContain('<script');
    expect(html.match(/&#60;script&#62;/g)!.length).toBeGreaterThan(8);
  });
});
