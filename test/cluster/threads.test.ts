import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startThreads } from '../../src/embedded-threads.ts';
import type { Config } from '../../src/platform/config.ts';
import { readConfig } from '../../src/platform/config-reader.ts';
import { silentLogger } from '../../src/platform/log.ts';
import { rehearse } from '../../src/rehearsal.ts';
import { STAGE_FOLDER } from '../../src/stage.ts';
import { type OpenWorld, openWorld } from '../../src/world.ts';
import { rawRequest } from '../helpers/raw-http.ts';
import { type SkeinServer, startSkein } from '../helpers/skein-server.ts';
import { Load } from './load.ts';
import { wrongTotals } from './questions.ts';
import { gauges, until } from './rig.ts';

const PARTITIONS = ['0', '1', '2', '3'];

describe('an embedded process of three threads', () => {
  let server: SkeinServer;
  let load: Load;

  beforeAll(async () => {
    server = await startSkein(['--embedded.threads', '3', '--embedded.partitions', '4']);
    load = new Load({ receivers: () => [server], lanes: 2, seriesPerLane: 200, paceMs: 20 });
  });
  afterAll(async () => {
    await load.stop();
    await server.dispose();
  });

  const text = async (at: string): Promise<string> =>
    (await rawRequest(server.url, { path: at })).body.toString();

  it('takes writes for the shards of all threads and has them when asked, after Ctrl-C and kill -9, too', async () => {
    for (const end of ['stop', 'kill'] as const) {
      load.run();
      const before = load.samples;
      await until(20_000, async () => load.samples > before + 20_000);
      await server[end]();
      await load.stop();
      await server.start();
      let last: string | undefined;
      await until(
        5000,
        async () => {
          last = await wrongTotals(load, server);
          return last === undefined;
        },
        () => last,
      );
    }
  });

  it('tells the metrics of all its threads as one, those of the process once', async () => {
    const applied = await gauges(server, 'skein_shard_applied_sequence');
    expect([...applied.keys()].toSorted()).toEqual(PARTITIONS);
    const lines = (await text('/metrics')).split('\n');
    const names = lines.filter((line) => line.startsWith('# TYPE ')).map((line) => line.split(' ')[2]);
    expect(names.length).toBe(new Set(names).size);
    expect(lines.filter((line) => line.startsWith('process_resident_memory_bytes '))).toHaveLength(1);
  });

  it('shows the shards of other threads as its own', async () => {
    const page = await text('/');
    for (const partition of PARTITIONS) expect(page).toContain(`shard-${partition}`);
    expect((await rawRequest(server.url, { path: '/-/ready' })).status).toBe(200);
  });
});

describe('threads', () => {
  let folder: string;
  let open: OpenWorld;
  let config: Config;

  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'skein-threads-'));
    config = readConfig({ environment: {}, flags: { 'process.data': folder } });
    open = await openWorld(config, '1.2.3', '127.0.0.1:1', silentLogger());
  });
  afterEach(async () => {
    await open.close();
    await rm(folder, { recursive: true, force: true });
  });

  it('play in a rehearsal together, which leaves nothing behind', async () => {
    const { world, hub: bus } = open;
    const threads = await startThreads({ config, version: '1.2.3', world, bus: bus!, threads: 2 });
    const stage = path.join(folder, STAGE_FOLDER);
    const { signal } = new AbortController();
    let stages = 0;
    const openStage: typeof threads.openStage = async (...stageOptions) => {
      const opened = await threads.openStage(...stageOptions);
      stages++;
      return opened;
    };
    const taking = { count: threads.count, openStage };
    const options = { config, version: '1.2.3', folder: stage, threads: taking, world, rounds: 1, signal };
    expect((await rehearse(options)).requests).toBeGreaterThan(50);
    expect(stages).toBe(2);
    expect(existsSync(stage)).toBe(false);
    await threads.close();
  });

  it('fail to start with what kept one of them from starting', async () => {
    const broken = { ...config, process: { ...config.process, log_level: 'loudest' } };
    const options = { version: '1.2.3', world: open.world, bus: open.hub!, threads: 2 };
    await expect(startThreads({ ...options, config: broken })).rejects.toThrow('loudest');
  });
});
