// The simulated bus, logs, directory and bucket keep the same promises as the real ones when no fault is on.

import { seededRandom } from '../../src/platform/random.ts';
import { runBusContract } from '../contract/bus.contract.ts';
import { runDirectoryContract } from '../contract/directory.contract.ts';
import { runDurableLogContract } from '../contract/durable-log.contract.ts';
import { runObjectStoreContract } from '../contract/object-store.contract.ts';
import { SimHost } from './host.ts';
import { loopClock, SimLoop } from './loop.ts';
import { SimNetwork } from './network.ts';
import { createBusServer, openSimBus } from './sim-bus.ts';
import { createDirectoryServer, openSimDirectory } from './sim-directory.ts';
import { LogServer, openSimLogs } from './sim-log.ts';
import { createBucketServer, openSimObjects } from './sim-objects.ts';

const START_MS = Date.now();
const QUIET = { lose: 0, duplicate: 0, slow: 0, fastMs: 2, slowMs: 2 };

interface Rig {
  readonly loop: SimLoop;
  readonly network: SimNetwork;
  host(name: string): SimHost;
  stop(): void;
}

// The suites wait in real time: virtual time follows it.
function openRig(): Rig {
  const loop = new SimLoop();
  const network = new SimNetwork(loop, seededRandom(1), QUIET);
  let isOver = false;
  const began = performance.now();
  const drive = async (): Promise<void> => {
    while (!isOver) {
      await loop.run(performance.now() - began, () => isOver);
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  };
  void drive();
  return {
    loop,
    network,
    host(name) {
      const host = new SimHost(loop, {
        name,
        zone: '',
        startMs: START_MS,
        skew: { offsetMs: 0, driftPpm: 0 },
      });
      host.boot();
      return host;
    },
    stop() {
      isOver = true;
    },
  };
}

runBusContract({
  name: 'simulated',
  async make() {
    const rig = openRig();
    const hub = createBusServer();
    const server = openSimBus(hub, rig.network, rig.host('server'));
    const client = openSimBus(hub, rig.network, rig.host('client'));
    return {
      server,
      client,
      async dispose() {
        await client.close();
        await server.close();
        rig.stop();
      },
    };
  },
});

runDurableLogContract({
  name: 'simulated',
  async make({ bytesMax = 1 << 30 }) {
    const rig = openRig();
    const server = new LogServer(rig.network, bytesMax);
    let logs = openSimLogs(server, rig.network, rig.host('one'));
    return {
      logs,
      async reopen() {
        await logs.close();
        logs = openSimLogs(server, rig.network, rig.host('two'));
        return logs;
      },
      async dispose() {
        await logs.close();
        rig.stop();
      },
    };
  },
});

runDirectoryContract({
  name: 'simulated',
  async make() {
    const rig = openRig();
    const server = createDirectoryServer(loopClock(rig.loop, START_MS));
    return {
      async open() {
        const host = rig.host('process');
        const directory = openSimDirectory(server, rig.network, host);
        return { directory, cut: async () => host.cut(0) };
      },
      elapse: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
      dispose: async () => rig.stop(),
    };
  },
});

runObjectStoreContract({
  name: 'simulated bucket',
  async make() {
    const rig = openRig();
    const server = createBucketServer(loopClock(rig.loop, START_MS), { refuse: 0, slow: 0, slowMs: 1 });
    return { store: openSimObjects(server, rig.network, rig.host('one')), dispose: async () => rig.stop() };
  },
});
