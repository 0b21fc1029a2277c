// Test helper: queriers of several processes over one in-process bus and directory, before a shard that answers when a test says so.

import type { World } from '../../../src/actors/actor.ts';
import type { Asked, QuerierMessages } from '../../../src/actors/querier/messages.ts';
import { querier } from '../../../src/actors/querier/querier.ts';
import { type ActorRef, startActor } from '../../../src/actors/runtime.ts';
import { createLocalBus } from '../../../src/bus/local/local-bus.ts';
import { openLocalDirectory } from '../../../src/bus/local/local-directory.ts';
import { type RequestOf, serveMany } from '../../../src/bus/rpc.ts';
import { memberKey, shardSubject } from '../../../src/bus/subjects.ts';
import { encodeEnvelope } from '../../../src/codec/envelope.ts';
import { readConfig } from '../../../src/platform/config-reader.ts';
import { type Logger, silentLogger } from '../../../src/platform/log.ts';
import { createMetrics, type Metrics } from '../../../src/platform/metrics.ts';
import { encodeReply } from '../../../src/query/exec/step-batch-codec.ts';
import { createMemoryDisk } from '../../bus/local/memory-disk.ts';
import { createVirtualClock, type VirtualClock } from '../../helpers/virtual-clock.ts';

/** A line that was logged. */
export interface LogLine {
  readonly message: string;
  readonly fields: Record<string, unknown>;
}

/** A process with a querier. */
export interface QuerierProcess {
  readonly actor: ActorRef<QuerierMessages>;
  readonly metrics: Metrics;
  readonly lines: LogLine[];
}

/** What a test of queriers works with. */
export interface QuerierRig {
  readonly clock: VirtualClock;
  readonly processes: ReadonlyMap<string, QuerierProcess>;
  /** Lets the shard answer the oldest query of a tenant, as one that touched so many series; false when it has none. */
  readonly answer: (tenant: string, series?: number) => Promise<boolean>;
  /** Tenants of the queries the shard works on, the oldest first. */
  readonly working: () => string[];
}

interface Work {
  readonly tenant: string;
  readonly finish: (series: number) => void;
}

/** Starts a querier in each process. Queries wait in the shard until `answer`; each reads seven samples and finds nothing; lists have one row. */
export async function startQueriers(
  ids: readonly string[],
  flags: Readonly<Record<string, string>> = {},
): Promise<QuerierRig> {
  const clock = createVirtualClock();
  const bus = createLocalBus({ clock });
  const directory = await openLocalDirectory({ disk: createMemoryDisk(), clock });
  const work: Work[] = [];
  const shard = await bus.service({ name: 'shard', version: '1.0.0', description: '', metadata: {} });
  await serveMany(
    shard,
    'shard.query',
    shardSubject('skein', 0, 'query'),
    async ({ tenant }: RequestOf<'shard.query'>, send, { signal }) => {
      const seriesSeen = await new Promise<number>((finish, reject) => {
        const item = { tenant, finish };
        work.push(item);
        signal.addEventListener('abort', () => {
          const index = work.indexOf(item);
          if (index >= 0) work.splice(index, 1);
          reject(signal.reason);
        });
      });
      await send(encodeReply({ kind: 'statistics', samplesRead: 7, samplesQueryable: 9, seriesSeen }));
    },
  );
  await serveMany(shard, 'shard.series', shardSubject('skein', 0, 'series'), (_message, send) =>
    send(encodeEnvelope({ texts: ['job'] })),
  );
  const processes = new Map<string, QuerierProcess>();
  for (const id of ids) {
    const lines: LogLine[] = [];
    const metrics = createMetrics({ withProcess: false });
    const world = {
      identity: { id, zone: '', version: '1.0.0', address: '' },
      cluster: { id: 'c', prefix: 'skein', partitions: 1 },
      log: capturing(lines),
      ...{ bus, directory, clock, metrics },
    } as unknown as World;
    await directory.announce(memberKey(id), encodeEnvelope({ id, roles: ['querier'] }), 15_000);
    processes.set(id, { actor: await startActor(querier, readConfig({ flags }), world), metrics, lines });
  }
  return {
    clock,
    processes,
    async answer(tenant, series = 1) {
      const index = work.findIndex((item) => item.tenant === tenant);
      if (index < 0) return false;
      work.splice(index, 1)[0]!.finish(series);
      // Who computes for long gives way by the clock.
      await clock.advance(0);
      return true;
    },
    working: () => work.map(({ tenant }) => tenant),
  };
}

/** A question of a tenant, and the way to take it back. */
export function asking(tenant: string): Asked & { readonly controller: AbortController } {
  const controller = new AbortController();
  return { tenant, signal: controller.signal, controller };
}

function capturing(lines: LogLine[]): Logger {
  const log: Logger = {
    ...silentLogger(),
    info: (message, fields = {}) => void lines.push({ message, fields }),
    with: () => log,
  };
  return log;
}
