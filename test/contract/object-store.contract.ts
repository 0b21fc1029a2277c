// What every ObjectStore must keep: the promises of src/storage/objects/object-store.ts as tests. Run it from the
// implementation's own test file.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ObjectStore } from '../../src/storage/objects/object-store.ts';
import { failure } from './eventually.ts';

/** An empty bucket. */
export interface ObjectStoreHarness {
  readonly store: ObjectStore;
  dispose(): Promise<void>;
}

/** What the suite is run against. `skip` names tests by title, each with the reason. */
export interface ObjectStoreContractOptions {
  readonly name: string;
  readonly make: () => Promise<ObjectStoreHarness>;
  readonly skip?: Readonly<Record<string, string>>;
}

const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);
const text = (value: Uint8Array): string => new TextDecoder().decode(value);

function pattern(length: number): Uint8Array {
  const out = new Uint8Array(length);
  for (let i = 0; i < length; i++) out[i] = (i * 31 + (i >>> 8)) & 0xff;
  return out;
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const out: T[] = [];
  for await (const item of items) out.push(item);
  return out;
}

async function* inChunks(whole: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < whole.length; at += size) yield whole.subarray(at, at + size);
}

/** Declares the suite. */
export function runObjectStoreContract(options: ObjectStoreContractOptions): void {
  describe(`object store contract: ${options.name}`, () => {
    let harness: ObjectStoreHarness;
    let store: ObjectStore;

    beforeEach(async () => {
      harness = await options.make();
      store = harness.store;
    });
    afterEach(() => harness.dispose());

    const test = (title: string, run: () => Promise<void>): void => {
      if (options.skip?.[title] === undefined) it(title, run);
      else it.skip(`${title} (${options.skip[title]})`, run);
    };
    const keys = async (prefix: string): Promise<string[]> =>
      (await collect(store.list(prefix))).map((entry) => entry.key);

    test('gives back what was put, byte for byte, nothing and large things too', async () => {
      for (const length of [0, 1, 1_000, 5_000_000]) {
        await store.put(`x/${length}`, pattern(length));
        const found = await store.get(`x/${length}`);
        expect(Buffer.compare(found, pattern(length))).toBe(0);
      }
    });

    test('puts a part of a larger buffer', async () => {
      await store.put('part', bytes('abcdef').subarray(2, 4));
      expect(text(await store.get('part'))).toBe('cd');
    });

    test('replaces an object as a whole', async () => {
      await store.put('key', bytes('a longer first value'));
      await store.put('key', bytes('second'));
      expect(text(await store.get('key'))).toBe('second');
      expect(await store.stat('key')).toMatchObject({ key: 'key', bytes: 6 });
    });

    test('keeps one of many values put at once', async () => {
      const values = Array.from({ length: 10 }, (_, i) => `${i}`.repeat(50_000));
      await Promise.all(values.map((value) => store.put('contended', bytes(value))));
      expect(values).toContain(text(await store.get('contended')));
    });

    test('lets exactly one of many putOnce win, the others get conflict', async () => {
      const outcomes = await Promise.allSettled(
        Array.from({ length: 8 }, (_, i) => store.putOnce('fence/one', bytes(`writer ${i}`))),
      );
      const winners = outcomes.flatMap((outcome, i) => (outcome.status === 'fulfilled' ? [i] : []));
      expect(winners).toHaveLength(1);
      for (const outcome of outcomes)
        if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'conflict' });
      expect(text(await store.get('fence/one'))).toBe(`writer ${winners[0]}`);
    });

    test('lets putOnce take a key again after its removal', async () => {
      await store.putOnce('once', bytes('1'));
      await failure(store.putOnce('once', bytes('2')), 'conflict');
      await store.remove('once');
      await store.putOnce('once', bytes('3'));
      expect(text(await store.get('once'))).toBe('3');
    });

    test('stores a stream of chunks', async () => {
      const whole = pattern(3_000_001);
      await store.putStream('stream', inChunks(whole, 70_000), whole.length);
      expect(Buffer.compare(await store.get('stream'), whole)).toBe(0);
    });

    test('stores nothing when a stream fails or has another length than announced', async () => {
      async function* failing(): AsyncGenerator<Uint8Array> {
        yield bytes('half');
        throw new Error('the file broke');
      }
      await expect(store.putStream('s/broken', failing(), 100)).rejects.toThrow();
      await failure(store.putStream('s/short', inChunks(pattern(10), 5), 11), 'bad_data');
      await failure(store.putStream('s/long', inChunks(pattern(10), 5), 9), 'bad_data');
      expect(await keys('s/')).toEqual([]);
    });

    test('reads ranges, shorter only at the end', async () => {
      const whole = pattern(10_000);
      await store.put('range', whole);
      for (const [offset, length] of [
        [0, 1],
        [0, 10_000],
        [9_999, 1],
        [1_234, 4_321],
        [9_990, 100],
        [10_000, 5],
        [20_000, 5],
        [17, 0],
      ] as const)
        expect(await store.getRange('range', offset, length)).toEqual(whole.slice(offset, offset + length));
    });

    test('reads many ranges at once', async () => {
      const whole = pattern(200_000);
      await store.put('ranges', whole);
      const parts = await Promise.all(
        Array.from({ length: 100 }, (_, i) => store.getRange('ranges', i * 2_000, 2_000)),
      );
      expect(Buffer.compare(Buffer.concat(parts), whole)).toBe(0);
    });

    test('says not_found for what is not there', async () => {
      await store.put('there/is/something', bytes('x'));
      for (const key of ['nothing', 'there', 'there/is']) {
        await failure(store.get(key), 'not_found');
        await failure(store.getRange(key, 0, 10), 'not_found');
        expect(await store.stat(key)).toBeUndefined();
      }
    });

    test('removes, and removing what is absent is fine', async () => {
      await store.put('gone', bytes('x'));
      await store.remove('gone');
      await store.remove('gone');
      await store.remove('never/was');
      await failure(store.get('gone'), 'not_found');
      expect(await keys('')).toEqual([]);
    });

    test('tells size and time of objects', async () => {
      const before = Date.now();
      await store.put('timed', bytes('12345'));
      const entry = await store.stat('timed');
      expect(entry).toMatchObject({ key: 'timed', bytes: 5 });
      expect(Math.abs(entry!.modifiedMs - before)).toBeLessThan(60_000);
      expect(await collect(store.list('timed'))).toMatchObject([{ key: 'timed', bytes: 5 }]);
    });

    test('lists by prefix in order of keys, more than a page of them', async () => {
      const names = Array.from({ length: 1_100 }, (_, i) => `many/${String(i).padStart(5, '0')}`);
      for (let at = 0; at < names.length; at += 100)
        await Promise.all(names.slice(at, at + 100).map((name) => store.put(name, bytes(name))));
      expect(await keys('many/')).toEqual(names);
      expect(await keys('many/0001')).toEqual(names.slice(10, 20));
    });

    test('orders keys as strings, folders among them', async () => {
      const names = ['a-b', 'a.b', 'a/b', 'a/b-c', 'a0', 'ab/c', 'b'];
      for (const name of [...names].reverse()) await store.put(name, bytes('x'));
      expect(await keys('')).toEqual(names);
      expect(await keys('a/')).toEqual(['a/b', 'a/b-c']);
      expect(await keys('a')).toEqual(names.slice(0, -1));
      expect(await keys('zzz/')).toEqual([]);
    });

    test('names the immediate folders below a prefix', async () => {
      for (const name of ['x/1/chunks/1', 'x/1/meta.json', 'x/2/meta.json', 'x/file', 'y/z'])
        await store.put(name, bytes('x'));
      expect(await collect(store.folders(''))).toEqual(['x/', 'y/']);
      expect(await collect(store.folders('x/'))).toEqual(['x/1/', 'x/2/']);
      expect(await collect(store.folders('x/2/'))).toEqual([]);
      await store.remove('x/2/meta.json');
      expect(await collect(store.folders('x/'))).toEqual(['x/1/']);
    });

    test('takes objects in and out of one folder at the same time', async () => {
      await Promise.all(
        Array.from({ length: 50 }, async (_, i) => {
          await store.put(`busy/${i % 3}/${i}`, bytes(`${i}`));
          if (i % 2 === 0) await store.remove(`busy/${i % 3}/${i}`);
        }),
      );
      expect(await keys('busy/')).toHaveLength(25);
    });

    test('refuses keys that would lead out of the bucket', async () => {
      for (const key of ['', '/absolute', '../up', 'a/../../b', 'a//b', 'a/.', 'a\\b', 'a\u0000b', 'a/']) {
        await failure(store.put(key, bytes('x')), 'bad_data');
        await failure(store.get(key), 'bad_data');
        await failure(store.remove(key), 'bad_data');
      }
    });

    test('keeps names with spaces, percent signs and letters of any script', async () => {
      const names = ['a b', 'a%20b', 'a+b', 'ä/ö', '指标/一'];
      for (const name of names) await store.put(name, bytes(name));
      for (const name of names) expect(text(await store.get(name))).toBe(name);
      expect((await keys('')).sort()).toEqual([...names].sort());
    });

    test('does nothing for a signal that aborted before', async () => {
      await store.put('key', bytes('x'));
      await expect(store.get('key', AbortSignal.abort())).rejects.toThrow();
      await expect(store.getRange('key', 0, 1, AbortSignal.abort())).rejects.toThrow();
      await expect(store.put('other', bytes('x'), AbortSignal.abort())).rejects.toThrow();
      expect(await keys('')).toEqual(['key']);
    });
  });
}
