import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type LocalDirectory, openLocalDirectory } from '../../../src/bus/local/local-directory.ts';
import { realDisk } from '../../../src/platform/disk.ts';
import { runDirectoryContract } from '../../contract/directory.contract.ts';
import { createVirtualClock } from '../../helpers/virtual-clock.ts';
import { createMemoryDisk } from './memory-disk.ts';

runDirectoryContract({
  name: 'local',
  async make() {
    const folder = await mkdtemp(path.join(tmpdir(), 'skein-directory-'));
    const clock = createVirtualClock();
    let root = await openLocalDirectory({ disk: realDisk(folder), clock });
    const handles: LocalDirectory[] = [];
    return {
      async open() {
        const directory = root.share();
        handles.push(directory);
        return { directory, cut: async () => directory.cutOff() };
      },
      elapse: (ms) => clock.advance(ms),
      async restart() {
        for (const handle of handles.splice(0)) await handle.close();
        await root.close();
        root = await openLocalDirectory({ disk: realDisk(folder), clock });
      },
      async dispose() {
        for (const handle of handles) await handle.close();
        await root.close();
        expect(clock.pending(), 'timers left behind').toBe(0);
        await rm(folder, { recursive: true });
      },
    };
  },
});

describe('local directory', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'skein-directory-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  it('tells the holder of its loss before a late waker takes the lease, even when no timer ran in between', async () => {
    const clock = createVirtualClock();
    let offset = 0;
    // A process that stood still: time has passed, timers have not run yet.
    const stalled = { ...clock, monotonic: () => clock.monotonic() + offset };
    const a = await openLocalDirectory({ disk: realDisk(folder), clock: stalled });
    const lease = await a.acquire('lease.0', new Uint8Array(1), 15_000);
    offset = 60_000;
    const taking = a.share().acquire('lease.0', new Uint8Array(1), 15_000);
    expect(lease!.lost.aborted).toBe(true);
    expect((await taking)!.token).toBeGreaterThan(lease!.token);
  });

  it('announces an entry again that expired while the process stood still', async () => {
    const clock = createVirtualClock();
    let offset = 0;
    const stalled = { ...clock, monotonic: () => clock.monotonic() + offset };
    const directory = await openLocalDirectory({ disk: realDisk(folder), clock: stalled });
    await directory.announce('member.a', new Uint8Array(1), 15_000);
    offset = 60_000;
    expect(await directory.list('member.')).toEqual([]);
    await clock.advance(5_000);
    expect((await directory.list('member.')).length).toBe(1);
  });

  it('refuses a file it cannot read, naming it', async () => {
    await writeFile(path.join(folder, 'records.json'), '{"version": 1, "epo');
    await expect(
      openLocalDirectory({ disk: realDisk(folder), clock: createVirtualClock() }),
    ).rejects.toMatchObject({
      code: 'corrupt',
      message: expect.stringContaining(path.join(folder, 'records.json')),
    });
  });

  it('refuses keys that are not tokens, and any use once closed', async () => {
    const directory = await openLocalDirectory({ disk: realDisk(folder), clock: createVirtualClock() });
    for (const key of ['', 'a..b', '.a', 'a/b', 'a b', 'a.*'])
      await expect(directory.read(key), key).rejects.toMatchObject({ code: 'bad_data' });
    await directory.close();
    await expect(directory.list('')).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('keeps a record only once it is stored', async () => {
    const disk = realDisk(folder);
    let broken = false;
    const failing = {
      ...disk,
      writeFile: (file: string, bytes: Uint8Array) =>
        broken ? Promise.reject(new Error('no disk')) : disk.writeFile(file, bytes),
    };
    const directory = await openLocalDirectory({ disk: failing, clock: createVirtualClock() });
    broken = true;
    await expect(directory.write('cluster', new Uint8Array(3), 0)).rejects.toThrow('no disk');
    expect(await directory.read('cluster')).toBeUndefined();
    broken = false;
    expect(await directory.write('cluster', new Uint8Array(3), 0)).toBeGreaterThan(0);
  });

  it('tells the holder of a lease that it is lost before any timer has run, when the process stood still', async () => {
    const virtual = createVirtualClock();
    let stoodStillMs = 0;
    const clock = { ...virtual, monotonic: () => virtual.monotonic() + stoodStillMs };
    const directory = await openLocalDirectory({ disk: createMemoryDisk(), clock });
    const lease = await directory.acquire('lease.0', new Uint8Array(1), 6000);
    stoodStillMs = 4900;
    expect(lease!.lost.aborted).toBe(false);
    stoodStillMs = 5000; // five sixths: a sixth before anybody else can take it
    expect(lease!.lost.aborted).toBe(true);
    await directory.close();
  });
});
