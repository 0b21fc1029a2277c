// The cluster at work: partitions move while it is written to and asked, processes are killed, a server restarts. Nothing
// acknowledged is lost, and no answer is wrong.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWithServers } from '../helpers/servers.ts';
import type { SkeinServer } from '../helpers/skein-server.ts';
import { type Cluster, gauges, Load, Questions, report, sleep, startCluster, timed, until } from './rig.ts';

await describeWithServers(['nats-server', 'minio'], 'a cluster', () => {
  let cluster: Cluster;
  let load: Load;

  beforeAll(async () => {
    cluster = await startCluster({ receivers: 2, shards: 3, queriers: 2 });
    load = new Load(() => cluster.receivers);
  });

  afterAll(async () => {
    await load?.stop();
    await cluster?.dispose();
  });

  // Right at the end, and how long that took.
  const recovered = (server: SkeinServer, ms: number): Promise<number> => {
    let last: unknown;
    return until(
      ms,
      async () => {
        last = await load.check(server);
        return last === undefined;
      },
      () => last,
    );
  };

  it('moves partitions to a fourth shard and back without a failed write or a wrong answer', async () => {
    load.run();
    await until(30_000, async () => load.samples > 5000);
    await recovered(cluster.queriers[0]!, 30_000);
    const before = load.failures.length;
    const questions = new Questions();
    questions.run(load, () => cluster.queriers);
    await sleep(1000);
    const fourth = await cluster.add('shard');
    // It answers for its share within half a minute, and the others have let go of it.
    let held: number[] = [];
    const settleMs = await until(
      30_000,
      async () => {
        const found = cluster.shards.map((server) => gauges(server, 'skein_shard_applied_sequence'));
        held = (await Promise.all(found)).map((partitions) => partitions.size);
        return held.join() === '4,4,4,4'; // 8 partitions, each with a standby
      },
      () => held,
    );
    await sleep(3000);
    const stopMs = await timed(() => fourth.stop());
    cluster.shards.pop();
    await sleep(3000);
    await questions.stop();
    await load.stop();
    await recovered(cluster.queriers[1]!, 10_000);
    report('partitions moved', {
      settleMs,
      stopMs,
      asked: questions.asked,
      slowestAnswerMs: questions.slowestMs,
      slowestWriteMs: load.slowestMs,
    });
    await fourth.dispose();
    expect(load.failures.slice(before)).toEqual([]);
    expect(questions.wrong).toEqual([]);
    expect(questions.asked).toBeGreaterThan(5);
    expect(stopMs).toBeLessThan(10_000);
  });

  it('loses nothing when a process of each kind is killed in the middle of writes', async () => {
    for (const role of ['receivers', 'queriers', 'shards'] as const) {
      load.run();
      await sleep(2000);
      const [victim] = cluster[role];
      await victim!.kill();
      await sleep(1000);
      await load.stop();
      const other = cluster.queriers[1]!;
      // The process is started again on its data folder, as an orchestrator would.
      await victim!.start();
      const backMs = await recovered(other, 30_000);
      await recovered(cluster.queriers[0]!, 10_000);
      report(`killed one of the ${role}`, { backMs, samples: load.samples });
    }
  });

  it('goes on by itself when a killed shard does not come back', async () => {
    load.run();
    await sleep(1000);
    const victim = cluster.shards.pop()!;
    await victim.kill();
    await load.stop();
    const backMs = await recovered(cluster.queriers[0]!, 45_000);
    report('a shard killed for good', { backMs });
    await victim.dispose();
  });

  it('loses nothing when the only NATS server is killed and starts again', async () => {
    load.run();
    await sleep(1000);
    await cluster.nats.kill();
    await sleep(1000);
    await cluster.nats.start();
    await sleep(3000);
    await load.stop();
    const backMs = await recovered(cluster.queriers[0]!, 45_000);
    report('NATS killed and back', { backMs, samples: load.samples });
    const later = Math.min(...load.acked);
    load.run();
    await until(30_000, async () => Math.min(...load.acked) > later + 5);
    await load.stop();
    await recovered(cluster.queriers[1]!, 30_000);
  });
});
