// Bus, logs and directory on NATS.

import { connectNats } from './bus/nats/connection.ts';
import { openJetstreamLogs } from './bus/nats/jetstream-log.ts';
import { createNatsBus } from './bus/nats/nats-bus.ts';
import { openNatsDirectory } from './bus/nats/nats-directory.ts';
import type { Links } from './links.ts';
import type { Clock } from './platform/clock.ts';
import type { Config } from './platform/config.ts';
import type { Logger } from './platform/log.ts';

/** Connects to the NATS servers of the configuration. Errors: `config` and `unavailable`, as connectNats. */
export async function natsLinks(config: Config, clock: Clock, log: Logger): Promise<Links> {
  const { nats, cluster } = config;
  const connection = await connectNats({
    servers: nats.servers,
    user: nats.user,
    password: nats.password,
    token: nats.token,
    name: 'skein',
    clock,
    log,
  });
  const bus = createNatsBus({ connection, clock, log });
  const logs = await openJetstreamLogs({
    connection,
    prefix: cluster.name,
    replicas: nats.replicas,
    bytesMax: nats.log_bytes_max,
    clock,
    log,
  });
  const directory = await openNatsDirectory({
    connection,
    prefix: cluster.name,
    replicas: nats.replicas,
    clock,
    log,
  });
  return {
    bus,
    logs,
    directory,
    async close() {
      await bus.close();
      await directory.close();
      await logs.close();
      await connection.close();
    },
  };
}
