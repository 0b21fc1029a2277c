// Skein itself as a child process: embedded unless flags say otherwise, on a free loopback port, with a data folder of its own.

import { readFileSync } from 'node:fs';
import path from 'node:path';
import { type Server, startProcess } from './server-process.ts';
import { freePorts } from './servers.ts';

const skeinJs = path.resolve(import.meta.dirname, '../../bin/skein.js');

/** A running `skein serve` and its base URL. */
export interface SkeinServer extends Server {
  readonly url: string;
  /** Resident memory now, and the most there ever was, in bytes. */
  memory(): { now: number; peak: number };
  /** Processor time used per time passed over the next `ms`. */
  cpuShare(ms: number): Promise<number>;
}

const NODE_MAJOR_MIN = 24;

/** Starts `skein serve` with these flags and waits until it is ready. */
export async function startSkein(flags: readonly string[] = [], niceness = 0): Promise<SkeinServer> {
  // Under an older Node the command only hands over to the right one: a kill would leave the process that matters alive.
  if (Number(process.versions.node.split('.')[0]) < NODE_MAJOR_MIN)
    throw new Error(
      `cannot start skein as one process with Node ${process.versions.node}: run the tests by npm, which finds Node ${NODE_MAJOR_MIN}`,
    );
  const [port = 0] = await freePorts(1);
  const url = `http://127.0.0.1:${port}`;
  const ready = (): Promise<boolean> =>
    fetch(`${url}/-/ready`, { signal: AbortSignal.timeout(2_000) }).then(
      (response) => response.ok,
      () => false,
    );
  const server = await startProcess(process.execPath, {
    name: `skein-${port}`,
    port,
    otherPorts: [],
    args: ({ host, folder }) => [
      skeinJs,
      'serve',
      '--listen',
      `${host}:${port}`,
      '--data',
      `${folder}/data`,
      // Many processes start on one machine here, most for seconds.
      '--process.rehearsal',
      'false',
      ...flags,
    ],
    files: () => ({}),
    environment: {},
    niceness,
    ready,
  });
  const pid = (): number => server.pid?.() ?? 0;
  return {
    ...server,
    url,
    memory: () => memoryOf(pid()),
    async cpuShare(ms) {
      const before = cpuTicks(pid());
      await new Promise((resolve) => setTimeout(resolve, ms));
      return (10 * (cpuTicks(pid()) - before)) / ms;
    },
  };
}

function memoryOf(pid: number): { now: number; peak: number } {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const bytes = (field: string): number =>
    1024 * Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)?.[1]);
  return { now: bytes('VmRSS'), peak: bytes('VmHWM') };
}

// Hundredths of a second in user and system mode.
function cpuTicks(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return Number(fields[11]) + Number(fields[12]);
}
