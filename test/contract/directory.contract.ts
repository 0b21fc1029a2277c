// What every Directory must keep: the promises of src/bus/directory.ts as tests. Run it from the implementation's own test file.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Directory, DirectoryEntry } from '../../src/bus/directory.ts';
import { eventually, failure, pause } from './eventually.ts';

/** One process's access to the directory. */
export interface DirectoryHandle {
  readonly directory: Directory;
  /** From now on nothing of this handle reaches the directory (a lost network, a kill -9); its own clock runs on. */
  cut(): Promise<void>;
}

/** A directory of its own. */
export interface DirectoryHarness {
  open(): Promise<DirectoryHandle>;
  /** Lets `ms` pass on the directory's clock (a virtual one, or by waiting). */
  elapse(ms: number): Promise<void>;
  /** Closes everything and opens the same storage again; stored records must survive. Absent: nothing survives a restart. */
  restart?(): Promise<void>;
  dispose(): Promise<void>;
}

/** What the suite is run against. `skip` names tests by title, each with the reason. */
export interface DirectoryContractOptions {
  readonly name: string;
  readonly make: () => Promise<DirectoryHarness>;
  /** Time to live of entries and leases in the tests; default 1,500 ms. */
  readonly ttlMs?: number;
  readonly skip?: Readonly<Record<string, string>>;
}

const text = (payload: Uint8Array): string => new TextDecoder().decode(payload);
const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);
const shown = (entries: readonly DirectoryEntry[]): string[] =>
  entries.map((entry) => `${entry.key}=${text(entry.value)}`);

