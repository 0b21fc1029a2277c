// A bucket in memory with folders that look like blocks, at times of a virtual clock.

import { blockUlid, encodeBlockMeta } from '../../../src/storage/block/block-meta.ts';
import { type Mark, type MarkKind, writeMark } from '../../../src/storage/bucket/marks.ts';
import { memoryStore } from '../../../src/storage/objects/memory.ts';
import type { ObjectStore } from '../../../src/storage/objects/object-store.ts';
import { createMemoryDisk } from '../../bus/local/memory-disk.ts';
import { createVirtualClock, type VirtualClock } from '../../helpers/virtual-clock.ts';
import { testMeta } from '../test-meta.ts';

/** Names of blocks, in their order. */
export const A: string = nameOf(0);
export const B: string = nameOf(1);
export const C: string = nameOf(2);

function nameOf(place: number): string {
  return blockUlid({ tenant: 't', partition: 0, minTime: place * 7_200_000, maxTime: 0, level: 1, salt: '' });
}

/** The bucket and what is read of it. */
export interface BucketRig {
  readonly clock: VirtualClock;
  readonly objects: ObjectStore;
  readonly cacheDisk: ReturnType<typeof createMemoryDisk>;
  /** Puts a whole block of 100 bytes and its meta.json. */
  putBlock(ulid: string): Promise<void>;
  /** Puts what an upload leaves that has not come to its end. */
  putPartial(ulid: string): Promise<void>;
  mark(kind: MarkKind, ulid: string): Promise<void>;
  /** Keys below the folders, without meta.json's bytes. */
  keys(): Promise<string[]>;
}

/** An empty bucket. */
export function openBucketRig(): BucketRig {
  const clock = createVirtualClock();
  const objects = memoryStore(clock);
  const putPartial = async (ulid: string): Promise<void> => {
    await objects.put(`${ulid}/chunks/000001`, new Uint8Array(60));
    await objects.put(`${ulid}/index`, new Uint8Array(40));
  };
  return {
    clock,
    objects,
    cacheDisk: createMemoryDisk(),
    putPartial,
    async putBlock(ulid) {
      await putPartial(ulid);
      await objects.put(`${ulid}/meta.json`, encodeBlockMeta(testMeta({ ulid, span: [0, 7_200_000] })));
    },
    async mark(kind, ulid) {
      const reason = kind === 'deletion' ? undefined : 'manual';
      const mark: Mark = { kind, ulid, details: 'test', atMs: clock.now(), reason };
      await writeMark(objects, mark);
    },
    async keys() {
      const out: string[] = [];
      for await (const { key } of objects.list('')) out.push(key);
      return out;
    },
  };
}
