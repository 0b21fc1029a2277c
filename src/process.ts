// A running Skein process: it takes its HTTP address and its data folder, opens the world, starts its roles, and drains in the
// opposite order.

import path from 'node:path';
import type { World } from './actors/actor.ts';
import { type HttpApp, openHttpApp } from './actors/http-app.ts';
import { processRoutes } from './actors/http-process.ts';
import { querierRoutes } from './actors/querier/http.ts';
import { receiverHandler } from './actors/receiver/http.ts';
import type { ActorRef } from './actors/runtime.ts';
import { readStatus, scrapeTargets } from './actors/status.ts';
import { startThreads, type Threads } from './embedded-threads.ts';
import { DomainError, errorText } from './model/errors.ts';
import { realClock } from './platform/clock.ts';
import { keepCompiledCode } from './platform/compiled-code.ts';
import type { Config } from './platform/config.ts';
import { realHttpClient } from './platform/http-client.ts';
import { lockFolder } from './platform/lock.ts';
import { type LogLevel, realLogger } from './platform/log.ts';
import type { Metrics } from './platform/metrics.ts';
import { rehearse } from './rehearsal.ts';
import { type Roles, rolesOf, standbysOf, startRoles, stopRoles } from './roles.ts';
import { STAGE_FOLDER } from './stage.ts';
import { isEmbedded, type OpenWorld, openWorld } from './world.ts';

/** What a process is started with. */
export interface ProcessOptions {
  readonly config: Config;
  readonly version: string;
  readonly hostname: string;
  readonly folder: string;
  readonly flags: Readonly<Record<string, string>>;
}

/** A process that is up. */
export interface RunningProcess {
  readonly url: string;
  /** What a person starting it by hand wants to see. */
  readonly banner: string;
  /** Everything the process counts. */
  readonly metrics: Metrics;
  stop(): Promise<void>;
}

/** Starts a process; `config` errors say what to do about them. */
export async function startProcess(options: ProcessOptions): Promise<RunningProcess> {
  const { config } = options;
  const clock = realClock();
  const log = realLogger(config.process.log_level as LogLevel);
  const { http_connections_max: connectionsMax, http_read_timeout: readTimeoutMs } = config.limits;
  const http = await openHttpApp(config.process.listen, { connectionsMax, readTimeoutMs }, clock);
  const undo: (() => Promise<void>)[] = [() => http.server.stop(config.process.drain_timeout)];
  try {
    const lock = await lockFolder(config.process.data);
    undo.push(() => lock.release());
    const address = reachableAddress(config, http.server.address, options.hostname);
    const open = await openWorld(config, options.version, address, log);
    undo.push(open.close);
    const threads = await threadsOf(options, open);
    if (threads) undo.push(() => threads.close());
    const launch = threads?.launchShard;
    const roles = await startRoles(config, open.world, realHttpClient(clock), clock.now(), launch);
    undo.push(() => stopRoles(roles, config));
    mountRoutes(http, open.world, roles, options, clock.now());
    // What is old can be asked for while the log is replayed; ready is who has it all.
    if (roles.shards.size > 0 && isEmbedded(config)) await roles.placer?.ask('settle', undefined);
    undo.push(startRehearsal(options, open.world, threads));
    const url = `http://${address}`;
    return {
      url,
      banner: banner(config, url),
      metrics: open.world.metrics,
      stop: () => stopProcess(http, undo, config),
    };
  } catch (error) {
    await runBackwards(undo);
    throw error;
  }
}

// Where others reach this process: a wildcard address is of no use to them, the host's name is.
function reachableAddress(config: Config, listening: string, host: string): string {
  if (config.process.advertise !== '') return config.process.advertise;
  const port = listening.slice(listening.lastIndexOf(':') + 1);
  return /^(0\.0\.0\.0|\[::\]):/.test(listening) ? `${host}:${port}` : listening;
}

// The worker threads of an embedded process that has more than one thread and shards to put there.
async function threadsOf(
  { config, version }: ProcessOptions,
  { world, hub, threads }: OpenWorld,
): Promise<Threads | undefined> {
  if (hub === undefined || threads === 1 || !rolesOf(config).has('shard')) return undefined;
  return startThreads({ config, version, world, bus: hub, threads });
}

