import { afterAll, beforeAll } from 'vitest';
import type { NatsLink } from '../../../src/bus/nats/connection.ts';
import { openJetstreamLogs } from '../../../src/bus/nats/jetstream-log.ts';
import { createNatsBus } from '../../../src/bus/nats/nats-bus.ts';
import { openNatsDirectory } from '../../../src/bus/nats/nats-directory.ts';
import { runBusContract } from '../../contract/bus.contract.ts';
import { runDirectoryContract } from '../../contract/directory.contract.ts';
import { runDurableLogContract } from '../../contract/durable-log.contract.ts';
import {
  describeWithServers,
  type NatsCluster,
  type NatsServer,
  startNats,
  startNatsCluster,
} from '../../helpers/servers.ts';
import { clock, freshPrefix, link, log } from './helpers.ts';

const logBytesMax = 64 * 1024 * 1024;

function runContracts(name: string, replicas: number, urls: () => readonly string[]): void {
  runBusContract({
    name,
    async make() {
      const [a, b] = await Promise.all([link(...urls()), link(...urls())]);
      const [server, client] = [a, b].map((connection) => createNatsBus({ connection, clock, log }));
      return {
        server: server!,
        client: client!,
        async settle() {
          await Promise.all([a.connection.flush(), b.connection.flush()]);
          // Interest made on one server reaches the others of a cluster a moment later.
          if (replicas > 1) await new Promise((resolve) => setTimeout(resolve, 100));
        },
        async dispose() {
          await Promise.all([server!.close(), client!.close()]);
          await Promise.all([a.close(), b.close()]);
        },
      };
    },
  });

  runDurableLogContract({
    name,
    async make({ bytesMax = logBytesMax }) {
      const prefix = freshPrefix();
      let connection: NatsLink = await link(...urls());
      const open = () => openJetstreamLogs({ connection, prefix, replicas, bytesMax, clock, log });
      let logs = await open();
      return {
        logs,
        async reopen() {
          await logs.close();
          await connection.close();
          connection = await link(...urls());
          logs = await open();
          return logs;
        },
        async dispose() {
          await logs.close();
          await connection.close();
        },
      };
    },
  });

  runDirectoryContract({
    name,
    ttlMs: 2_000, // entries expire at whole seconds
    async make() {
      const prefix = freshPrefix();
      const links: NatsLink[] = [];
      return {
        async open() {
          const connection = await link(...urls());
          links.push(connection);
          const directory = await openNatsDirectory({ connection, prefix, replicas, clock, log });
          return { directory, cut: () => connection.close() };
        },
        elapse: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
        async dispose() {
          await Promise.all(links.map((connection) => connection.close()));
        },
      };
    },
  });
}

await describeWithServers(['nats-server'], 'one NATS server', () => {
  let server: NatsServer;
  beforeAll(async () => {
    server = await startNats();
  });
  afterAll(() => server.dispose());
  runContracts('NATS, one server', 1, () => [server.url]);
});

await describeWithServers(['nats-server'], 'three NATS servers', () => {
  let cluster: NatsCluster;
  beforeAll(async () => {
    cluster = await startNatsCluster();
  });
  afterAll(() => cluster.dispose());
  runContracts('NATS, three copies', 3, () => cluster.urls);
});
