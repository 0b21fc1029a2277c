import { describe, expect, it } from 'vitest';
import type { ReplicaFacts } from '../../../src/actors/shard/messages.ts';
import { replicaKey } from '../../../src/bus/subjects.ts';
import { decodeEnvelope } from '../../../src/codec/envelope.ts';
import { createMemoryDisk } from '../../bus/local/memory-disk.ts';
import { openShardRig, type ShardRig } from './rig.ts';

const HOUR = 3_600_000;
const STEP = 60_000;
const T0 = Date.UTC(2025, 11, 31); // a multiple of two hours
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
});
