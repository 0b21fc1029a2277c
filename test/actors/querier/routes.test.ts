import { expect, it } from 'vitest';
import { Routes } from '../../../src/actors/querier/routes.ts';
import { openLocalDirectory } from '../../../src/bus/local/local-directory.ts';
import { leaseKey, replicaKey } from '../../../src/bus/subjects.ts';
import { encodeEnvelope } from '../../../src/codec/envelope.ts';
import { createMemoryDisk } from '../../bus/local/memory-disk.ts';
import { createVirtualClock } from '../../helpers/virtual-clock.ts';

async function setup() {
  const clock = createVirtualClock();
  const directory = await openLocalDirectory({ disk: createMemoryDisk(), clock });
  const routes = new Routes(clock);
  const end = await routes.follow(directory);
  const replica = (partition: number, process: string, lifecycle = 'ready', lag = 0) =>
    directory.announce(
      replicaKey(partition, process),
      encodeEnvelope({ partition, process, lifecycle, lag }),
      15_000,
    );
  return { clock, directory, routes, replica, end };
}

it('routes lead to the leader first, then to standbys by lag, and to what is stalled last', async () => {
  const { clock, directory, routes, replica } = await setup();
  await replica(1, 'a', 'ready', 5);
  await replica(1, 'b', 'stalled');
  await replica(1, 'c');
  await replica(1, 'd');
  await replica(10, 'x');
  const lease = await directory.acquire(leaseKey(1), encodeEnvelope({ process: 'd' }), 15_000);
  await directory.acquire(leaseKey(10), encodeEnvelope({ process: 'a' }), 15_000);
  await clock.advance(200);
  expect(routes.replicasOf(1)).toEqual(['d', 'c', 'a', 'b']);
  expect(routes.replicasOf(10)).toEqual(['x']);
  expect(routes.replicasOf(2)).toEqual([]);
  await lease!.release();
  await clock.advance(200);
  expect(routes.replicasOf(1)).toEqual(['c', 'd', 'a', 'b']);
});

it('routes lead to replicas that replay only while there is no other', async () => {
  const { clock, routes, replica } = await setup();
  const first = await replica(0, 'a', 'replaying');
  await replica(0, 'b', 'replaying', 3);
  await clock.advance(200);
  expect(routes.replicasOf(0)).toEqual(['a', 'b']);
  await first.update(encodeEnvelope({ partition: 0, process: 'a', lifecycle: 'ready', lag: 0 }));
  await clock.advance(200);
  expect(routes.replicasOf(0)).toEqual(['a']);
});

it('routes go around a replica that was slow, for a while', async () => {
  const { clock, routes, replica } = await setup();
  await replica(0, 'a');
  await replica(0, 'b');
  await clock.advance(200);
  routes.noteSlow('a');
  expect(routes.replicasOf(0)).toEqual(['b', 'a']);
  await clock.advance(15_000);
  expect(routes.replicasOf(0)).toEqual(['a', 'b']);
});

it('routes end at the replica that was slow last when all of them were', async () => {
  const { clock, directory, routes, replica } = await setup();
  await replica(0, 'a');
  await replica(0, 'b');
  await directory.acquire(leaseKey(0), encodeEnvelope({ process: 'a' }), 15_000);
  await clock.advance(200);
  routes.noteSlow('b');
  await clock.advance(5000);
  routes.noteSlow('a');
  expect(routes.replicasOf(0)).toEqual(['b', 'a']);
});

it('routes allow few hedges for many requests', async () => {
  const { routes } = await setup();
  let taken = 0;
  while (routes.takeHedge()) taken++;
  expect(taken).toBe(32);
  for (let i = 0; i < 10; i++) routes.noteRequest();
  expect(routes.takeHedge()).toBe(true);
  expect(routes.takeHedge()).toBe(false);
});
