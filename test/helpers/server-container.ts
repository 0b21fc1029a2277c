// One server as a container, for machines with a Docker engine and no installed binaries. Ports are bound to the same numbers
// outside as inside, so that a restart keeps them; containers share one network per test process and find each other by name.
// The network goes with the last of them, so that nothing stays behind where testcontainers' reaper is switched off.

import { GenericContainer, getContainerRuntimeClient, Network, type StartedNetwork } from 'testcontainers';
import { type Launch, type Place, type Server, waitReady } from './server-process.ts';

let network: Promise<StartedNetwork> | undefined;
let networkUsers = 0;

function joinNetwork(): Promise<StartedNetwork> {
  networkUsers++;
  network ??= new Network().start();
  return network;
}

async function leaveNetwork(): Promise<void> {
  networkUsers--;
  if (networkUsers > 0) return;
  const left = network;
  network = undefined;
  await (await left)?.stop();
}

/** Starts an image with a launch's arguments and files. */
export async function startContainer(image: string, launch: Launch): Promise<Server> {
  const place: Place = { folder: '/skein', host: '0.0.0.0' };
  const started = await new GenericContainer(image)
    .withNetwork(await joinNetwork())
    .withNetworkAliases(launch.name)
    .withUser('0')
    .withEnvironment({ ...launch.environment })
    .withCommand([...launch.args(place)])
    .withCopyContentToContainer(
      Object.entries({ ...launch.files(place), 'made-for-tests': '' }).map(([file, content]) => ({
        content,
        target: `${place.folder}/${file}`,
      })),
    )
    .withExposedPorts(...[launch.port, ...launch.otherPorts].map((port) => ({ container: port, host: port })))
    .start();
  const client = await getContainerRuntimeClient();
  const container = client.container.getById(started.getId());
  const ended = async (): Promise<boolean> => !(await container.inspect()).State.Running;
  const ready = (): Promise<void> => waitReady(launch, () => undefined);
  await ready();
  return {
    name: launch.name,
    host: '127.0.0.1',
    port: launch.port,
    stop: async () => {
      if (!(await ended())) await container.stop({ t: 10 });
    },
    kill: async () => {
      if (!(await ended())) await container.kill();
      await container.wait();
    },
    start: async () => {
      await container.start();
      await ready();
    },
    pause: () => container.pause(),
    resume: () => container.unpause(),
    output: () => `docker logs ${started.getId()}`,
    dispose: async () => {
      await started.stop({ remove: true, removeVolumes: true, timeout: 1_000 });
      await leaveNetwork();
    },
  };
}
