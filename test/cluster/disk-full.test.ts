// Disks that fill up: the log's of an embedded instance, and that of JetStream. Writes are turned away and say why, queries go on, and when
// there is room again writing does, with everything that was acknowledged.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeWithServers } from '../helpers/servers.ts';
import { type SkeinServer, startSkein } from '../helpers/skein-server.ts';
import { mountSmallDisk, type SmallDisk } from '../helpers/small-disk.ts';
import { Load } from './load.ts';
import { Questions, readBack, wrongTotals } from './questions.ts';
import { type Cluster, report, sleep, startCluster, until } from './rig.ts';

const RECOVERY_MS_MAX = 30_000;
const FULL_MS = 4000;

/** A suite on a small disk, skipped with the reason where there can be none. */
function describeOnSmallDisk(title: string, mebibytes: number, body: (disk: SmallDisk) => void): void {
  const disk = mountSmallDisk(mebibytes);
  if ('missing' in disk) {
    describe.skip(`${title} [skipped: ${disk.missing}]`, () => body({} as SmallDisk));
    return;
  }
  describe(title, () => {
    afterAll(() => disk.remove());
    body(disk);
  });
}

interface Filled {
  readonly load: Load;
  readonly queriers: readonly SkeinServer[];
  readonly disk: SmallDisk;
  /** What is to be done besides making room. */
  readonly mend?: () => Promise<void>;
  /** What is said to those who are turned away. */
  readonly says: RegExp;
}

// Fills the disk under load, looks at what writers and readers are told, makes room, and waits until writing goes on and all is there.
async function fillAndFree({ load, queriers, disk, mend, says }: Filled): Promise<void> {
  load.run();
  await until(RECOVERY_MS_MAX, async () => Math.min(...load.acked) > 10);
  load.forget();
  disk.fill();
  await until(RECOVERY_MS_MAX, async () => load.trouble.turnedAway.length > 2);
  const questions = new Questions(load, queriers);
  await sleep(FULL_MS);
  const { right, partial, wrong, turnedAway } = await questions.stop();
  const { trouble } = load.forget();
  const texts = [...new Set(trouble.turnedAway.map(({ text }) => text))];
  report('disk full', { acked: load.samples, right, partial: partial.length, told: texts.slice(0, 5) });
  expect({ partial, wrong, turnedAway }).toEqual({ partial: [], wrong: [], turnedAway: [] });
  expect(right).toBeGreaterThan(5);
  expect(trouble.wrong).toEqual([]);
  expect(texts.join('\n')).toMatch(says);
  disk.free();
  await mend?.();
  const refused = [...load.acked];
  const ms = await until(RECOVERY_MS_MAX, async () =>
    load.acked.every((steps, lane) => steps > refused[lane]!),
  );
  await load.stop();
  report('room again', { writingAfterMs: ms });
  let last: string | undefined;
  await until(
    RECOVERY_MS_MAX,
    async () => {
      last = await wrongTotals(load, queriers[0]!);
      return last === undefined;
    },
    () => last,
  );
}

describeOnSmallDisk('an embedded instance whose disk fills up', 12, (disk) => {
  let server: SkeinServer;
  let load: Load;

  beforeAll(async () => {
    server = await startSkein(['--data', `${disk.folder}/data`]);
    load = new Load({ receivers: () => [server], lanes: 2, seriesPerLane: 100 });
  });

  afterAll(async () => {
    await load?.stop();
    await server?.dispose();
  });

  it('refuses writes with a reason, answers queries, and takes writes again when there is room', async () => {
    await fillAndFree({ load, queriers: [server], disk, says: /the disk is full; free some space/ });
  });

  it('has every acknowledged sample after a restart', async () => {
    await server.kill();
    await server.start();
    const { samples, wrong } = await readBack(load, server);
    expect(wrong).toEqual([]);
    expect(samples).toBe(load.samples);
  });
});

await describeWithServers(['nats-server', 'minio'], 'JetStream', () => {
  describeOnSmallDisk('whose disk fills up', 64, (disk) => {
    let cluster: Cluster;
    let load: Load;

    beforeAll(async () => {
      cluster = await startCluster(
        { nats: 1, receivers: 1, shards: 1, queriers: 1, natsStore: disk.folder },
        // So short that leases and announcements run out meanwhile: JetStream keeps them, too.
        [
          ...['--cluster.partitions', '2', '--cluster.standbys', '0'],
          ...['--nats.lease_ttl', '4s', '--receiver.publish_timeout', '5s'],
        ],
      );
      load = new Load({ receivers: () => cluster.receivers, lanes: 2, seriesPerLane: 500 });
    });

    afterAll(async () => {
      await load?.stop();
      await cluster?.dispose();
    });

    it('has writers told what may be wrong, queries answered, and goes on when there is room and NATS restarted', async () => {
      const nats = cluster.nats[0]!;
      await fillAndFree({
        load,
        queriers: cluster.queriers,
        disk,
        // It answers nothing to who publishes, and what it could not write once it never writes again.
        says: /no acknowledgement within \d+ ms \(no leader, or a disk of JetStream is full/,
        async mend() {
          await nats.kill();
          await nats.start();
        },
      });
    });

    it('has every acknowledged sample, once and with its value', async () => {
      const { samples, wrong } = await readBack(load, cluster.queriers[0]!);
      expect(wrong).toEqual([]);
      expect(samples).toBe(load.samples);
    });
  });
});
