// What one listing tells of a bucket.

import { expect, it } from 'vitest';
import { DomainError } from '../../../src/model/errors.ts';
import { readBucketState } from '../../../src/storage/bucket/bucket-state.ts';
import { markKey } from '../../../src/storage/bucket/marks.ts';
import { A, B, C, openBucketRig } from './bucket-rig.ts';

const TEXT = new TextEncoder();

it('tells of each block its size, the time it was complete and its marks', async () => {
  const rig = openBucketRig();
  await rig.putPartial(A);
  await rig.clock.advance(5000);
  await rig.putBlock(A);
  const complete = rig.clock.now();
  await rig.clock.advance(5000);
  await rig.mark('no-compact', A);
  await rig.putBlock(B);
  const state = await readBucketState(rig.objects, rig.cacheDisk);
  expect(state.blocks.map(({ meta }) => meta.ulid)).toEqual([A, B]);
  expect(state.blocks[0]).toMatchObject({ uploadedMs: complete, unreadableMarks: new Map() });
  expect(state.blocks[0]!.bytes).toBeGreaterThan(100);
  expect([...state.blocks[0]!.marks.keys()]).toEqual(['no-compact']);
  expect(state.blocks[1]!.marks.size).toBe(0);
  expect([state.partial, state.halfDeleted, state.corrupt]).toEqual([[], [], []]);
});

it('tells uploads under way from deletions that did not end', async () => {
  const rig = openBucketRig();
  await rig.putPartial(A);
  const changedMs = rig.clock.now();
  await rig.putPartial(B);
  await rig.mark('deletion', B);
  const state = await readBucketState(rig.objects, rig.cacheDisk);
  expect(state.partial).toEqual([{ ulid: A, bytes: 100, changedMs }]);
  expect(state.halfDeleted.map(({ ulid }) => ulid)).toEqual([B]);
  expect(state.blocks).toEqual([]);
});

it('reports a block whose meta.json cannot be read and goes on', async () => {
  const rig = openBucketRig();
  await rig.putPartial(A);
  await rig.objects.put(`${A}/meta.json`, TEXT.encode('{"ulid":'));
  await rig.putBlock(B);
  const state = await readBucketState(rig.objects, rig.cacheDisk);
  expect(state.corrupt.map(({ ulid }) => ulid)).toEqual([A]);
  expect(state.corrupt[0]!.reason).toContain(A);
  expect(state.blocks.map(({ meta }) => meta.ulid)).toEqual([B]);
});

it('tells of a mark that cannot be read without believing it', async () => {
  const rig = openBucketRig();
  await rig.putBlock(A);
  await rig.objects.put(markKey('deletion', A), TEXT.encode('{}'));
  const [block] = (await readBucketState(rig.objects, rig.cacheDisk)).blocks;
  expect(block!.marks.size).toBe(0);
  expect(block!.unreadableMarks.get('deletion')).toContain(markKey('deletion', A));
});

it('passes over what is no block folder', async () => {
  const rig = openBucketRig();
  await rig.objects.put('debug/metas/x.json', TEXT.encode('{}'));
  await rig.objects.put('readme', TEXT.encode('hello'));
  const state = await readBucketState(rig.objects, rig.cacheDisk);
  expect(state).toEqual({ blocks: [], partial: [], halfDeleted: [], corrupt: [] });
});

it('lists once and fetches a meta.json once in its life', async () => {
  const rig = openBucketRig();
  for (const ulid of [A, B, C]) await rig.putBlock(ulid);
  const asked: string[] = [];
  const objects = {
    ...rig.objects,
    get(key: string): Promise<Uint8Array> {
      asked.push(key);
      return rig.objects.get(key);
    },
    list(prefix: string): ReturnType<typeof rig.objects.list> {
      asked.push(`list ${prefix}`);
      return rig.objects.list(prefix);
    },
  };
  await readBucketState(objects, rig.cacheDisk);
  expect([...asked].sort()).toEqual([...[A, B, C].map((ulid) => `${ulid}/meta.json`), 'list '].sort());
  asked.length = 0;
  await readBucketState(objects, rig.cacheDisk);
  expect(asked).toEqual(['list ']);
});

it('fails when the bucket does', async () => {
  const rig = openBucketRig();
  await rig.putBlock(A);
  const get = (): Promise<Uint8Array> => Promise.reject(new DomainError('unavailable', 'away'));
  await expect(readBucketState({ ...rig.objects, get }, rig.cacheDisk)).rejects.toThrow('away');
});
