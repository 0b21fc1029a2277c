import { describe, expect, it } from 'vitest';
import type { ReplicaFacts } from '../../../src/actors/shard/messages.ts';
import { replicaKey } from '../../../src/bus/subjects.ts';
import { decodeEnvelope } from '../../../src/codec/envelope.ts';
import { decodeBlockMeta } from '../../../src/storage/block/block-meta.ts';
import { createMemoryDisk, type MemoryDisk } from '../../bus/local/memory-disk.ts';
import { openShardRig, type ShardRig } from './rig.ts';

const HOUR = 3_600_000;
const STEP = 60_000;
const T0 = Date.UTC(2025, 11, 31); // a multiple of two hours
const LEASE_MS = 15_000;
const COUNT = 'count_over_time(m[1d])';

function times(from: number, to: number): number[] {
  return Array.from({ length: (to - from) / STEP }, (_, i) => from + i * STEP);
}

async function facts(rig: ShardRig, id: string): Promise<ReplicaFacts | undefined> {
  const [entry] = await rig.directory.list(replicaKey(0, id));
  return entry && decodeEnvelope<ReplicaFacts>(entry.value);
}

async function write(rig: ShardRig, from: number, to: number): Promise<void> {
  for (let at = from; at < to; at += 10 * STEP) {
    await rig.write(times(at, at + 10 * STEP));
    await rig.clock.advance(200);
  }
}

/** Starts of all blocks in the bucket. */
async function blockRanges(rig: ShardRig): Promise<number[]> {
  const found: number[] = [];
  for await (const { key } of rig.objects.list(''))
    if (key.endsWith('/meta.json')) found.push(decodeBlockMeta(await rig.objects.get(key)).minTime);
  return found.sort((a, b) => a - b);
}

describe('a standby', () => {
  it('follows the cuts of the owner: takes its blocks over and lets go of what they hold, without starting over', async () => {
    const rig = await openShardRig();
    const one = await rig.start('one', createMemoryDisk());
    const two = await rig.start('two', createMemoryDisk(), 1);
    await write(rig, T0, T0 + 6 * HOUR);
    await rig.clock.advance(20_000);
    expect(await facts(rig, 'one')).toMatchObject({ leads: true, blocks: 2 });
    expect(await facts(rig, 'two')).toMatchObject({ leads: false, blocks: 2 });
    expect(two.lastError()).toBeUndefined();
    await rig.driven(one.stop());
    const all = 6 * 60;
    expect(await rig.ask(COUNT, T0 + 6 * HOUR)).toEqual([all, all]);
    await rig.driven(two.stop());
  });

  it('takes the lease when the owner is gone, and answers meanwhile', async () => {
    const rig = await openShardRig();
    const one = await rig.launch('one', createMemoryDisk());
    const two = await rig.start('two', createMemoryDisk(), 1);
    await write(rig, T0, T0 + HOUR);
    await rig.clock.advance(2000);
    await one.kill();
    expect(await rig.ask(COUNT, T0 + HOUR)).toEqual([60, 60]);
    expect(await rig.driven(two.ask('status', undefined))).toMatchObject({ owner: false });
    await rig.clock.advance(LEASE_MS + 3000);
    expect(await rig.driven(two.ask('status', undefined))).toMatchObject({ owner: true });
    await write(rig, T0 + HOUR, T0 + 6 * HOUR);
    await rig.clock.advance(5000);
    expect((await blockRanges(rig)).length).toBe(2);
    expect(await rig.ask(COUNT, T0 + 6 * HOUR)).toEqual([360, 360]);
    await rig.driven(two.stop());
  });

  it('that cuts by other rules than the owner starts over from the bucket, and loses and doubles nothing', async () => {
    const rig = await openShardRig();
    const one = await rig.start('one', createMemoryDisk());
    const window = { 'shard.out_of_order_window': '3h' };
    const { shard: two } = await rig.launch('two', createMemoryDisk(), 1, window);
    await write(rig, T0, T0 + 8 * HOUR);
    await rig.clock.advance(400_000);
    expect(two.lastError()).toMatch(
      /^partition 0 was cut at message \d+ up to \d+ ms by other rules than here/,
    );
    for (const id of ['one', 'two'])
      expect(await rig.askReplica(id, COUNT, T0 + 8 * HOUR)).toEqual({ values: [480, 480], warnings: [] });
    await rig.driven(one.stop());
    await rig.driven(two.stop());
  });

  it('lets the one that is to lead have the lease first', async () => {
    const rig = await openShardRig();
    const two = await rig.start('two', createMemoryDisk(), 1);
    const one = await rig.start('one', createMemoryDisk(), 0);
    await rig.clock.advance(5000);
    expect(await rig.driven(one.ask('status', undefined))).toMatchObject({ owner: true });
    await rig.driven(one.stop());
    await rig.driven(two.stop());
  });
});

