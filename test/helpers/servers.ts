// Real servers for integration tests: nats-server (one, or a cluster of three), MinIO and Prometheus on free loopback ports with
// temporary data folders. Taken from installed binaries ($SKEIN_SERVERS, ~/.cache/skein-servers, PATH), else run as containers where
// a Docker engine answers, else the tests that need them are skipped by name. SKEIN_REQUIRE_SERVERS=1 turns such a skip into a failure.

import { accessSync, constants, existsSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { createServer, type Socket } from 'node:net';
import { homedir } from 'node:os';
import path from 'node:path';
import { describe, it } from 'vitest';
import { type Launch, type Runner, type Server, startProcess } from './server-process.ts';

/** Names of the programs that tests may need. */
export type ServerName = 'nats-server' | 'minio' | 'prometheus' | 'promtool';

const images: Readonly<Partial<Record<ServerName, string>>> = {
  'nats-server': 'nats:2.12.3-alpine',
  minio: 'minio/minio:RELEASE.2025-09-07T16-13-09Z',
  prometheus: 'prom/prometheus:v3.14.0',
};

/** Path of an installed binary, or undefined. */
export function findBinary(name: ServerName): string | undefined {
  const folders = [
    process.env['SKEIN_SERVERS'] ?? path.join(homedir(), '.cache', 'skein-servers'),
    ...(process.env['PATH'] ?? '').split(path.delimiter),
  ];
  for (const folder of folders) {
    if (folder === '') continue;
    const candidate = path.join(folder, name);
    try {
      accessSync(candidate, constants.X_OK);
      return candidate;
    } catch {
      // not in this folder
    }
  }
  return undefined;
}

/** Whether a Docker engine answers at DOCKER_HOST or the usual socket. */
async function dockerAnswers(): Promise<boolean> {
  const host = process.env['DOCKER_HOST'] ?? 'unix:///var/run/docker.sock';
  const url = new URL(host);
  if (url.protocol === 'unix:' && !existsSync(url.pathname)) return false;
  const target =
    url.protocol === 'unix:'
      ? { socketPath: url.pathname, path: '/_ping' }
      : { host: url.hostname, port: Number(url.port || 2375), path: '/_ping' };
  return new Promise((resolve) => {
    const request = httpRequest({ ...target, timeout: 2_000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => resolve(false));
    request.on('close', () => resolve(false));
    request.end();
  });
}

/** Why tests that need these servers cannot run here, or undefined when they can. */
export async function missingServers(names: readonly ServerName[]): Promise<string | undefined> {
  const missing = names.filter((name) => findBinary(name) === undefined);
  if (missing.length === 0) return undefined;
  if (missing.every((name) => images[name] !== undefined) && (await dockerAnswers())) return undefined;
  return `no ${missing.join(', ')} here (npm run servers builds them) and no Docker engine`;
}

/**
 * A suite that needs servers; use as `await describeWithServers(['minio'], 'title', () => {...})` at the top of a test file.
 * Where one is missing its tests are skipped and the suite's title says why.
 */
export async function describeWithServers(
  names: readonly ServerName[],
  title: string,
  body: () => void,
): Promise<void> {
  const reason = await missingServers(names);
  if (reason === undefined) describe(title, body);
  else if (process.env['SKEIN_REQUIRE_SERVERS'] === '1')
    describe(title, () => {
      it('finds the servers it needs', () => {
        throw new Error(`SKEIN_REQUIRE_SERVERS=1, but ${reason}`);
      });
    });
  else describe.skip(`${title} [skipped: ${reason}]`, body);
}

async function runner(name: ServerName): Promise<Runner> {
  const binary = findBinary(name);
  if (binary !== undefined) return (launch) => startProcess(binary, launch);
  const image = images[name];
  if (image === undefined) throw new Error(`${name} is not installed and has no image`);
  const { startContainer } = await import('./server-container.ts');
  return (launch) => startContainer(image, launch);
}

/** Free loopback ports. They are held open together, so that no two are equal, and given back before the return. */
export async function freePorts(count: number): Promise<number[]> {
  const listeners = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<{ port: number; close: () => Promise<void> }>((resolve, reject) => {
          const server = createServer((socket: Socket) => socket.destroy());
          server.on('error', reject);
          server.listen(0, '127.0.0.1', () => {
            const address = server.address();
            if (address === null || typeof address === 'string') return reject(new Error('no port'));
            resolve({ port: address.port, close: () => new Promise((done) => server.close(() => done())) });
          });
        }),
    ),
  );
  await Promise.all(listeners.map((listener) => listener.close()));
  return listeners.map((listener) => listener.port);
}

async function httpOk(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}

/** A single nats-server with JetStream on files, fsync on every write. */
export interface NatsOptions {
  /** Largest payload in bytes (the server's default is 1 MB). */
  readonly maxPayload?: number;
  /** Folder of the streams, within the server's own unless given: then streams may reserve more than it has room for. */
  readonly store?: string;
}

interface NatsNode {
  readonly name: string;
  readonly port: number;
  readonly monitorPort: number;
  readonly cluster?: { readonly port: number; readonly routes: readonly { name: string; port: number }[] };
}

