// Replicas of one partition under whatever may happen to them: joins, stops, kills, changes of rank, a bucket that goes away, late
// data. Every whole answer of every replica is exact at every moment, and no sample ends up in two blocks.

import { describe, expect, it } from 'vitest';
import { decodeBlockMeta } from '../../../src/storage/block/block-meta.ts';
import { createMemoryDisk, type MemoryDisk } from '../../bus/local/memory-disk.ts';
import { openShardRig, type RigProcess, type ShardRig } from './rig.ts';

const SEEDS = Number(process.env['SKEIN_FUZZ_SEEDS'] ?? 12);
const FIRST = Number(process.env['SKEIN_FUZZ_FIRST'] ?? 1);
const STEPS = 60;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const T0 = Date.UTC(2025, 10, 1);

interface World {
  readonly rig: ShardRig;
  readonly disks: Map<string, MemoryDisk>;
  readonly alive: Map<string, RigProcess>;
  readonly written: number[];
  now: number;
}

function dice(seed: number): (sides: number) => number {
  let state = seed * 2654435761;
  return (sides) => {
    state = (Math.imul(state ^ (state >>> 15), 2246822519) + 0x9e3779b9) >>> 0;
    state ^= state >>> 13;
    return (Math.imul(state, 3266489917) >>> 8) % sides;
  };
}

async function writeMore(world: World, roll: (sides: number) => number): Promise<void> {
  if (roll(6) === 0) world.now += (2 + roll(4)) * HOUR; // a gap
  const count = 5 + roll(60);
  const times = Array.from({ length: count }, (_, i) => world.now + i * MINUTE);
  const newest = world.written.at(-1) ?? T0;
  world.now += count * MINUTE;
  const late = roll(3) === 0 ? [newest - roll(50) * MINUTE - 1000 - roll(900) * 17] : [];
  for (const time of late) {
    if (world.written.includes(time) || time < T0) continue;
    await world.rig.write([time]);
    world.written.push(time);
  }
  for (let at = 0; at < count; at += 20) await world.rig.write(times.slice(at, at + 20));
  world.written.push(...times);
}

async function step(world: World, roll: (sides: number) => number): Promise<string> {
  const { rig, disks, alive } = world;
  const ids = ['one', 'two', 'three'];
  const id = ids[roll(3)]!;
  const process = alive.get(id);
  switch (roll(10)) {
    case 0:
    case 1:
    case 2:
    case 3:
      await writeMore(world, roll);
      await rig.clock.advance(1000 * roll(40));
      return 'write';
    case 4:
      await rig.clock.advance(1000 * (1 + roll(180)));
      return 'advance';
    case 5:
      if (process === undefined) return 'nothing';
      alive.delete(id);
      await rig.driven(process.shard.stop());
      return `stop ${id}`;
    case 6:
      if (process === undefined) return 'nothing';
      alive.delete(id);
      await process.kill();
      if (roll(3) === 0) disks.set(id, createMemoryDisk());
      return `kill ${id}`;
    case 7:
      rig.bucket.away = roll(2) === 0;
      return `bucket ${rig.bucket.away ? 'away' : 'back'}`;
    case 8: {
      if (process === undefined) return 'nothing';
      const rank = [0, 1, undefined][roll(3)];
      await rig.driven(process.shard.ask('place', { rank })).catch(() => {});
      return `rank ${id} ${rank}`;
    }
    default:
      if (process !== undefined) return 'nothing';
      alive.set(id, await rig.launch(id, disks.get(id)!, roll(2)));
      return `start ${id}`;
  }
}

const sumOf = (times: readonly number[]): number => times.reduce((sum, time) => sum + time / 1000, 0);

// A replica that starts over may be silent for a moment; a strong answer that is not partial is exact.
async function check({ rig, alive, written, now }: World): Promise<void> {
  for (const id of alive.keys()) {
    const count = await rig.askReplica(id, 'count_over_time(m[60d])', now, true).catch(() => undefined);
    const sum = await rig.askReplica(id, 'sum_over_time(m[60d])', now, true).catch(() => undefined);
    if (written.length === 0) continue;
    if (count?.warnings.length === 0)
      expect(count.values, `samples of ${id}`).toEqual([written.length, written.length]);
    if (sum?.warnings.length === 0)
      for (const value of sum.values) expect(value, `sum of ${id}`).toBeCloseTo(sumOf(written), 0);
  }
}

async function samplesInBlocks(rig: ShardRig): Promise<number> {
  let samples = 0;
  for await (const entry of rig.objects.list(''))
    if (entry.key.endsWith('/meta.json'))
      samples += decodeBlockMeta(await rig.objects.get(entry.key)).stats.numSamples;
  return samples;
}

async function run(seed: number): Promise<void> {
  const roll = dice(seed);
  const rig = await openShardRig();
  const world: World = {
    rig,
    disks: new Map(['one', 'two', 'three'].map((id) => [id, createMemoryDisk()])),
    alive: new Map(),
    written: [],
    now: T0,
  };
  const story: string[] = [];
  try {
    for (let i = 0; i < STEPS; i++) {
      story.push(await step(world, roll));
      await check(world);
    }
    rig.bucket.away = false;
    for (const id of ['one', 'two'])
      if (!world.alive.has(id)) world.alive.set(id, await rig.launch(id, world.disks.get(id)!));
    const [first] = world.alive.values();
    await rig.driven(first!.shard.ask('place', { rank: 0 })).catch(() => {});
    await rig.clock.advance(60_000);
    for (const id of world.alive.keys()) {
      const { values, warnings } = await rig.askReplica(id, 'count_over_time(m[60d])', world.now, true);
      expect({ id, values, warnings }).toEqual({
        id,
        values: world.written.length === 0 ? [] : [world.written.length, world.written.length],
        warnings: [],
      });
    }
    expect(await samplesInBlocks(rig)).toBeLessThanOrEqual(2 * world.written.length);
    for (const process of world.alive.values()) await rig.driven(process.shard.stop());
  } catch (error) {
    throw new Error(`seed ${seed}: ${story.join(', ')}`, { cause: error });
  }
}

describe('replicas of a partition', () => {
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++)
    it(`answer exactly whatever happens to them (seed ${seed})`, () => run(seed), 60_000);
});