// In the background; gives the way to end it. What was compiled by its end is there for the next start.
function startRehearsal(
  { config, version }: ProcessOptions,
  world: World,
  threads: Threads | undefined,
): () => Promise<void> {
  if (!config.process.rehearsal) {
    keepCompiledCode();
    return async () => {};
  }
  const leaving = new AbortController();
  const folder = path.resolve(config.process.data, STAGE_FOLDER);
  const done = rehearse({ config, version, folder, threads, world, signal: leaving.signal }).then(
    (outcome) => {
      keepCompiledCode();
      world.log.info('rehearsal is over', { ...outcome });
    },
    (error) => {
      if (!leaving.signal.aborted)
        world.log.warn('the rehearsal broke off: first queries may be slow', { error: errorText(error) });
    },
  );
  return () => {
    leaving.abort(new DomainError('canceled', 'the process stops'));
    return done;
  };
}

function mountRoutes(
  http: HttpApp,
  world: World,
  roles: Roles,
  options: ProcessOptions,
  startedMs: number,
): void {
  const { config, version } = options;
  const actors = (): ActorRef<never>[] =>
    [roles.placer, roles.receiver, roles.querier, roles.canary, ...roles.shards.values()].filter(
      (actor) => actor !== undefined,
    ) as ActorRef<never>[];
  const routes = [
    {
      path: '/',
      app: processRoutes({
        metrics: world.metrics,
        version,
        unready: () => {
          const failing = actors().find(
            (actor) => actor.lifecycle() !== 'ready' && actor.lifecycle() !== 'stopped',
          );
          if (failing) return `${failing.name} is ${failing.lifecycle()}`;
          return world.bus.connected() ? undefined : 'no connection to NATS';
        },
        status: (url) => readStatus(world, actors(), { version, url, ...expected(config) }),
        targets: () => scrapeTargets(world),
      }),
    },
  ];
  if (roles.querier) {
    const edge = {
      actor: roles.querier,
      config,
      clock: world.clock,
      ...(world.memory === undefined ? {} : { memory: world.memory }),
      ...(world.turns === undefined ? {} : { turns: world.turns }),
      processId: world.identity.id,
      version,
      startedMs,
      flags: options.flags,
      hostname: options.hostname,
      folder: options.folder,
      printer: world.kernels,
    };
    routes.push({ path: '/api/v1', app: querierRoutes(edge) });
  }
  const requests = world.metrics.counter('skein_receiver_requests_total', 'Write requests by HTTP status.', [
    'status',
  ]);
  const onAnswer = (status: number): void => requests.add(1, { status: String(status) });
  http.mount(routes, roles.receiver && receiverHandler({ actor: roles.receiver, config, onAnswer }));
}

// What a healthy cluster of this configuration has.
function expected(config: Config): { standbys: number; logBytesMax: number } {
  const embedded = isEmbedded(config);
  return {
    standbys: standbysOf(config),
    logBytesMax: embedded ? config.embedded.log_bytes_max : config.nats.log_bytes_max,
  };
}

async function stopProcess(http: HttpApp, undo: (() => Promise<void>)[], config: Config): Promise<void> {
  // The listening socket closes first, requests under way go on while roles drain.
  const [, ...rest] = undo;
  const closed = http.server.stop(config.process.drain_timeout);
  await runBackwards(rest);
  await closed;
}

async function runBackwards(undo: readonly (() => Promise<void>)[]): Promise<void> {
  for (const step of [...undo].reverse()) await step();
}

function banner(config: Config, url: string): string {
  const lines = [
    `Skein is ready at ${url}`,
    '',
    '  Send metrics: add to prometheus.yml',
    '    remote_write:',
    `      - url: ${url}/api/v1/write`,
    '',
    `  Query: Grafana data source of type Prometheus at ${url}, or`,
    `    curl '${url}/api/v1/query?query=up'`,
    '',
    `  Data folder: ${path.resolve(config.process.data)}`,
  ];
  if (!isEmbedded(config))
    lines.push(
      `  Cluster: ${config.cluster.name} on NATS ${config.nats.servers.join(', ')}`,
      `  Roles: ${[...rolesOf(config)].join(', ')}`,
    );
  return lines.join('\n');
}
