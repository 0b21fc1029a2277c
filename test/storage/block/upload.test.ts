// Deleting blocks of a bucket.

import { expect, it } from 'vitest';
import { realClock } from '../../../src/platform/clock.ts';
import { deleteBlock } from '../../../src/storage/block/upload.ts';
import { memoryStore } from '../../../src/storage/objects/memory.ts';

it('removes meta.json first and the deletion mark last, after the other marks', async () => {
  const store = memoryStore(realClock());
  for (const file of ['chunks/000001', 'deletion-mark.json', 'index', 'meta.json', 'no-compact-mark.json'])
    await store.put(`B/${file}`, new Uint8Array(1));
  const removed: string[] = [];
  const remove = async (key: string): Promise<void> => {
    removed.push(key);
    await store.remove(key);
  };
  await deleteBlock({ ...store, remove }, 'B');
  expect(removed).toEqual([
    'B/meta.json',
    'B/chunks/000001',
    'B/index',
    'B/no-compact-mark.json',
    'B/deletion-mark.json',
  ]);
});