function natsConfig(node: NatsNode, options: NatsOptions, place: { folder: string; host: string }): string {
  const lines = [
    `server_name: ${node.name}`,
    `listen: "${place.host}:${node.port}"`,
    `http: "${place.host}:${node.monitorPort}"`,
    `jetstream { store_dir: "${options.store ?? place.folder}/jetstream", sync_interval: always${options.store === undefined ? '' : ', max_file_store: 1G'} }`,
  ];
  if (options.maxPayload !== undefined) lines.push(`max_payload: ${options.maxPayload}`);
  if (node.cluster) {
    // Containers of one cluster reach each other by name, processes by loopback.
    const peer = (name: string): string => (place.host === '127.0.0.1' ? '127.0.0.1' : name);
    const routes = node.cluster.routes.map((route) => `"nats://${peer(route.name)}:${route.port}"`);
    lines.push(
      `cluster { name: skein-test, listen: "${place.host}:${node.cluster.port}", no_advertise: true, routes: [${routes.join(', ')}] }`,
    );
  }
  return `${lines.join('\n')}\n`;
}

function natsLaunch(node: NatsNode, options: NatsOptions): Launch {
  return {
    name: node.name,
    port: node.port,
    otherPorts: [node.monitorPort],
    args: (place) => ['-c', `${place.folder}/nats.conf`],
    files: (place) => ({ 'nats.conf': natsConfig(node, options, place) }),
    environment: {},
    ready: () => httpOk(`http://127.0.0.1:${node.monitorPort}/healthz`),
  };
}

/** A running nats-server and its client URL. */
export interface NatsServer extends Server {
  readonly url: string;
  /** Its monitoring endpoints (/jsz and others). */
  readonly monitorUrl: string;
}

/** Starts one nats-server. */
export async function startNats(options: NatsOptions = {}): Promise<NatsServer> {
  const run = await runner('nats-server');
  const [port = 0, monitorPort = 0] = await freePorts(2);
  const server = await run(natsLaunch({ name: `nats-${port}`, port, monitorPort }, options));
  return { ...server, url: `nats://127.0.0.1:${port}`, monitorUrl: `http://127.0.0.1:${monitorPort}` };
}

/** Three nats-servers as one JetStream cluster. */
export interface NatsCluster {
  readonly servers: readonly NatsServer[];
  readonly urls: readonly string[];
  /** The server of this `server_name`, as stream information names leaders. */
  named(name: string): NatsServer;
  dispose(): Promise<void>;
}

/** Starts a cluster of three. */
export async function startNatsCluster(options: NatsOptions = {}): Promise<NatsCluster> {
  const run = await runner('nats-server');
  const ports = await freePorts(9);
  const nodes = [0, 1, 2].map((i) => ({
    name: `nats-${ports[i]}`,
    port: ports[i] ?? 0,
    monitorPort: ports[3 + i] ?? 0,
    clusterPort: ports[6 + i] ?? 0,
  }));
  const routes = nodes.map((node) => ({ name: node.name, port: node.clusterPort }));
  const servers = await Promise.all(
    nodes.map(async (node): Promise<NatsServer> => {
      const server = await run(natsLaunch({ ...node, cluster: { port: node.clusterPort, routes } }, options));
      return {
        ...server,
        url: `nats://127.0.0.1:${node.port}`,
        monitorUrl: `http://127.0.0.1:${node.monitorPort}`,
      };
    }),
  );
  return {
    servers,
    urls: servers.map((server) => server.url),
    named(name) {
      const found = servers.find((server) => server.name === name);
      if (!found) throw new Error(`no server named ${name}`);
      return found;
    },
    dispose: async () => {
      await Promise.all(servers.map((server) => server.dispose()));
    },
  };
}

/** A running MinIO and how to log in. */
export interface MinioServer extends Server {
  readonly accessKey: string;
  readonly secretKey: string;
}

/** Starts a MinIO on one folder. */
export async function startMinio(): Promise<MinioServer> {
  const run = await runner('minio');
  const [port = 0, consolePort = 0] = await freePorts(2);
  const accessKey = 'skein-test';
  const secretKey = 'skein-test-secret';
  const server = await run({
    name: `minio-${port}`,
    port,
    otherPorts: [],
    args: (place) => [
      'server',
      '--quiet',
      '--address',
      `${place.host}:${port}`,
      '--console-address',
      `${place.host}:${consolePort}`,
      `${place.folder}/data`,
    ],
    files: () => ({}),
    environment: { MINIO_ROOT_USER: accessKey, MINIO_ROOT_PASSWORD: secretKey, MINIO_UPDATE: 'off' },
    ready: () => httpOk(`http://127.0.0.1:${port}/minio/health/cluster`),
  });
  return { ...server, accessKey, secretKey };
}

/** A running Prometheus and its base URL. */
export interface PrometheusServer extends Server {
  readonly url: string;
}

/** Starts a Prometheus with this prometheus.yml; `flags` are added to the command line. */
export async function startPrometheus(
  config: string,
  flags: readonly string[] = [],
): Promise<PrometheusServer> {
  const run = await runner('prometheus');
  const [port = 0] = await freePorts(1);
  const server = await run({
    name: `prometheus-${port}`,
    port,
    otherPorts: [],
    args: (place) => [
      `--config.file=${place.folder}/prometheus.yml`,
      `--storage.tsdb.path=${place.folder}/data`,
      `--web.listen-address=${place.host}:${port}`,
      '--log.level=warn',
      ...flags,
    ],
    files: () => ({ 'prometheus.yml': config }),
    environment: {},
    ready: () => httpOk(`http://127.0.0.1:${port}/-/ready`),
  });
  return { ...server, url: `http://127.0.0.1:${port}` };
}
