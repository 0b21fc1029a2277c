import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { DurableLog } from '../../../src/bus/durable-log.ts';
import { type LocalLogOptions, openLocalLogs } from '../../../src/bus/local/local-log.ts';
import type { DomainError } from '../../../src/model/errors.ts';
import { realClock } from '../../../src/platform/clock.ts';
import { realDisk } from '../../../src/platform/disk.ts';
import { silentLogger } from '../../../src/platform/log.ts';
import { runDurableLogContract } from '../../contract/durable-log.contract.ts';
import { createVirtualClock, settle } from '../../helpers/virtual-clock.ts';
import { createMemoryDisk, type MemoryDisk } from './memory-disk.ts';

for (const [name, extra] of [
  ['local disk', {}],
  ['local disk, small segments, no memory', { segmentBytes: 2_000, recentBytesMax: 0 }],
] as const)
  runDurableLogContract({
    name,
    async make(limits) {
      const folder = await mkdtemp(path.join(tmpdir(), 'skein-log-'));
      const open = () =>
        openLocalLogs({
          disk: realDisk(folder),
          clock: realClock(),
          log: silentLogger(),
          ...extra,
          ...limits,
        });
      let logs = await open();
      return {
        logs,
        async reopen() {
          await logs.close();
          logs = await open();
          return logs;
        },
        async dispose() {
          await logs.close();
          await rm(folder, { recursive: true });
        },
      };
    },
  });

describe('local log', () => {
  const clock = createVirtualClock();
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  const open = async (disk: MemoryDisk, options: Partial<LocalLogOptions> = {}): Promise<DurableLog> => {
    const logs = await openLocalLogs({ disk, clock, log: silentLogger(), ...options });
    await logs.create(0);
    return logs.open(0);
  };
  const read = async (log: DurableLog, from: number, count: number): Promise<string[]> => {
    const out: string[] = [];
    for await (const batch of log.read(from, AbortSignal.timeout(5_000))) {
      for (const message of batch) out.push(new TextDecoder().decode(message.payload));
      if (out.length >= count) break;
    }
    return out;
  };

  it('writes what arrives during an fsync with one write and one fsync', async () => {
    const disk = createMemoryDisk();
    const log = await open(disk);
    const release = disk.holdSyncs();
    const first = log.append(bytes('first'));
    await settle();
    const others = Array.from({ length: 50 }, (_, i) => log.append(bytes(`m${i}`)));
    await settle();
    expect(disk.counts).toMatchObject({ writes: 1, syncs: 1 });
    release();
    await Promise.all([first, ...others]);
    expect(disk.counts).toMatchObject({ writes: 2, syncs: 2 });
  });

  it('acknowledges nothing before its fsync, and shows it to no reader', async () => {
    const disk = createMemoryDisk();
    const log = await open(disk);
    const release = disk.holdSyncs();
    let seen = 0;
    const reading = read(log, 1, 1).then((messages) => {
      seen = messages.length;
    });
    let acknowledged = false;
    const append = log.append(bytes('x')).then(() => {
      acknowledged = true;
    });
    await settle();
    expect([acknowledged, seen, (await log.bounds()).last]).toEqual([false, 0, 0]);
    release();
    await append;
    await reading;
    expect(seen).toBe(1);
  });

  it('serves readers at the tail from memory, older messages from disk', async () => {
    const disk = createMemoryDisk();
    const log = await open(disk, { recentBytesMax: 10_000 });
    disk.counts.reads = 0;
    for (let i = 1; i <= 100; i++) {
      await log.append(new Uint8Array(1_000));
      if (i > 50) await read(log, i, 1);
    }
    expect(disk.counts.reads).toBe(0);
    expect((await read(log, 1, 100)).length).toBe(100);
    expect(disk.counts.reads).toBeGreaterThan(0);
    expect(disk.counts.reads).toBeLessThan(5);
  });

  it('removes whole segments when trimmed, and is exact about its first message after a restart', async () => {
    const disk = createMemoryDisk();
    const log = await open(disk, { segmentBytes: 1_000 });
    for (let i = 1; i <= 40; i++) await log.append(bytes(`message ${i}`.padEnd(100)));
    const before = disk.names().length;
    await log.trim(23);
    expect(disk.names().length).toBe(before - 2);
    const bounds = await log.bounds();
    expect(bounds).toEqual({ first: 23, last: 40, bytes: 18 * 120 });
    const again = await open(disk, { segmentBytes: 1_000 });
    expect(await again.bounds()).toEqual(bounds);
    expect((await read(again, 23, 1))[0]!.trim()).toBe('message 23');
    await again.trim(41);
    expect(disk.names().filter((name) => name.endsWith('.wal')).length).toBe(1);
  });

  it('removes at the next start what a trim forgot but could not remove', async () => {
    const disk = createMemoryDisk();
    const log = await open(disk, { segmentBytes: 1_000 });
    for (let i = 1; i <= 40; i++) await log.append(bytes(`message ${i}`.padEnd(100)));
    const kept = disk.names().map((name) => [name, disk.bytes(name)] as const);
    await log.trim(23);
    for (const [name, content] of kept) if (name.endsWith('.wal')) disk.setBytes(name, content);
    const again = await open(disk, { segmentBytes: 1_000 });
    expect(disk.names().length).toBeLessThan(kept.length);
    expect(await again.bounds()).toMatchObject({ first: 23, last: 40 });
  });

  it('fails a reader that a trim overtakes with not_found', async () => {
    const disk = createMemoryDisk();
    const log = await open(disk, { segmentBytes: 1_000, recentBytesMax: 0 });
    for (let i = 1; i <= 40; i++) await log.append(new Uint8Array(100));
    const reader = log.read(1, AbortSignal.timeout(5_000))[Symbol.asyncIterator]();
    await reader.next();
    await log.trim(35);
    await expect(reader.next()).rejects.toMatchObject({ code: 'not_found' });
  });

  it('goes on after the disk was full, trying at most once a second', async () => {
    const disk = createMemoryDisk();
    const log = await open(disk);
    await log.append(bytes('one'));
    disk.fail('write', 'full');
    await expect(log.append(bytes('refused'))).rejects.toMatchObject({ code: 'full' });
    await expect(log.append(bytes('refused'))).rejects.toMatchObject({ code: 'full' });
    disk.fail('write', undefined);
    await expect(log.append(bytes('too soon'))).rejects.toMatchObject({ code: 'full' });
    await clock.advance(1_000);
    expect(await log.append(bytes('two'))).toBe(2);
    expect(await read(log, 1, 2)).toEqual(['one', 'two']);
  });

  it('ends its readers and refuses appends once closed', async () => {
    const disk = createMemoryDisk();
    const logs = await openLocalLogs({ disk, clock, log: silentLogger() });
    await logs.create(0);
    const log = await logs.open(0);
    const reading = read(log, 1, 1);
    await settle();
    const last = log.append(bytes('queued before the close'));
    const closing = logs.close();
    expect(await last).toBe(1);
    await closing;
    await reading.catch((error: DomainError) => expect(error.code).toBe('unavailable'));
    await expect(log.append(bytes('x'))).rejects.toMatchObject({ code: 'unavailable' });
    await expect(logs.open(0)).rejects.toMatchObject({ code: 'unavailable' });
  });
});
