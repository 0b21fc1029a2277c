import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DurableLog } from '../../../src/bus/durable-log.ts';
import { type LocalLogOptions, openLocalLogs } from '../../../src/bus/local/local-log.ts';
import { recordHeaderBytes, segmentHeaderBytes } from '../../../src/bus/local/wal-record.ts';
import { DomainError } from '../../../src/model/errors.ts';
import { type Logger, silentLogger } from '../../../src/platform/log.ts';
import { seededRandom } from '../../../src/platform/random.ts';
import { failure } from '../../contract/eventually.ts';
import { createVirtualClock, settle } from '../../helpers/virtual-clock.ts';
import { createMemoryDisk, type MemoryDisk } from './memory-disk.ts';

const clock = createVirtualClock();

async function openOn(disk: MemoryDisk, options: Partial<LocalLogOptions> = {}): Promise<DurableLog> {
  const logs = await openLocalLogs({ disk, clock, log: silentLogger(), ...options });
  await logs.create(0);
  return logs.open(0);
}

/** Everything a log yields, and the error that ended it, if any. */
async function readAll(
  log: DurableLog,
): Promise<{ payloads: string[]; first: number; error: DomainError | undefined }> {
  const { first, last } = await log.bounds();
  const payloads: string[] = [];
  const control = new AbortController();
  try {
    if (last >= first)
      for await (const batch of log.read(first, control.signal)) {
        for (const message of batch) {
          expect(message.sequence).toBe(first + payloads.length);
          payloads.push(Buffer.from(message.payload).toString('latin1'));
        }
        if (payloads.length >= last - first + 1) break;
      }
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    return { payloads, first, error };
  }
  return { payloads, first, error: undefined };
}

// A payload that tells its number, of `length` bytes at least.
const payloadOf = (number: number, length: number): string =>
  `<${number}>`.padEnd(length, String(number % 10));
const latin1 = (text: string): Uint8Array => new Uint8Array(Buffer.from(text, 'latin1'));

/** Groups of payload lengths: each group is one commit. */
const groupsOf = fc.array(fc.array(fc.integer({ min: 0, max: 1_500 }), { minLength: 1, maxLength: 6 }), {
  minLength: 1,
  maxLength: 12,
});

interface Written {
  readonly disk: MemoryDisk;
  readonly payloads: string[];
  /** Index of the first payload of the last commit. */
  readonly lastGroup: number;
  readonly close: () => Promise<void>;
}

async function write(groups: readonly (readonly number[])[], segmentBytes: number): Promise<Written> {
  const disk = createMemoryDisk();
  const logs = await openLocalLogs({ disk, clock, log: silentLogger(), segmentBytes });
  await logs.create(0);
  const log = await logs.open(0);
  const payloads: string[] = [];
  let lastGroup = 0;
  for (const lengths of groups) {
    lastGroup = payloads.length;
    const batch = lengths.map((length, i) => payloadOf(payloads.length + i + 1, length));
    payloads.push(...batch);
    await Promise.all(batch.map((payload) => log.append(latin1(payload))));
  }
  return { disk, payloads, lastGroup, close: () => logs.close() };
}

function segmentsOf(disk: MemoryDisk): string[] {
  return disk.names().filter((name) => name.endsWith('.wal'));
}

