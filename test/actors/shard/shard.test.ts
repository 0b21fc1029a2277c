import { describe, expect, it } from 'vitest';
import { leaseKey } from '../../../src/bus/subjects.ts';
import { decodeEnvelope } from '../../../src/codec/envelope.ts';
import { createMemoryDisk } from '../../bus/local/memory-disk.ts';
import { openShardRig, type ShardRig } from './rig.ts';

const HOUR = 3_600_000;
const STEP = 60_000;
const T0 = Date.UTC(2025, 11, 31); // a multiple of two hours

function times(from: number, to: number): number[] {
  return Array.from({ length: (to - from) / STEP }, (_, i) => from + i * STEP);
}

/** Six hours in many small messages over many epochs: four of them can be cut. */
async function sixHours(rig: ShardRig): Promise<number> {
  for (let at = T0; at < T0 + 6 * HOUR; at += 2 * STEP) {
    await rig.write(times(at, at + 2 * STEP));
    await rig.clock.advance(1000);
  }
  return T0 + 6 * HOUR - STEP;
}

const COUNT = 'count_over_time(m[1d])';
const SUM = 'sum(sum_over_time(m[1d]))';
const sumOf = (all: readonly number[]): number => 2 * all.reduce((sum, time) => sum + time / 1000, 0);

async function owner(rig: ShardRig): Promise<string | undefined> {
  const [entry] = await rig.directory.list(leaseKey(0));
  return entry && decodeEnvelope<{ process: string }>(entry.value).process;
}

async function blocks(rig: ShardRig): Promise<string[]> {
  const found: string[] = [];
  for await (const entry of rig.objects.list('')) if (entry.key.endsWith('/meta.json')) found.push(entry.key);
  return found;
}

