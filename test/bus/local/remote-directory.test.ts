import { describe, expect, it } from 'vitest';
import { serveDirectory } from '../../../src/bus/local/directory-service.ts';
import { createLocalBus, type LocalBus } from '../../../src/bus/local/local-bus.ts';
import { openLocalDirectory } from '../../../src/bus/local/local-directory.ts';
import { remoteDirectory } from '../../../src/bus/local/remote-directory.ts';
import type { Clock } from '../../../src/platform/clock.ts';
import { runDirectoryContract } from '../../contract/directory.contract.ts';
import { createVirtualClock, settle } from '../../helpers/virtual-clock.ts';
import { createMemoryDisk } from './memory-disk.ts';

// Everything on one hub; each thread has a handle on it.
async function openHub(clock: Clock, disk = createMemoryDisk()) {
  const local = await openLocalDirectory({ disk, clock });
  const hub = createLocalBus({ clock });
  const stop = await serveDirectory(hub, local);
  const threads: { bus: LocalBus; directory: ReturnType<typeof remoteDirectory> }[] = [];
  return {
    local,
    thread(own: Clock = clock) {
      const bus = hub.share();
      const thread = { bus, directory: remoteDirectory(bus, own) };
      threads.push(thread);
      return thread;
    },
    async close() {
      for (const { bus, directory } of threads) {
        await directory.close();
        await bus.close();
      }
      await stop();
      await local.close();
    },
  };
}

runDirectoryContract({
  name: 'from another thread',
  async make() {
    const clock = createVirtualClock();
    const disk = createMemoryDisk();
    let hub = await openHub(clock, disk);
    return {
      async open() {
        const { bus, directory } = hub.thread();
        return { directory, cut: () => bus.close() };
      },
      elapse: (ms) => clock.advance(ms),
      async restart() {
        await hub.close();
        hub = await openHub(clock, disk);
      },
      async dispose() {
        await hub.close();
        await settle();
        expect(clock.pending(), 'timers left behind').toBe(0);
      },
    };
  },
});

describe('directory from another thread', () => {
  it('gives a lease up by its own clock, before the main thread that stood still can give it to another', async () => {
    const main = createVirtualClock();
    const own = createVirtualClock();
    const hub = await openHub(main);
    const lease = await hub.thread(own).directory.acquire('lease.0', new Uint8Array(1), 6000);
    // The main thread renews it at 2 s and hears of it no more.
    await main.advance(2500);
    await own.advance(2500);
    expect(lease!.lost.aborted).toBe(false);
    hub.local.cutOff();
    let heldUntil = 0;
    for (let ms = 2500; ms < 8000; ms += 100) {
      if (!lease!.lost.aborted) heldUntil = ms;
      await main.advance(100);
      await own.advance(100);
    }
    // Renewed at 2 s, kept by the directory until 8 s, given up a sixth before.
    expect(heldUntil).toBeGreaterThan(6000);
    expect(heldUntil).toBeLessThan(7000);
    await hub.close();
  });

  it('tells how long the lease still holds', async () => {
    const clock = createVirtualClock();
    const hub = await openHub(clock);
    const lease = await hub.thread().directory.acquire('lease.0', new Uint8Array(1), 6000);
    expect(lease!.heldMs()).toBe(5000);
    await clock.advance(1900);
    expect(lease!.heldMs()).toBe(3100);
    await clock.advance(1200);
    expect(lease!.heldMs()).toBeGreaterThan(3500);
    await lease!.release();
    expect(lease!.heldMs()).toBe(0);
    await hub.close();
  });

  it('lets go of what a thread announced and held when the thread is gone', async () => {
    const clock = createVirtualClock();
    const hub = await openHub(clock);
    const { bus, directory } = hub.thread();
    await directory.announce('replica.0.a', new Uint8Array(1), 6000);
    const lease = await directory.acquire('lease.0', new Uint8Array(1), 6000);
    expect((await hub.local.list('')).length).toBe(2);
    await bus.close();
    await settle();
    expect(await hub.local.list('')).toEqual([]);
    expect(lease!.lost.aborted).toBe(true);
    await hub.close();
  });

  it('refuses what comes after it was closed', async () => {
    const hub = await openHub(createVirtualClock());
    const { directory } = hub.thread();
    await directory.close();
    await expect(directory.list('')).rejects.toMatchObject({ code: 'unavailable' });
    await expect(directory.announce('a', new Uint8Array(1), 6000)).rejects.toMatchObject({
      code: 'unavailable',
    });
    await hub.close();
  });
});