describe('local log after a crash', () => {
  it('has every acknowledged record and invents none, whatever part of the unsynced pages was lost', async () => {
    await fc.assert(
      fc.asyncProperty(groupsOf, groupsOf, fc.integer(), async (before, during, seed) => {
        const { disk, payloads } = await write(before, 4_000);
        const log = await openOn(disk, { segmentBytes: 4_000 });
        disk.holdSyncs();
        const attempted = [...payloads];
        for (const length of during.flat()) {
          const payload = payloadOf(attempted.length + 1, length);
          attempted.push(payload);
          void log.append(latin1(payload)).catch(() => {});
        }
        await settle();
        disk.crash(seededRandom(seed));
        const again = await openOn(disk, { segmentBytes: 4_000 });
        const found = await readAll(again);
        expect(found.error).toBeUndefined();
        expect(found.payloads.length).toBeGreaterThanOrEqual(payloads.length);
        expect(found.payloads).toEqual(attempted.slice(0, found.payloads.length));
        expect(await again.append(latin1('next'))).toBe(found.payloads.length + 1);
      }),
      { numRuns: 150 },
    );
  });

  it('keeps what lies before a cut and goes on after it', async () => {
    await fc.assert(
      fc.asyncProperty(groupsOf, fc.double({ min: 0, max: 1, noNaN: true }), async (groups, place) => {
        const { disk, payloads } = await write(groups, 1_000_000);
        const [name] = segmentsOf(disk);
        const bytes = disk.bytes(name!);
        const length = segmentHeaderBytes + Math.floor((bytes.length - segmentHeaderBytes) * place);
        disk.setBytes(name!, bytes.subarray(0, length));
        let whole = 0;
        for (let end = segmentHeaderBytes; whole < payloads.length; whole++) {
          end += recordHeaderBytes + payloads[whole]!.length;
          if (end > length) break;
        }
        const log = await openOn(disk);
        const found = await readAll(log);
        expect(found).toEqual({ payloads: payloads.slice(0, whole), first: 1, error: undefined });
        expect(await log.append(latin1('more'))).toBe(whole + 1);
        expect((await readAll(await openOn(disk))).payloads).toEqual([...payloads.slice(0, whole), 'more']);
      }),
      { numRuns: 150 },
    );
  });

  it('reports a flipped bit as corrupt unless it lies in the last commit, and never yields a wrong record', async () => {
    await fc.assert(
      fc.asyncProperty(
        groupsOf,
        fc.constantFrom(2_000, 1_000_000),
        fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
        fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
        fc.integer({ min: 0, max: 7 }),
        async (groups, segmentBytes, which, place, bit) => {
          const { disk, payloads, lastGroup } = await write(groups, segmentBytes);
          const names = segmentsOf(disk);
          const name = names[Math.floor(names.length * which)]!;
          const bytes = disk.bytes(name);
          const offset = Math.floor(bytes.length * place);
          bytes[offset]! ^= 1 << bit;
          disk.setBytes(name, bytes);
          // the record the bit is in
          let hit = Number(/(\d{20})\.wal$/.exec(name)![1]) - 1;
          for (let end = segmentHeaderBytes; offset >= segmentHeaderBytes; hit++) {
            end += recordHeaderBytes + payloads[hit]!.length;
            if (end > offset) break;
          }
          let error: DomainError | undefined;
          let found: string[] = [];
          try {
            const all = await readAll(await openOn(disk, { segmentBytes }));
            error = all.error;
            found = all.payloads;
          } catch (thrown) {
            error = thrown as DomainError;
          }
          expect(found).toEqual(payloads.slice(0, found.length));
          if (offset < segmentHeaderBytes || hit < lastGroup || name !== names.at(-1))
            expect(error?.code).toBe('corrupt');
          else {
            expect(error).toBeUndefined();
            expect(found.length).toBe(hit);
          }
        },
      ),
      { numRuns: 400 },
    );
  });

  it('reports any loss as corrupt after a clean stop, in the last commit too', async () => {
    await fc.assert(
      fc.asyncProperty(
        groupsOf,
        fc.integer({ min: 1, max: 3_000 }),
        fc.boolean(),
        async (groups, distance, cut) => {
          const { disk, close } = await write(groups, 1_000_000);
          await close();
          const name = segmentsOf(disk).at(-1)!;
          const bytes = disk.bytes(name);
          const at = Math.max(0, bytes.length - distance);
          bytes[at]! ^= 4;
          disk.setBytes(name, cut ? bytes.subarray(0, at) : bytes);
          await failure(openOn(disk), 'corrupt');
        },
      ),
      { numRuns: 100 },
    );
  });

  it('has every acknowledged record after writes and syncs that failed, in the order of the sequences', async () => {
    const step = fc.record({
      lengths: fc.array(fc.integer({ min: 0, max: 900 }), { minLength: 1, maxLength: 4 }),
      fault: fc.constantFrom(undefined, undefined, 'write-full', 'write-broken', 'sync-broken', 'sync-full'),
      waitMs: fc.constantFrom(0, 2_000),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), fc.integer(), async (steps, seed) => {
        const disk = createMemoryDisk();
        const log = await openOn(disk, { segmentBytes: 3_000 });
        const acknowledged: string[] = [];
        let number = 0;
        for (const { lengths, fault, waitMs } of steps) {
          await clock.advance(waitMs);
          const [kind, error] = (fault?.split('-') ?? []) as ['write' | 'sync', 'full' | 'broken'];
          if (fault) disk.fail(kind, error);
          const payloads = lengths.map((length) => payloadOf(++number, length));
          const outcomes = await Promise.allSettled(payloads.map((payload) => log.append(latin1(payload))));
          for (const [i, outcome] of outcomes.entries()) {
            if (outcome.status === 'rejected') expect(['full', 'unavailable']).toContain(outcome.reason.code);
            else {
              acknowledged.push(payloads[i]!);
              expect(outcome.value).toBe(acknowledged.length);
            }
          }
          if (fault) {
            expect(outcomes.every((outcome) => outcome.status === 'rejected')).toBe(true);
            disk.fail(kind, undefined);
          }
        }
        expect((await readAll(log)).payloads).toEqual(acknowledged);
        disk.crash(seededRandom(seed));
        const found = await readAll(await openOn(disk, { segmentBytes: 3_000 }));
        expect(found.error).toBeUndefined();
        // What failed last may be there after all; nothing acknowledged may be missing or changed.
        expect(found.payloads.slice(0, acknowledged.length)).toEqual(acknowledged);
      }),
      { numRuns: 150 },
    );
  });

  it('does not trust a second fsync: after one failed, what is acknowledged lies in a new segment', async () => {
    const disk = createMemoryDisk();
    const log = await openOn(disk);
    await log.append(latin1('one'));
    disk.fail('sync', 'broken');
    const error = await failure(log.append(latin1('lost')), 'unavailable');
    expect(error.message).toContain('EIO');
    expect(error.retryable).toBe(true);
    disk.fail('sync', undefined);
    expect(await log.append(latin1('two'))).toBe(2);
    expect(segmentsOf(disk).length).toBe(2);
    for (let seed = 0; seed < 5; seed++) {
      disk.crash(seededRandom(seed));
      expect((await readAll(await openOn(disk))).payloads).toEqual(['one', 'two']);
    }
  });

  it('says in one warning what it cut off', async () => {
    const { disk } = await write([[10], [10]], 1_000_000);
    const [name] = segmentsOf(disk);
    disk.setBytes(name!, disk.bytes(name!).subarray(0, -3));
    const warnings: unknown[] = [];
    const log: Logger = {
      ...silentLogger(),
      warn: (message, fields) => warnings.push({ message, ...fields }),
    };
    await openOn(disk, { log });
    expect(warnings).toEqual([
      {
        message: 'cut the torn end off a log: its last write had not been acknowledged',
        segment: 'partition-0/00000000000000000001.wal',
        record: 2,
        reason: 'it needs 30 bytes, the file has 27',
        bytesCut: 27,
        recordsKept: 1,
      },
    ]);
  });

  it('reports missing files, naming the records that are gone', async () => {
    const { disk } = await write(
      Array.from({ length: 10 }, () => [900]),
      2_000,
    );
    const names = segmentsOf(disk);
    expect(names.length).toBeGreaterThan(3);
    const without = async (file: string): Promise<DomainError> => {
      const bytes = disk.bytes(file);
      await disk.remove(file);
      try {
        return await failure(
          openOn(disk).then(async (log) => {
            const { error } = await readAll(log);
            if (error) throw error;
          }),
          'corrupt',
        );
      } finally {
        disk.setBytes(file, bytes);
      }
    };
    expect((await without(names[0]!)).message).toMatch(/records 1 to \d+ are missing/);
    expect((await without(names[1]!)).message).toMatch(
      /cannot read record \d+ of .*: the segment ends before/,
    );
    expect((await without('partition-0/bounds')).message).toContain('"bounds" is missing');
  });
});