describe('a cut', () => {
  it('that another owner takes over makes the same blocks: what the first one still sends overlaps nothing', async () => {
    const rig = await openShardRig();
    // Two ranges are cut at once; the owner dies while the last meta.json of it is on its way.
    let metas = 0;
    let late: { key: string; bytes: Uint8Array } | undefined;
    rig.bucket.onPut = async (key, id, bytes) => {
      if (id !== 'one' || !key.endsWith('/meta.json') || ++metas < 2) return;
      late = { key, bytes };
      await new Promise(() => {});
    };
    const one = await rig.launch('one', createMemoryDisk());
    await rig.write(times(T0, T0 + 10 * STEP));
    await rig.write(times(T0 + 3 * HOUR, T0 + 3 * HOUR + 10 * STEP));
    await rig.write(times(T0 + 8 * HOUR, T0 + 8 * HOUR + 10 * STEP));
    await rig.clock.advance(5000);
    expect(await blockRanges(rig)).toEqual([T0]);
    await one.kill();
    // The log went on: whoever looks now has seen more than the one that began.
    await rig.write(times(T0 + 8 * HOUR + 10 * STEP, T0 + 8 * HOUR + 20 * STEP));
    const two = await rig.start('two', createMemoryDisk());
    await rig.clock.advance(LEASE_MS + 10_000);
    expect(await blockRanges(rig)).toEqual([T0, T0 + 2 * HOUR]);
    await rig.objects.put(late!.key, late!.bytes);
    expect(await blockRanges(rig)).toEqual([T0, T0 + 2 * HOUR]);
    expect(await rig.ask(COUNT, T0 + 9 * HOUR)).toEqual([40, 40]);
    await rig.driven(two.stop());
  });

  it('of a process that lost its lease meanwhile puts no meta.json, trims nothing and reports nothing', async () => {
    const rig = await openShardRig();
    let resume = (): void => {};
    const puts: string[] = [];
    rig.bucket.onPut = async (key, id) => {
      puts.push(`${id} ${key.slice(key.indexOf('/') + 1)}`);
      if (id === 'one' && key.endsWith('/index'))
        await new Promise<void>((resolve) => {
          resume = resolve;
        });
    };
    const one = await rig.launch('one', createMemoryDisk());
    const two = await rig.start('two', createMemoryDisk(), 1);
    await write(rig, T0, T0 + 4 * HOUR);
    await rig.clock.advance(1000);
    expect(puts.at(-1)).toBe('one index');
    const reports = one.reports();
    const thaw = one.freeze();
    one.cutOff();
    await rig.clock.advance(LEASE_MS + 10_000);
    expect(puts.at(-1)).toBe('two meta.json');
    const before = puts.length;
    resume();
    thaw();
    await rig.clock.advance(30_000);
    expect(puts.slice(before).filter((put) => put.startsWith('one'))).toEqual([]);
    expect(one.reports()).toBe(reports);
    const all = await rig.askReplica('one', COUNT, T0 + 4 * HOUR);
    expect(all).toEqual({ values: [240, 240], warnings: [] });
    await one.kill();
    await rig.driven(two.stop());
  });
});