/** Declares the suite. */
export function runDirectoryContract(options: DirectoryContractOptions): void {
  const ttlMs = options.ttlMs ?? 1_500;

  describe(`directory contract: ${options.name}`, () => {
    let harness: DirectoryHarness;
    let a: DirectoryHandle;
    let b: DirectoryHandle;

    beforeEach(async () => {
      harness = await options.make();
      a = await harness.open();
      b = await harness.open();
    });
    afterEach(() => harness.dispose());

    const test = (title: string, run: () => Promise<void>): void => {
      if (options.skip?.[title] === undefined) it(title, run, 60_000);
      else it.skip(`${title} (${options.skip[title]})`, run);
    };

    // Steps the clock until `check` is true; fails after `limitMs` of the directory's time.
    const elapseUntil = async (
      what: string,
      check: () => Promise<boolean> | boolean,
      limitMs: number,
    ): Promise<number> => {
      const stepMs = ttlMs / 15;
      for (let passed = 0; passed <= limitMs; passed += stepMs) {
        if (await check()) return passed;
        await harness.elapse(stepMs);
      }
      return expect.fail(`did not happen within ${limitMs} ms: ${what}`);
    };

    describe('entries', () => {
      test('are listed by prefix, in order of keys, wherever they were announced', async () => {
        await a.directory.announce('member.b', bytes('1'), ttlMs);
        await b.directory.announce('member.a', bytes('2'), ttlMs);
        await b.directory.announce('memberx', bytes('3'), ttlMs);
        await a.directory.announce('other.a', bytes('4'), ttlMs);
        expect(shown(await a.directory.list('member.'))).toEqual(['member.a=2', 'member.b=1']);
        expect(shown(await b.directory.list('member.'))).toEqual(['member.a=2', 'member.b=1']);
        expect(await b.directory.list('nothing.')).toEqual([]);
      });

      test('are replaced by update with a larger revision, and gone after withdraw', async () => {
        const announcement = await a.directory.announce('member.a', bytes('1'), ttlMs);
        const [first] = await b.directory.list('member.');
        await announcement.update(bytes('2'));
        const [second] = await b.directory.list('member.');
        expect(text(second!.value)).toBe('2');
        expect(second!.revision).toBeGreaterThan(first!.revision);
        await announcement.withdraw();
        expect(await b.directory.list('member.')).toEqual([]);
        await announcement.withdraw();
        await harness.elapse(ttlMs);
        expect(await b.directory.list('member.')).toEqual([]);
      });

      test('stay as long as their process lives, and expire when it does not', async () => {
        await a.directory.announce('member.a', bytes('1'), ttlMs);
        await b.directory.announce('member.b', bytes('2'), ttlMs);
        await harness.elapse(ttlMs * 2.5);
        expect(shown(await b.directory.list('member.'))).toEqual(['member.a=1', 'member.b=2']);
        await a.cut();
        await elapseUntil(
          'expiry of the cut entry',
          async () => shown(await b.directory.list('member.')).join() === 'member.b=2',
          ttlMs * 3,
        );
      });
    });

    describe('watch', () => {
      test('tells the entries at the start and after each change, until stopped', async () => {
        await a.directory.announce('member.a', bytes('1'), ttlMs);
        let latest: string | undefined;
        const stop = await b.directory.watch('member.', (entries) => {
          latest = shown(entries).join();
        });
        await eventually('the start', () => latest === 'member.a=1');
        const announcement = await a.directory.announce('member.b', bytes('2'), ttlMs);
        await eventually('an entry appears', () => latest === 'member.a=1,member.b=2');
        await announcement.update(bytes('3'));
        await eventually('an entry changes', () => latest === 'member.a=1,member.b=3');
        await a.directory.announce('other.x', bytes('4'), ttlMs);
        await announcement.withdraw();
        await eventually('an entry vanishes', () => latest === 'member.a=1');
        stop();
        await pause(20);
        await a.directory.announce('member.c', bytes('5'), ttlMs);
        await pause(50);
        expect(latest).toBe('member.a=1');
      });

      test('tells an empty start', async () => {
        let latest: readonly DirectoryEntry[] | undefined;
        await b.directory.watch('nothing.', (entries) => {
          latest = entries;
        });
        await eventually('the start', () => latest !== undefined);
        expect(latest).toEqual([]);
      });

      test('tells expiry without anybody asking', async () => {
        await a.directory.announce('member.a', bytes('1'), ttlMs);
        let latest: string | undefined;
        await b.directory.watch('member.', (entries) => {
          latest = shown(entries).join();
        });
        await eventually('the start', () => latest === 'member.a=1');
        await a.cut();
        await elapseUntil('expiry', () => latest === '', ttlMs * 3);
      });

      test('tells leases and records too', async () => {
        let latest = '';
        await b.directory.watch('x.', (entries) => {
          latest = shown(entries).join();
        });
        const lease = await a.directory.acquire('x.lease', bytes('me'), ttlMs);
        await a.directory.write('x.record', bytes('r'), 0);
        await eventually('both', () => latest === 'x.lease=me,x.record=r');
        await lease!.release();
        await eventually('release', () => latest === 'x.record=r');
      });
    });

    describe('leases', () => {
      test('have one holder, whoever asks', async () => {
        const lease = await a.directory.acquire('lease.0', bytes('a'), ttlMs);
        expect(lease).toBeDefined();
        expect(lease!.key).toBe('lease.0');
        expect(lease!.lost.aborted).toBe(false);
        expect(await b.directory.acquire('lease.0', bytes('b'), ttlMs)).toBeUndefined();
        expect(await a.directory.acquire('lease.0', bytes('a2'), ttlMs)).toBeUndefined();
        expect(shown(await b.directory.list('lease.'))).toEqual(['lease.0=a']);
        expect(await b.directory.acquire('lease.1', bytes('b'), ttlMs)).toBeDefined();
      });

      test('go to exactly one of many who ask at once', async () => {
        const tries = await Promise.all(
          Array.from({ length: 20 }, (_, i) =>
            (i % 2 === 0 ? a : b).directory.acquire('lease.0', bytes(String(i)), ttlMs),
          ),
        );
        expect(tries.filter((lease) => lease !== undefined).length).toBe(1);
      });

      test('released can be taken at once, with a larger token every time', async () => {
        let token = 0;
        for (let i = 0; i < 6; i++) {
          const lease = await (i % 2 === 0 ? a : b).directory.acquire('lease.0', bytes(String(i)), ttlMs);
          expect(lease, `round ${i}`).toBeDefined();
          expect(lease!.token).toBeGreaterThan(token);
          token = lease!.token;
          await lease!.release();
          await lease!.release();
        }
        expect(await a.directory.list('lease.')).toEqual([]);
      });

      test('are kept by a living holder for as long as it wants', async () => {
        const lease = await a.directory.acquire('lease.0', bytes('a'), ttlMs);
        for (let step = 0; step < 12; step++) {
          expect(await b.directory.acquire('lease.0', bytes('b'), ttlMs)).toBeUndefined();
          expect(lease!.lost.aborted).toBe(false);
          await harness.elapse(ttlMs / 4);
        }
        expect(lease!.lost.aborted).toBe(false);
      });

      test('are lost to their holder before another can take them', async () => {
        const lease = await a.directory.acquire('lease.0', bytes('a'), ttlMs);
        await harness.elapse(ttlMs);
        expect(lease!.lost.aborted).toBe(false);
        await a.cut();
        let lostBefore = false;
        let token = 0;
        await elapseUntil(
          'the lease is taken',
          async () => {
            const before = lease!.lost.aborted;
            const taken = await b.directory.acquire('lease.0', bytes('b'), ttlMs);
            if (!taken) return false;
            lostBefore = before;
            token = taken.token;
            return true;
          },
          ttlMs * 4,
        );
        expect(lostBefore).toBe(true);
        expect(token).toBeGreaterThan(lease!.token);
      });
    });

    describe('records', () => {
      test('are created once, replaced only from the revision that was read', async () => {
        expect(await a.directory.read('cluster')).toBeUndefined();
        const first = await a.directory.write('cluster', bytes('1'), 0);
        expect(first).toBeGreaterThan(0);
        expect(await b.directory.read('cluster')).toMatchObject({ key: 'cluster', revision: first });
        await failure(b.directory.write('cluster', bytes('x'), 0), 'conflict');
        const second = await b.directory.write('cluster', bytes('2'), first);
        expect(second).toBeGreaterThan(first);
        await failure(a.directory.write('cluster', bytes('y'), first), 'conflict');
        await failure(a.directory.write('missing', bytes('y'), 7), 'conflict');
        const entry = await a.directory.read('cluster');
        expect([text(entry!.value), entry!.revision]).toEqual(['2', second]);
        expect(shown(await a.directory.list('clu'))).toEqual(['cluster=2']);
      });

      test('written by many at once from one revision go to exactly one', async () => {
        const outcomes = await Promise.allSettled(
          Array.from({ length: 10 }, (_, i) =>
            (i % 2 === 0 ? a : b).directory.write('r', bytes(String(i)), 0),
          ),
        );
        expect(outcomes.filter((outcome) => outcome.status === 'fulfilled').length).toBe(1);
        const winner = outcomes.findIndex((outcome) => outcome.status === 'fulfilled');
        expect(text((await a.directory.read('r'))!.value)).toBe(String(winner));
      });

      test('do not expire and survive a restart, and tokens go on growing', async () => {
        const revision = await a.directory.write('cluster', bytes('kept'), 0);
        const before = await a.directory.acquire('lease.0', bytes('a'), ttlMs);
        await harness.elapse(ttlMs * 2);
        expect(text((await b.directory.read('cluster'))!.value)).toBe('kept');
        if (!harness.restart) return;
        await before!.release();
        await harness.restart();
        const c = await harness.open();
        const entry = await c.directory.read('cluster');
        expect([text(entry!.value), entry!.revision]).toEqual(['kept', revision]);
        await failure(c.directory.write('cluster', bytes('x'), 0), 'conflict');
        const after = await c.directory.acquire('lease.0', bytes('c'), ttlMs);
        expect(after!.token).toBeGreaterThan(before!.token);
      });
    });
  });
}
