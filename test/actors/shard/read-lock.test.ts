import { describe, expect, it } from 'vitest';
import { ReadLock } from '../../../src/actors/shard/read-lock.ts';

/** Whether a promise has settled once everything that can has. */
async function settled(promise: Promise<unknown>): Promise<boolean> {
  let done = false;
  void promise.then(() => {
    done = true;
  });
  await new Promise(setImmediate);
  return done;
}

describe('read lock', () => {
  it('lets readers in together', async () => {
    const lock = new ReadLock();
    expect(await settled(Promise.all([lock.read(), lock.read()]))).toBe(true);
  });

  it('keeps a writer out until every earlier reader is done', async () => {
    const lock = new ReadLock();
    const first = await lock.read();
    const second = await lock.read();
    const write = lock.write();
    first();
    expect(await settled(write)).toBe(false);
    second();
    expect(await settled(write)).toBe(true);
  });

  it('keeps readers that come later behind a waiting writer, so that it gets its turn', async () => {
    const lock = new ReadLock();
    const early = await lock.read();
    const write = lock.write();
    const late = lock.read();
    expect(await settled(late)).toBe(false);
    early();
    const done = await write;
    expect(await settled(late)).toBe(false);
    done();
    expect(await settled(late)).toBe(true);
  });

  it('takes a release twice for one', async () => {
    const lock = new ReadLock();
    const first = await lock.read();
    const second = await lock.read();
    first();
    first();
    const write = lock.write();
    expect(await settled(write)).toBe(false);
    second();
    expect(await settled(write)).toBe(true);
  });
});
