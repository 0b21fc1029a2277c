// One server as a child process: written files, bounded start-up wait, stop by pid, start again on the same data and port.

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { setPriority, tmpdir } from 'node:os';
import path from 'node:path';

const readyMsMax = 60_000;
const terminateMsMax = 10_000;
const outputCharactersMax = 200_000;

/** Where a server runs: its data folder as it sees it, and the address it listens on. */
export interface Place {
  readonly folder: string;
  readonly host: string;
}

/** What to start. */
export interface Launch {
  readonly name: string;
  /** Port of its main protocol, the same inside and outside a container. */
  readonly port: number;
  readonly otherPorts: readonly number[];
  readonly args: (place: Place) => readonly string[];
  /** Files put into the folder before the first start. */
  readonly files: (place: Place) => Readonly<Record<string, string>>;
  readonly environment: Readonly<Record<string, string>>;
  /** How far others come before it where processors are short (nice); of a process only. */
  readonly niceness?: number;
  /** Asked again and again until true. */
  readonly ready: () => Promise<boolean>;
}

/** A running server. */
export interface Server {
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** Ends it gently (SIGTERM, after 10 s SIGKILL); data and port stay. */
  stop(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** Starts it again on the same data and port and waits until it is ready. */
  start(): Promise<void>;
  /** Holds it still (SIGSTOP) as a hung machine is, until `resume`. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  /** Its output so far. */
  output(): string;
  /** Its data; of a process only. */
  readonly folder?: string;
  /** Its process id while it runs; containers have none. */
  pid?(): number | undefined;
  /** Ends it and removes its data. */
  dispose(): Promise<void>;
}

/** Starts a server from a launch. */
export type Runner = (launch: Launch) => Promise<Server>;

const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Waits until `ready` or until `given` says why it never will. */
export async function waitReady(launch: Launch, given: () => string | undefined): Promise<void> {
  const end = performance.now() + readyMsMax;
  while (performance.now() < end) {
    const reason = given();
    if (reason !== undefined) throw new Error(`${launch.name} did not start: ${reason}`);
    if (await launch.ready()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${launch.name} was not ready after ${readyMsMax} ms`);
}

/** Starts a binary as a child of this process. */
export async function startProcess(binary: string, launch: Launch): Promise<Server> {
  const folder = await mkdtemp(path.join(tmpdir(), `skein-${launch.name}-`));
  const place: Place = { folder, host: '127.0.0.1' };
  for (const [file, content] of Object.entries(launch.files(place))) {
    await mkdir(path.dirname(path.join(folder, file)), { recursive: true });
    await writeFile(path.join(folder, file), content);
  }
  let child: ChildProcess | undefined;
  let output = '';

  const start = async (): Promise<void> => {
    const started = spawn(binary, [...launch.args(place)], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'], HOME: folder, ...launch.environment },
    });
    child = started;
    if (launch.niceness !== undefined && started.pid !== undefined) setPriority(started.pid, launch.niceness);
    running.add(started);
    let failure: string | undefined;
    const keep = (text: Buffer): void => {
      output = (output + text.toString()).slice(-outputCharactersMax);
    };
    started.stdout?.on('data', keep);
    started.stderr?.on('data', keep);
    started.on('error', (error) => {
      failure = error.message;
    });
    started.on('exit', (code, signal) => {
      running.delete(started);
      failure = `it ended with ${signal ?? `status ${code}`}:\n${output.slice(-2_000)}`;
    });
    await waitReady(launch, () => failure);
  };

  const end = async (signal: 'SIGTERM' | 'SIGKILL'): Promise<void> => {
    const ending = child;
    if (!ending || ending.exitCode !== null || ending.signalCode !== null) return;
    const ended = new Promise<void>((resolve) => ending.once('exit', () => resolve()));
    ending.kill(signal);
    const timer = setTimeout(() => ending.kill('SIGKILL'), terminateMsMax);
    await ended;
    clearTimeout(timer);
  };

  const server: Server = {
    name: launch.name,
    host: '127.0.0.1',
    port: launch.port,
    folder,
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    start,
    pause: async () => void child?.kill('SIGSTOP'),
    resume: async () => void child?.kill('SIGCONT'),
    output: () => output,
    pid: () => child?.pid,
    dispose: async () => {
      await end('SIGKILL');
      await rm(folder, { recursive: true, force: true });
    },
  };
  try {
    await start();
  } catch (error) {
    await server.dispose();
    throw error;
  }
  return server;
}
