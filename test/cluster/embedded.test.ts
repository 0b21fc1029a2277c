// The laptop: one process, no servers. It is up at once, drains on Ctrl-C, comes back with everything after that and after kill -9, and
// says what to do when it cannot start.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rawRequest } from '../helpers/raw-http.ts';
import { freePorts } from '../helpers/servers.ts';
import { startSkein } from '../helpers/skein-server.ts';
import { Load } from './load.ts';
import { wrongTotals } from './questions.ts';
import { report, until, writeSeries } from './rig.ts';

const skeinJs = path.resolve(import.meta.dirname, '../../bin/skein.js');

interface Refused {
  readonly tenant: string;
  readonly refusals: readonly {
    readonly reason: string;
    readonly samples: number;
    readonly lastError: string;
  }[];
}

/** Starts the command line by itself and collects what it prints. */
function serve(
  args: readonly string[],
  uid?: number,
): { child: ChildProcess; output: () => string; ended: Promise<number> } {
  const child = spawn(process.execPath, [skeinJs, 'serve', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(uid === undefined ? {} : { uid }),
  });
  let text = '';
  child.stdout?.on('data', (bytes: Buffer) => (text += bytes.toString()));
  child.stderr?.on('data', (bytes: Buffer) => (text += bytes.toString()));
  const ended = new Promise<number>((resolve) => child.once('exit', (code) => resolve(code ?? -1)));
  return { child, output: () => text, ended };
}

async function refusal(args: readonly string[], uid?: number): Promise<string> {
  const { child, output, ended } = serve(args, uid);
  const timer = setTimeout(() => child.kill('SIGKILL'), 15_000);
  expect(await ended).toBe(1);
  clearTimeout(timer);
  expect(output()).not.toMatch(/^\s+at /m); // no stack
  return output();
}

describe('one process by itself', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'skein-embedded-'));
  });
  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
  });

  it('is ready within ten seconds and says how to use it', async () => {
    const [port] = await freePorts(1);
    const began = performance.now();
    const { child, output, ended } = serve(['--listen', `127.0.0.1:${port}`, '--data', `${folder}/first`]);
    await until(10_000, async () => output().includes('Data folder'));
    report('ready', { ms: Math.round(performance.now() - began) });
    expect(output()).toContain(`- url: http://127.0.0.1:${port}/api/v1/write`);
    expect(output()).toContain(`Data folder: ${folder}/first`);
    child.kill('SIGINT');
    expect(await ended).toBe(0);
    expect(output()).toContain('stopped');
  });

  it('has every acknowledged sample after Ctrl-C and after kill -9 in the middle of writes', async () => {
    const server = await startSkein();
    const load = new Load({ receivers: () => [server], lanes: 4 });
    try {
      for (const end of ['stop', 'kill'] as const) {
        load.run();
        await until(20_000, async () => load.samples > (end === 'stop' ? 100_000 : 200_000));
        await server[end]();
        await load.stop();
        const began = performance.now();
        await server.start();
        await until(
          3000,
          async () => (await wrongTotals(load, server)) === undefined,
          () => load.acked,
        );
        report(end, { backMs: Math.round(performance.now() - began), samples: load.samples });
      }
    } finally {
      await server.dispose();
    }
  });

  it('tells which samples were refused after they had been acknowledged, to their tenant only', async () => {
    const server = await startSkein();
    try {
      const now = Math.floor(Date.now() / 1000) * 1000;
      await writeSeries(server, 'refused', 3, [[now, 1]]);
      await writeSeries(server, 'refused', 3, [[now, 2]]);
      const path = '/api/v1/status/refusals';
      const ask = async (headers: Record<string, string>): Promise<Refused> => {
        const { body } = await rawRequest(server.url, {
          path,
          headers: { ...headers, 'x-read-consistency': 'strong' },
        });
        return (JSON.parse(body.toString()) as { data: Refused }).data;
      };
      const { refusals } = await ask({});
      expect(refusals).toMatchObject([{ reason: 'duplicate_timestamp', samples: 3 }]);
      expect(refusals[0]!.lastError).toMatch(
        /^cannot append 2 at \S+Z to refused\{i="\d"\}: it has 1 at that time already$/,
      );
      expect(await ask({ 'x-scope-orgid': 'other' })).toEqual({ tenant: 'other', refusals: [] });
    } finally {
      await server.dispose();
    }
  });

  it('says what to do when the port is taken, the folder is in use, or cannot be written', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as { port: number };
    expect(await refusal(['--listen', `127.0.0.1:${port}`, '--data', `${folder}/port`])).toMatch(
      /port|address|--listen/i,
    );
    await new Promise<void>((resolve) => taken.close(() => resolve()));

    const [first, second] = await freePorts(2);
    const holder = serve(['--listen', `127.0.0.1:${first}`, '--data', `${folder}/shared`]);
    await until(10_000, async () => holder.output().includes('Data folder'));
    expect(await refusal(['--listen', `127.0.0.1:${second}`, '--data', `${folder}/shared`])).toMatch(
      /in use|--data/i,
    );
    holder.child.kill('SIGINT');
    await holder.ended;

    await mkdir(`${folder}/locked`);
    await chmod(`${folder}/locked`, 0o500);
    await chmod(folder, 0o755);
    // Root writes anywhere; somebody else is asked to.
    const uid = process.getuid?.() === 0 ? 65534 : undefined;
    if (uid !== undefined && !readableBy(uid)) return;
    expect(
      await refusal(['--listen', `127.0.0.1:${second}`, '--data', `${folder}/locked/data`], uid),
    ).toMatch(/cannot|writ/i);
  });
});

// Whether this user may read the sources at all (they may lie in root's home).
function readableBy(uid: number): boolean {
  try {
    execFileSync(process.execPath, [skeinJs, 'version'], { uid, stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
