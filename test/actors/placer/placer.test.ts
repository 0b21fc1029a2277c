import { describe, expect, it } from 'vitest';
import type { World } from '../../../src/actors/actor.ts';
import { placer } from '../../../src/actors/placer/placer.ts';
import type { PlacerMessages } from '../../../src/actors/placer/state.ts';
import { type ActorRef, startActor } from '../../../src/actors/runtime.ts';
import type { ShardMessages } from '../../../src/actors/shard/messages.ts';
import { createLocalBus } from '../../../src/bus/local/local-bus.ts';
import { openLocalDirectory } from '../../../src/bus/local/local-directory.ts';
import { replicaKey } from '../../../src/bus/subjects.ts';
import { encodeEnvelope } from '../../../src/codec/envelope.ts';
import { silentLogger } from '../../../src/platform/log.ts';
import { createMetrics } from '../../../src/platform/metrics.ts';
import { createMemoryDisk } from '../../bus/local/memory-disk.ts';
import { createVirtualClock } from '../../helpers/virtual-clock.ts';

const PARTITIONS = 8;

/** Processes with a placer each; their shards are puppets that own a partition as soon as nobody else does. */
async function setup(standbys = 0) {
  const clock = createVirtualClock();
  const directory = await openLocalDirectory({ disk: createMemoryDisk(), clock });
  const owners = new Map<number, string>();
  const running = new Map<string, Set<number>>();
  /** By process and partition: the rank told last. */
  const ranks = new Map<string, Map<number, number | undefined>>();

  const join = async (id: string, slow = new Set<number>()): Promise<ActorRef<PlacerMessages>> => {
    const mine = new Set<number>();
    running.set(id, mine);
    const told = new Map<number, number | undefined>();
    ranks.set(id, told);
    const world = {
      bus: createLocalBus({ clock }),
      clock,
      directory,
      log: silentLogger(),
      metrics: createMetrics({ withProcess: false }),
      identity: { id, zone: '', version: '1', address: id },
      cluster: { id: 'c', prefix: 'skein', partitions: PARTITIONS },
    } as unknown as World;
    const startShard = (partition: number) => {
      let lifecycle: 'replaying' | 'ready' | 'stopped' = 'replaying';
      mine.add(partition);
      let withdraw = async (): Promise<void> => {};
      const started = (async () => {
        while (slow.has(partition)) await new Promise<void>((resolve) => clock.after(100, resolve));
        lifecycle = 'ready';
        const facts = { partition, process: id, lifecycle };
        const entry = await directory.announce(replicaKey(partition, id), encodeEnvelope(facts), 15_000);
        withdraw = () => entry.withdraw();
        owners.set(partition, id); // handed over at once by whoever had it
      })();
      const actor = {
        lifecycle: () => lifecycle,
        ask: async (kind: string, message?: { rank: number | undefined }) => {
          if (kind === 'status') return { partition, applied: 0, owner: owners.get(partition) === id };
          told.set(partition, message?.rank);
          // Whoever leads by the newest placement has the lease as soon as it is ready.
          if (message?.rank === 0 && lifecycle === 'ready') owners.set(partition, id);
          return undefined;
        },
        async stop() {
          lifecycle = 'stopped';
          mine.delete(partition);
          if (owners.get(partition) === id) owners.delete(partition);
          await withdraw();
        },
      } as unknown as ActorRef<ShardMessages>;
      return { actor, started };
    };
    const actor = await startActor(
      placer,
      {
        startShard,
        onStopped: () => {},
        leaseTtlMs: 15_000,
        owners: 1 + standbys,
        roles: ['shard'],
        startedMs: 0,
      },
      world,
    );
    return actor;
  };
  const held = (id: string): number[] => [...running.get(id)!].sort();
  return { clock, owners, join, held, ranks };
}

describe('placer', () => {
  it('gives a newcomer its share, and lets a partition go only once the newcomer answers for it', async () => {
    const { clock, owners, join, held } = await setup();
    await join('one');
    await clock.advance(2000);
    expect(held('one')).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    const slow = new Set([0, 1, 2, 3, 4, 5, 6, 7]);
    await join('two', slow);
    await clock.advance(60_000);
    expect(held('two').length).toBe(4);
    expect(held('one').length).toBe(8); // the newcomer still replays
    slow.clear();
    await clock.advance(2000);
    expect(held('one').length).toBe(8); // queriers may just have asked the old one
    await clock.advance(5000);
    expect([...held('one'), ...held('two')].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    expect(owners.size).toBe(PARTITIONS);
  });

  it('drains until another process answers for each of its partitions', async () => {
    const { clock, owners, join, held } = await setup();
    const one = await join('one');
    await join('two');
    await clock.advance(10_000);
    let drained = false;
    const draining = one.ask('drain', { timeoutMs: 60_000 }).then(() => {
      drained = true;
    });
    await clock.advance(3000);
    expect(drained).toBe(true);
    await draining;
    const stopping = one.stop();
    await clock.advance(1000);
    await stopping;
    expect(held('one')).toEqual([]);
    expect(held('two').length).toBe(PARTITIONS);
    expect(new Set(owners.values())).toEqual(new Set(['two']));
  });

  it('drains at once when nobody is left to take over', async () => {
    const { clock, join, held } = await setup();
    const one = await join('one');
    await clock.advance(2000);
    await one.ask('drain', { timeoutMs: 60_000 });
    const stopping = one.stop();
    await clock.advance(1000);
    await stopping;
    expect(held('one')).toEqual([]);
  });

  it('gives every partition a standby in another process, and one that leaves waits for both of its successors', async () => {
    const { clock, owners, join, held, ranks } = await setup(1);
    await join('one');
    await clock.advance(2000);
    await join('two');
    await clock.advance(5000);
    expect(held('one').length).toBe(8);
    expect(held('two').length).toBe(8);
    const leads = (id: string): number[] =>
      [...ranks.get(id)!].filter(([, rank]) => rank === 0).map(([partition]) => partition);
    expect(leads('one').length).toBe(4);
    expect([...leads('one'), ...leads('two')].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    const slow = new Set([0, 1, 2, 3, 4, 5, 6, 7]);
    await join('three', slow);
    await clock.advance(60_000);
    // Sixteen places for three, but nobody goes before the newcomer answers.
    expect([held('one').length, held('two').length]).toEqual([8, 8]);
    slow.clear();
    await clock.advance(20_000);
    const places = ['one', 'two', 'three'].map((id) => held(id).length);
    expect(places.reduce((a, b) => a + b)).toBe(16);
    expect(Math.max(...places)).toBeLessThanOrEqual(6);
    expect(owners.size).toBe(PARTITIONS);
  });
});
