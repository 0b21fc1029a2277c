// What is not healthy in a cluster, from what its directory tells. Pure: `skein check cluster` and alerting people read the same list.

import type { PartitionRow, StatusFacts } from './status-page.ts';

/** More messages than this not applied yet: a replica that does not keep up, or is catching up. */
const LAG_MESSAGES_MAX = 1000;
/** Part of the room of a log that may be in use. */
const LOG_PART_MAX = 0.8;

/** One sentence for each thing that is not as it should be; empty when the cluster is healthy. */
export function complaintsOf(facts: StatusFacts): string[] {
  const alive = new Set(facts.processes.map(({ id }) => id));
  const holders = facts.processes.filter(({ roles }) => roles.includes('shard')).length;
  const standbys = Math.max(0, Math.min(facts.standbys, holders - 1));
  const complaints: string[] = [];
  for (const role of ['receiver', 'shard', 'querier'])
    if (!facts.processes.some(({ roles }) => roles.includes(role)))
      complaints.push(`no process is a ${role}`);
  for (const row of facts.partitions)
    for (const text of partitionComplaints(row, alive, standbys, facts.logBytesMax))
      complaints.push(`partition ${row.partition}: ${text}`);
  return complaints;
}

function partitionComplaints(
  row: PartitionRow,
  alive: ReadonlySet<string>,
  standbys: number,
  logBytesMax: number,
): string[] {
  const { owner, state, lag = 0, logBytes = 0 } = row;
  const out: string[] = [];
  if (owner === undefined) out.push('nobody leads it');
  else if (!alive.has(owner)) out.push(`its owner ${owner} is gone`);
  else if (state !== 'ready') out.push(`its owner ${owner} is ${state}`);
  const ready = row.standbys.filter((standby) => standby.state === 'ready' && alive.has(standby.process));
  if (ready.length < standbys) out.push(`${ready.length} of ${standbys} standbys are ready`);
  if (lag > LAG_MESSAGES_MAX) out.push(`its owner has ${lag} messages of the log still to apply`);
  for (const { process, lag: behind } of ready)
    if (behind > LAG_MESSAGES_MAX) out.push(`standby ${process} has ${behind} messages still to apply`);
  if (row.blocksKnown === false) out.push('the bucket has not told of its blocks: is S3 away?');
  if (logBytes > LOG_PART_MAX * logBytesMax)
    out.push(`its log holds ${logBytes} of ${logBytesMax} bytes: do blocks reach the bucket?`);
  return out;
}
