// What leaves a bucket for good, and when.

import { expect, it } from 'vitest';
import { DomainError } from '../../../src/model/errors.ts';
import { readBucketState } from '../../../src/storage/bucket/bucket-state.ts';
import { type CleaningRules, cleanBucket, planCleaning } from '../../../src/storage/bucket/clean.ts';
import { markKey } from '../../../src/storage/bucket/marks.ts';
import { A, B, type BucketRig, C, openBucketRig } from './bucket-rig.ts';

const HOUR = 3_600_000;

function rulesOf(rig: BucketRig): CleaningRules {
  return { now: rig.clock.now(), deleteDelayMs: 48 * HOUR, partialDelayMs: 24 * HOUR };
}

async function planOf(rig: BucketRig): Promise<ReturnType<typeof planCleaning>> {
  return planCleaning(await readBucketState(rig.objects, rig.cacheDisk), rulesOf(rig));
}

const run = (rig: BucketRig) => ({ rules: rulesOf(rig), assertOwner: () => undefined });

it('removes a marked block when its mark is old enough, not before', async () => {
  const rig = openBucketRig();
  await rig.putBlock(A);
  await rig.putBlock(B);
  await rig.mark('deletion', A);
  await rig.clock.advance(48 * HOUR - 1000);
  expect(await planOf(rig)).toEqual([]);
  await rig.clock.advance(1000);
  const steps = await planOf(rig);
  expect(steps).toMatchObject([{ ulid: A, reason: 'marked' }]);
  expect(await cleanBucket(rig.objects, steps, run(rig))).toMatchObject([{ result: 'removed' }]);
  expect((await rig.keys()).filter((key) => key.startsWith(A))).toEqual([]);
  expect((await rig.keys()).filter((key) => key.startsWith(B))).toHaveLength(3);
});

it('removes an upload that was given up, by the time of its newest object', async () => {
  const rig = openBucketRig();
  await rig.putPartial(A);
  await rig.clock.advance(23 * HOUR);
  await rig.objects.put(`${A}/index`, new Uint8Array(50));
  await rig.clock.advance(23 * HOUR);
  expect(await planOf(rig)).toEqual([]);
  await rig.clock.advance(HOUR);
  const steps = await planOf(rig);
  expect(steps).toEqual([{ ulid: A, reason: 'partial-upload', bytes: 110 }]);
  await cleanBucket(rig.objects, steps, run(rig));
  expect(await rig.keys()).toEqual([]);
});

it('ends a deletion that was begun, at once', async () => {
  const rig = openBucketRig();
  await rig.putPartial(A);
  await rig.mark('deletion', A);
  const steps = await planOf(rig);
  expect(steps).toMatchObject([{ ulid: A, reason: 'half-deleted' }]);
  await cleanBucket(rig.objects, steps, run(rig));
  expect(await rig.keys()).toEqual([]);
});

it('removes nothing for a mark that cannot be read', async () => {
  const rig = openBucketRig();
  await rig.putBlock(A);
  await rig.objects.put(markKey('deletion', A), new TextEncoder().encode('{"version":1}'));
  await rig.clock.advance(1000 * HOUR);
  expect(await planOf(rig)).toEqual([]);
});

it('looks again first: a mark taken back, an upload that went on or came to its end are left', async () => {
  const rig = openBucketRig();
  await rig.putBlock(A);
  await rig.mark('deletion', A);
  await rig.putPartial(B);
  await rig.putPartial(C);
  await rig.clock.advance(48 * HOUR);
  const steps = await planOf(rig);
  expect(steps).toHaveLength(3);
  await rig.objects.remove(markKey('deletion', A));
  await rig.objects.put(`${B}/chunks/000002`, new Uint8Array(1));
  await rig.putBlock(C);
  const before = await rig.keys();
  const outcomes = await cleanBucket(rig.objects, steps, run(rig));
  expect(outcomes.map(({ result }) => result)).toEqual(['kept', 'kept', 'kept']);
  expect(await rig.keys()).toEqual(before);
});

it('goes on after a folder that cannot be removed, and says which', async () => {
  const rig = openBucketRig();
  await rig.putPartial(A);
  await rig.putPartial(B);
  await rig.clock.advance(48 * HOUR);
  const remove = async (key: string): Promise<void> => {
    if (key.startsWith(A)) throw new DomainError('unavailable', `cannot remove ${key}`);
    await rig.objects.remove(key);
  };
  const outcomes = await cleanBucket({ ...rig.objects, remove }, await planOf(rig), run(rig));
  expect(outcomes.map(({ step, result }) => [step.ulid, result])).toEqual([
    [A, 'failed'],
    [B, 'removed'],
  ]);
  expect(outcomes[0]!.error?.message).toContain(A);
});

it('stops before the next folder when the lease is lost', async () => {
  const rig = openBucketRig();
  await rig.putPartial(A);
  await rig.putPartial(B);
  await rig.clock.advance(48 * HOUR);
  let asked = 0;
  const assertOwner = (): void => {
    if (++asked === 2) throw new DomainError('conflict', 'the lease is lost');
  };
  const steps = await planOf(rig);
  await expect(cleanBucket(rig.objects, steps, { ...run(rig), assertOwner })).rejects.toThrow('lease');
  expect((await rig.keys()).every((key) => key.startsWith(B))).toBe(true);
});

it.each([0, 1, 2, 3, 4])(
  'a block whose deletion is killed after %i requests is never half a block',
  async (survived) => {
    const rig = openBucketRig();
    await rig.putBlock(A);
    await rig.mark('deletion', A);
    await rig.clock.advance(48 * HOUR);
    let done = 0;
    const remove = async (key: string): Promise<void> => {
      if (done++ >= survived) throw new DomainError('unavailable', 'killed');
      await rig.objects.remove(key);
    };
    await cleanBucket({ ...rig.objects, remove }, await planOf(rig), run(rig));
    const { blocks } = await readBucketState(rig.objects, rig.cacheDisk);
    const keys = await rig.keys();
    for (const { meta } of blocks) expect(keys.filter((key) => key.startsWith(meta.ulid))).toHaveLength(4);
    await cleanBucket(rig.objects, await planOf(rig), run(rig));
    expect(await rig.keys()).toEqual([]);
  },
);
