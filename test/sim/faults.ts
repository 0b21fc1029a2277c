// What each kind of fault does to the cluster, and how it ends.

import { type Cluster, LOG_BYTES_MAX, type Machine } from './cluster.ts';
import type { FaultKind, PlannedFault } from './plan.ts';

interface Aim {
  readonly cluster: Cluster;
  readonly machine: Machine;
  readonly partition: number;
  readonly lastsMs: number;
}

/** Begins a fault; gives what ends it. */
type Begin = (aim: Aim) => () => void;

const FAULTS: Readonly<Record<FaultKind, Begin>> = {
  kill({ cluster, machine }) {
    cluster.kill(machine);
    machine.isHeldDown = true;
    return () => up(cluster, machine);
  },
  pause({ cluster, machine }) {
    cluster.pause(machine);
    return () => cluster.resume(machine);
  },
  drain({ cluster, machine, lastsMs }) {
    cluster.drain(machine, lastsMs);
    return () => {};
  },
  cut({ machine, lastsMs }) {
    machine.host.cut(lastsMs % 3000);
    return () => machine.host.heal();
  },
  'bucket-cut'({ machine }) {
    machine.host.hasBucket = false;
    return () => {
      machine.host.hasBucket = true;
    };
  },
  'bucket-refuses': ({ cluster }) => bucketAway(cluster, 'refuses'),
  'bucket-silent': ({ cluster }) => bucketAway(cluster, 'silent'),
  'log-away'({ cluster, partition }) {
    const log = cluster.services.logs.logs.get(partition);
    if (log === undefined) return () => {};
    log.isAway = true;
    return () => {
      log.isAway = false;
      for (const feed of [...log.feeds]) cluster.services.logs.feed(log, feed);
    };
  },
  'log-leader'({ cluster, partition }) {
    const { logs } = cluster.services;
    if (!logs.logs.has(partition)) return () => {};
    logs.dropFeeds(partition);
    return FAULTS['log-away']({ cluster, partition, machine: cluster.machines[0]!, lastsMs: 0 });
  },
  'log-full'({ cluster, partition }) {
    const { logs } = cluster.services;
    if (!logs.logs.has(partition)) return () => {};
    logs.bytesMax = logs.bounds(partition).bytes;
    return () => {
      logs.bytesMax = LOG_BYTES_MAX;
    };
  },
  'directory-away'({ cluster }) {
    cluster.services.directory.isAway = true;
    return () => {
      cluster.services.directory.isAway = false;
    };
  },
  'disk-full'({ machine }) {
    machine.host.disk.fail('write', 'full');
    return () => machine.host.disk.fail('write', undefined);
  },
  'disk-broken'({ machine }) {
    machine.host.disk.fail('sync', 'broken');
    return () => machine.host.disk.fail('sync', undefined);
  },
  'disk-lost'(aim) {
    const end = FAULTS.kill(aim);
    void aim.machine.host.disk.remove('');
    for (const name of aim.machine.host.disk.names()) void aim.machine.host.disk.remove(name);
    return end;
  },
  'snapshot-flip'(aim) {
    const end = FAULTS.kill(aim);
    const { cluster, machine } = aim;
    for (const name of machine.host.disk.names().filter((file) => file.includes('snapshot'))) {
      const bytes = machine.host.disk.bytes(name);
      if (bytes.length === 0) continue;
      bytes[cluster.random.integer(bytes.length)]! ^= 1 << cluster.random.integer(8);
      machine.host.disk.setBytes(name, bytes);
    }
    return end;
  },
};

function up(cluster: Cluster, machine: Machine): void {
  machine.isHeldDown = false;
  cluster.boot(machine);
}

function bucketAway(cluster: Cluster, how: 'refuses' | 'silent'): () => void {
  cluster.services.bucket.away = how;
  return () => {
    cluster.services.bucket.away = undefined;
  };
}

/** Lets the faults of the plan happen; returns what ends all that still last. */
export function scheduleFaults(cluster: Cluster): () => void {
  const { loop } = cluster.services;
  const lasting = new Set<() => void>();
  let isOver = false;
  const schedule = ({ kind, atMs, lastsMs, target }: PlannedFault): void => {
    loop.after(atMs, `fault ${kind} ${target} for ${lastsMs} ms`, () => {
      if (isOver) return;
      const machine = cluster.machines[target % cluster.machines.length]!;
      const partition = target % cluster.plan.partitions;
      const end = FAULTS[kind]({ cluster, machine, partition, lastsMs });
      const once = (): void => {
        if (!lasting.delete(once)) return;
        end();
      };
      lasting.add(once);
      loop.after(lastsMs, `end of fault ${kind} ${target}`, once);
    });
  };
  for (const fault of cluster.plan.faults) schedule(fault);
  return () => {
    isOver = true;
    for (const end of [...lasting]) end();
  };
}
