import { describe, expect, it } from 'vitest';
import { complaintsOf } from '../../src/actors/cluster-check.ts';
import type { PartitionRow, ProcessRow, StatusFacts } from '../../src/actors/status-page.ts';

const process = (id: string, roles = ['receiver', 'shard', 'querier']): ProcessRow => ({
  ...{ id, roles, zone: '', version: '1', address: `${id}:9095`, startedMs: 0, here: false },
});
const partition = (facts: Partial<PartitionRow> = {}): PartitionRow => ({
  ...{ partition: 0, owner: 'a', state: 'ready', applied: 10, lag: 0, series: 1, blocks: 0, lastBlockEnd: 0 },
  ...{ logBytes: 100, blocksKnown: true, standbys: [{ process: 'b', state: 'ready', lag: 0 }] },
  ...facts,
});
const cluster = (row: PartitionRow, facts: Partial<StatusFacts> = {}): string[] =>
  complaintsOf({
    ...{ version: '1', cluster: 'c', url: '', nowMs: 0, standbys: 1, logBytesMax: 1000, actors: [] },
    ...{ processes: [process('a'), process('b')], partitions: [row] },
    ...facts,
  });

describe('the check of a cluster', () => {
  it('has nothing to say when every partition is led, stood by and up to date', () => {
    expect(cluster(partition())).toEqual([]);
  });

  it.each<[string, Partial<PartitionRow>, string]>([
    ['no leader', { owner: undefined }, 'nobody leads it'],
    ['a leader that died', { owner: 'dead' }, 'its owner dead is gone'],
    ['a leader that is not ready', { state: 'stalled' }, 'its owner a is stalled'],
    ['no standby', { standbys: [] }, '0 of 1 standbys are ready'],
    [
      'a standby that replays',
      { standbys: [{ process: 'b', state: 'replaying', lag: 9 }] },
      '0 of 1 standbys are ready',
    ],
    ['a leader that lags', { lag: 5000 }, 'its owner has 5000 messages of the log still to apply'],
    [
      'a standby that lags',
      { standbys: [{ process: 'b', state: 'ready', lag: 5000 }] },
      'standby b has 5000 messages still to apply',
    ],
    ['unknown blocks', { blocksKnown: false }, 'the bucket has not told of its blocks: is S3 away?'],
    ['a full log', { logBytes: 900 }, 'its log holds 900 of 1000 bytes: do blocks reach the bucket?'],
  ])('complains of %s', (_what, facts, text) => {
    expect(cluster(partition(facts))).toEqual([`partition 0: ${text}`]);
  });

  it('asks for no more standbys than there are processes, and for every role', () => {
    expect(cluster(partition({ standbys: [] }), { processes: [process('a')] })).toEqual([]);
    expect(cluster(partition({ standbys: [] }), { processes: [process('a', ['shard'])] })).toEqual([
      'no process is a receiver',
      'no process is a querier',
    ]);
  });
});