describe('a shard', () => {
  it('cuts what is complete, uploads it, trims the log, and answers the same all along', async () => {
    const rig = await openShardRig();
    const shard = await rig.start('one', createMemoryDisk());
    const end = await sixHours(rig);
    const all = times(T0, end + STEP);
    await rig.clock.advance(5000);
    expect((await blocks(rig)).length).toBe(2);
    expect(await rig.ask(COUNT, end)).toEqual([all.length, all.length]);
    await rig.clock.advance(120_000); // epochs end
    const { first } = await rig.wal.bounds();
    expect(first).toBeGreaterThan(60);
    expect(await rig.ask(SUM, end)).toEqual([sumOf(all)]);
    await rig.driven(shard.stop());
    // A process that has nothing: blocks and what the log kept.
    const other = await rig.start('two', createMemoryDisk());
    expect(await rig.ask(COUNT, end)).toEqual([all.length, all.length]);
    expect(await rig.ask(SUM, end)).toEqual([sumOf(all)]);
    await rig.driven(other.stop());
  });

  it('reads a message again that came garbled, and calls it damage of the log when it is garbled again', async () => {
    const rig = await openShardRig();
    const disk = createMemoryDisk();
    const end = T0 + 9 * STEP;
    const say = (): Promise<{ values: number[]; warnings: string[] }> => rig.askReplica('one', COUNT, end);
    rig.garble(2, 1);
    const shard = await rig.start('one', disk);
    for (const time of times(T0, end + STEP)) await rig.write([time]);
    await rig.clock.advance(1000);
    expect(await say()).toEqual({ values: [10, 10], warnings: [] });
    rig.garble(12, 2);
    for (const time of times(end + STEP, end + 4 * STEP)) await rig.write([time]);
    await rig.clock.advance(1000);
    const { values, warnings } = await rig.askReplica('one', COUNT, end + 3 * STEP);
    expect(values).toEqual([12, 12]);
    expect(warnings.join()).toContain('log damage: message 12 of partition 0 cannot be read');
    await rig.driven(shard.stop());
  });

  it('hands its partition over to one that has caught up, and somebody answers at every moment', async () => {
    const rig = await openShardRig();
    const first = await rig.start('one', createMemoryDisk());
    const end = await sixHours(rig);
    await rig.clock.advance(5000);
    expect(await owner(rig)).toBe('one');
    await rig.driven(first.ask('place', { rank: undefined }));
    const second = await rig.start('two', createMemoryDisk());
    await rig.clock.advance(3000);
    expect(await owner(rig)).toBe('two');
    expect(await rig.driven(first.ask('status', undefined))).toMatchObject({ owner: false });
    await rig.driven(first.stop());
    expect(await rig.answers()).toBe(true);
    const all = times(T0, end + STEP);
    expect(await rig.ask(COUNT, end)).toEqual([all.length, all.length]);
    await rig.driven(second.stop());
  });

  it('takes its partition back when it is wanted again', async () => {
    const rig = await openShardRig();
    const first = await rig.start('one', createMemoryDisk());
    await rig.write(times(T0, T0 + STEP));
    await rig.clock.advance(2000);
    await rig.driven(first.ask('place', { rank: undefined }));
    const second = await rig.start('two', createMemoryDisk());
    await rig.clock.advance(2000);
    expect(await owner(rig)).toBe('two');
    await rig.driven(second.stop());
    expect(await owner(rig)).toBeUndefined();
    await rig.clock.advance(3000);
    expect(await owner(rig)).toBeUndefined(); // not asked for while it belongs elsewhere
    await rig.driven(first.ask('place', { rank: 0 }));
    await rig.clock.advance(2000);
    expect(await owner(rig)).toBe('one');
    await rig.driven(first.stop());
  });

  it('answers what its blocks hold while its snapshot is loaded, and says what it lacks', async () => {
    const rig = await openShardRig();
    const disk = createMemoryDisk();
    const before = await rig.start('one', disk);
    const end = await sixHours(rig);
    await rig.clock.advance(5000);
    await rig.driven(before.stop());
    const release = disk.holdReads('shards/0/snapshot');
    const starting = rig.start('one', disk);
    await rig.clock.advance(100);
    const old = T0 + 3 * HOUR - STEP;
    const whole = times(T0, old + STEP).length;
    expect(await rig.askReplica('one', COUNT, old)).toEqual({ values: [whole, whole], warnings: [] });
    const { warnings } = await rig.askReplica('one', COUNT, end);
    expect(warnings.join()).toMatch(/^partial response: partition 0 lacks .* the log is being replayed$/);
    const asked = rig.askReplica('one', COUNT, end);
    release();
    await rig.driven(starting);
    const all = times(T0, end + STEP).length;
    expect(await asked).toEqual({ values: [all, all], warnings: [] });
  });

  it('neither loses nor doubles a sample when it dies between an upload and its snapshot', async () => {
    const rig = await openShardRig();
    const disk = createMemoryDisk();
    const before = await rig.start('one', disk);
    await rig.write(times(T0, T0 + 2 * HOUR));
    await rig.driven(before.stop()); // a snapshot of two hours
    const snapshot = await disk.readFile('shards/0/snapshot');
    const life = await rig.start('one', disk);
    await rig.write(times(T0 + 2 * HOUR, T0 + 6 * HOUR));
    await rig.clock.advance(5000);
    expect((await blocks(rig)).length).toBe(2);
    await rig.driven(life.stop());
    // As a death right after the upload leaves it: blocks in the bucket, the old snapshot on disk.
    await disk.writeFile('shards/0/snapshot', snapshot);
    const after = await rig.start('one', disk);
    const all = times(T0, T0 + 6 * HOUR);
    const end = T0 + 6 * HOUR - STEP;
    expect(await rig.ask(COUNT, end)).toEqual([all.length, all.length]);
    expect(await rig.ask(SUM, end)).toEqual([sumOf(all)]);
    await rig.driven(after.stop());
  });

  it('passes a snapshot over that lacks a cut which another owner made within it', async () => {
    const rig = await openShardRig();
    const disk = createMemoryDisk();
    const first = await rig.start('one', disk);
    await rig.driven(first.ask('place', { rank: undefined })); // follows, and never cuts
    await sixHours(rig);
    const second = await rig.start('two', createMemoryDisk());
    await rig.clock.advance(30_000);
    expect((await blocks(rig)).length).toBe(2);
    await rig.write(times(T0 + 6 * HOUR, T0 + 6 * HOUR + STEP));
    await rig.clock.advance(2000);
    await rig.driven(first.stop());
    await rig.driven(second.stop());
    const again = await rig.start('one', disk);
    const all = times(T0, T0 + 6 * HOUR + STEP);
    expect(await rig.ask(COUNT, T0 + 6 * HOUR)).toEqual([all.length, all.length]);
    await rig.driven(again.stop());
  });

  it('starts from the log when its snapshot does not check', async () => {
    const rig = await openShardRig();
    const disk = createMemoryDisk();
    const first = await rig.start('one', disk);
    await rig.write(times(T0, T0 + HOUR));
    await rig.driven(first.stop());
    const snapshot = await disk.readFile('shards/0/snapshot');
    for (const at of [0, 20, snapshot.length >> 1, snapshot.length - 9]) {
      const broken = snapshot.slice();
      broken[at]! ^= 0x40;
      await disk.writeFile('shards/0/snapshot', broken);
      const again = await rig.start('one', disk);
      expect(await rig.ask(COUNT, T0 + HOUR)).toEqual([60, 60]);
      await rig.driven(again.stop());
      await disk.writeFile('shards/0/snapshot', snapshot);
    }
  });
});