describe('a shard without its bucket', () => {
  const cutAndTrimmed = async (rig: ShardRig, disk: MemoryDisk): Promise<void> => {
    const shard = await rig.start('one', disk);
    for (let at = T0; at < T0 + 6 * HOUR; at += 2 * STEP) {
      await rig.write(times(at, at + 2 * STEP));
      await rig.clock.advance(1000);
    }
    await rig.clock.advance(150_000);
    expect((await rig.wal.bounds()).first).toBeGreaterThan(1);
    await rig.driven(shard.stop());
  };

  it('answers at once from snapshot and log, says what it lacks, and is whole when the bucket is back', async () => {
    const rig = await openShardRig();
    const disk = createMemoryDisk();
    await cutAndTrimmed(rig, disk);
    rig.bucket.away = true;
    const before = rig.clock.monotonic();
    const again = await rig.start('one', disk);
    expect(rig.clock.monotonic() - before).toBeLessThan(1000);
    const old = await rig.askReplica('one', COUNT, T0 + 6 * HOUR);
    expect(old.values).toEqual([120, 120]);
    expect(old.warnings).toEqual([
      'partial response: partition 0 lacks 2025-12-31T00:00:00.000Z to 2025-12-31T03:59:59.999Z: the bucket is away and its blocks cannot be read',
    ]);
    await expect(rig.ask(COUNT, T0 + 6 * HOUR)).rejects.toThrow(/^partial response: partition 0 lacks/);
    expect(await rig.listNames('one', T0 + 6 * HOUR)).toEqual({
      texts: ['__name__', 'i'],
      lacks: old.warnings,
    });
    const recent = await rig.askReplica('one', 'count_over_time(m[1h])', T0 + 6 * HOUR - STEP);
    expect(recent).toEqual({ values: [60, 60], warnings: [] });
    rig.bucket.away = false;
    await rig.clock.advance(10_000);
    expect(await rig.ask(COUNT, T0 + 6 * HOUR)).toEqual([360, 360]);
    expect((await rig.listNames('one', T0 + 6 * HOUR)).lacks).toEqual([]);
    await rig.driven(again.stop());
  });

  it('and without a snapshot says that it does not know its blocks, and learns them when the bucket is back', async () => {
    const rig = await openShardRig();
    await cutAndTrimmed(rig, createMemoryDisk());
    rig.bucket.away = true;
    const fresh = await rig.start('two', createMemoryDisk());
    const old = await rig.askReplica('two', COUNT, T0 + 6 * HOUR);
    expect(old.warnings.join()).toMatch(
      /^partial response: partition 0 lacks .* to 2025-12-31T03:59:59.999Z: .*its blocks are not known$/,
    );
    const recent = await rig.askReplica('two', 'count_over_time(m[1h])', T0 + 6 * HOUR - STEP);
    expect(recent).toEqual({ values: [60, 60], warnings: [] });
    rig.bucket.away = false;
    await rig.clock.advance(10_000);
    expect(await rig.ask(COUNT, T0 + 6 * HOUR)).toEqual([360, 360]);
    expect((await blockRanges(rig)).length).toBe(2);
    await rig.driven(fresh.stop());
  });
});

describe('a strong read', () => {
  it('waits until what was in the log is applied; any other answers with what is', async () => {
    const rig = await openShardRig();
    const shard = await rig.start('one', createMemoryDisk());
    await rig.write(times(T0, T0 + STEP));
    expect((await rig.askReplica('one', COUNT, T0 + HOUR, true)).values).toEqual([1, 1]);
    const release = rig.holdLog();
    await rig.write(times(T0 + STEP, T0 + 2 * STEP));
    expect((await rig.askReplica('one', COUNT, T0 + HOUR)).values).toEqual([1, 1]);
    rig.clock.after(5000, release);
    const before = rig.clock.monotonic();
    expect((await rig.askReplica('one', COUNT, T0 + HOUR, true)).values).toEqual([2, 2]);
    expect(rig.clock.monotonic() - before).toBeGreaterThanOrEqual(5000);
    await rig.driven(shard.stop());
  });
});
