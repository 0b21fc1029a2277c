import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { MessageChannel } from 'node:worker_threads';
import type { Bus } from '../../../src/bus/bus.ts';
import type { DurableLogs } from '../../../src/bus/durable-log.ts';
import { createLocalBus } from '../../../src/bus/local/local-bus.ts';
import { openLocalLogs } from '../../../src/bus/local/local-log.ts';
import { serveLogs } from '../../../src/bus/local/log-service.ts';
import { remoteLogs } from '../../../src/bus/local/remote-log.ts';
import { bridgeThread, connectThreadBus } from '../../../src/bus/local/thread-bus.ts';
import { realClock } from '../../../src/platform/clock.ts';
import { realDisk } from '../../../src/platform/disk.ts';
import { silentLogger } from '../../../src/platform/log.ts';
import { runDurableLogContract } from '../../contract/durable-log.contract.ts';

const clock = realClock();

runDurableLogContract({
  name: 'from another thread',
  async make(limits) {
    const folder = await mkdtemp(path.join(tmpdir(), 'skein-remote-log-'));
    let undo: (() => Promise<unknown>)[] = [];
    const close = async (): Promise<void> => {
      for (const step of undo.reverse()) await step();
      undo = [];
    };
    const open = async (): Promise<DurableLogs> => {
      const logs = await openLocalLogs({ disk: realDisk(folder), clock, log: silentLogger(), ...limits });
      const hub = createLocalBus({ clock });
      const bus = threadOf(hub);
      undo.push(
        () => logs.close(),
        await serveLogs(hub, logs),
        () => bus.close(),
      );
      const remote = remoteLogs(bus, logs.payloadBytesMax);
      undo.push(() => remote.close());
      return remote;
    };
    return {
      logs: await open(),
      async reopen() {
        await close();
        return open();
      },
      async dispose() {
        await close();
        await rm(folder, { recursive: true });
      },
    };
  },
});

function threadOf(hub: ReturnType<typeof createLocalBus>): Bus {
  const { port1, port2 } = new MessageChannel();
  bridgeThread(hub.share(), port1, clock);
  return connectThreadBus(port2, { clock });
}
