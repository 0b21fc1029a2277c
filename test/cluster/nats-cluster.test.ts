// Three nats-servers, three copies of everything: each of them is killed under a heavy load and comes back. Nothing acknowledged is lost,
// and no answer is wrong.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWithServers } from '../helpers/servers.ts';
import { Load } from './load.ts';
import { readBack } from './questions.ts';
import { type Cluster, report, sleep, startCluster, until } from './rig.ts';
import { recovered, weather } from './storm.ts';

const RECOVERY_MS_MAX = 45_000;

await describeWithServers(['nats-server', 'minio'], 'a cluster on three NATS servers', () => {
  let cluster: Cluster;
  let load: Load;

  beforeAll(async () => {
    cluster = await startCluster({ nats: 3, receivers: 2, shards: 3, queriers: 1 });
    load = new Load({ receivers: () => cluster.receivers });
    load.run();
    await until(30_000, async () => Math.min(...load.acked) > 5);
    await load.stop();
    await recovered(load, cluster.queriers[0]!, RECOVERY_MS_MAX);
  });

  afterAll(async () => {
    await load?.stop();
    await cluster?.dispose();
  });

  it.each([1, 2, 3])('loses nothing when server %i is killed', async (number) => {
    const server = cluster.nats[number - 1]!;
    const { heard, trouble } = await weather(cluster, load, {
      name: `NATS server ${number} of three killed`,
      recoveryMsMax: RECOVERY_MS_MAX,
      async happens() {
        await server.kill();
        await sleep(2000);
        await server.start();
      },
    });
    expect(heard.wrong).toEqual([]);
    expect(trouble.wrong).toEqual([]);
    // Without a leader a shard cannot know whether its log has more: an ordinary answer says so, a strong one waits.
    expect(heard.partial.filter((text) => !text.includes('is not applied yet'))).toEqual([]);
    expect([...heard.broken, ...trouble.broken]).toEqual([]);
    expect(heard.right).toBeGreaterThan(3);
  });

  it('has every acknowledged sample, once and with its value', async () => {
    const { samples, wrong } = await readBack(load, cluster.queriers[0]!);
    report('read back', { samples });
    expect(wrong).toEqual([]);
    expect(samples).toBe(load.samples);
  });
});
