import { describe, expect, it } from 'vitest';
import { DomainError } from '../../../src/model/errors.ts';
import { guardedStore } from '../../../src/storage/objects/guarded.ts';
import { memoryStore } from '../../../src/storage/objects/memory.ts';
import type { ObjectStore } from '../../../src/storage/objects/object-store.ts';
import { createVirtualClock } from '../../helpers/virtual-clock.ts';

async function setup() {
  const clock = createVirtualClock();
  const below = memoryStore(clock);
  await below.put('a', Uint8Array.of(1));
  const faults = { silent: false, refuses: false, asked: 0 };
  const fail = async (): Promise<void> => {
    faults.asked++;
    if (faults.silent) await new Promise(() => {});
    if (faults.refuses) throw new DomainError('unavailable', 'connection refused');
  };
  const objects: ObjectStore = {
    ...below,
    get: (key) => fail().then(() => below.get(key)),
    put: (key, bytes) => fail().then(() => below.put(key, bytes)),
    async *list(prefix) {
      await fail();
      yield* below.list(prefix);
    },
  };
  const store = guardedStore(objects, clock, { waitMs: 5000, retryMs: 3000 });
  const outcome = (work: Promise<unknown>): Promise<unknown> =>
    work.then(
      (value) => value,
      (error: DomainError) => `${error.code}: ${error.message}`,
    );
  const keys = async (): Promise<string[]> => {
    const found: string[] = [];
    for await (const { key } of store.list('')) found.push(key);
    return found;
  };
  return { clock, store, faults, outcome, keys };
}

describe('a guarded store', () => {
  it('hands everything through while the bucket answers', async () => {
    const { clock, store, outcome, keys } = await setup();
    expect(await store.get('a')).toEqual(Uint8Array.of(1));
    expect(await outcome(store.get('b'))).toMatch(/^not_found/);
    await store.put('b', Uint8Array.of(2));
    expect(await keys()).toEqual(['a', 'b']);
    expect(clock.pending()).toBe(0);
  });

  it('gives up on a silent bucket, asks nothing for a while, then goes on', async () => {
    const { clock, store, faults, outcome, keys } = await setup();
    faults.silent = true;
    const read = outcome(store.get('a'));
    const listed = outcome(keys());
    await clock.advance(5000);
    expect(await read).toBe('unavailable: cannot get a: no answer within 5000 ms');
    expect(await listed).toMatch(/^unavailable: cannot list : no answer/);
    const asked = faults.asked;
    expect(await outcome(store.get('a'))).toMatch(/^unavailable: cannot get a: the bucket is away/);
    expect(await outcome(store.put('c', Uint8Array.of(3)))).toMatch(/the bucket is away/);
    expect(faults.asked).toBe(asked);
    faults.silent = false;
    await clock.advance(3000);
    expect(await store.get('a')).toEqual(Uint8Array.of(1));
    expect(await keys()).toEqual(['a']);
  });

  it('waits for a slow bucket as long as it answers others, and no longer', async () => {
    const { clock, store, faults, outcome } = await setup();
    faults.silent = true;
    const slow = outcome(store.get('a'));
    faults.silent = false;
    for (const key of ['a', 'b']) {
      await clock.advance(4000);
      await outcome(store.get(key));
    }
    let said: unknown;
    void slow.then((text) => {
      said = text;
    });
    await clock.advance(6999);
    expect(said).toBe(undefined);
    await clock.advance(1);
    expect(said).toBe('unavailable: cannot get a: no answer within 5000 ms');
  });

  it('believes a refusal at once', async () => {
    const { store, faults, outcome } = await setup();
    faults.refuses = true;
    expect(await outcome(store.get('a'))).toBe('unavailable: connection refused');
    expect(await outcome(store.get('a'))).toBe(
      'unavailable: cannot get a: the bucket is away (connection refused)',
    );
    expect(faults.asked).toBe(1);
  });

  it('lets a request that was made before the bucket answered another one fail alone', async () => {
    const { clock, store, outcome } = await setup();
    let refuse: (error: Error) => void = () => {};
    const late = guardedStore(
      {
        ...store,
        put: () =>
          new Promise<void>((_resolve, reject) => {
            refuse = reject;
          }),
      },
      clock,
      { waitMs: 5000, retryMs: 3000 },
    );
    const put = outcome(late.put('b', Uint8Array.of(2)));
    await clock.advance(10);
    await late.get('a');
    refuse(new DomainError('unavailable', 'connection refused'));
    expect(await put).toBe('unavailable: connection refused');
    expect(await late.get('a')).toEqual(Uint8Array.of(1));
  });
});
