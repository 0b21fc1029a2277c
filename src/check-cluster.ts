// `skein check cluster`: asks any process of a cluster how it stands, prints a line for each partition and what is not healthy.

import { complaintsOf } from './actors/cluster-check.ts';
import type { PartitionRow, StatusFacts } from './actors/status-page.ts';
import { DomainError, errorText } from './model/errors.ts';

const DEADLINE_MS = 10_000;
const MIB = 1 << 20;

/** Prints how the cluster of the process at `url` stands; true when it is healthy. Errors: `unavailable`. */
export async function checkCluster(url: string, write: (line: string) => void): Promise<boolean> {
  const facts = await readFacts(url);
  const rows = [
    ['PARTITION', 'OWNER', 'STATE', 'STANDBYS', 'LAG', 'LAST BLOCK ENDS', 'LOG MiB', 'SERIES'],
    ...facts.partitions.map(cells),
  ];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  for (const row of rows)
    write(
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    );
  const complaints = complaintsOf(facts);
  write('');
  for (const complaint of complaints) write(complaint);
  if (complaints.length === 0) write(`${facts.cluster}: ${facts.partitions.length} partitions, all healthy`);
  return complaints.length === 0;
}

async function readFacts(url: string): Promise<StatusFacts> {
  const address = `${url.replace(/\/+$/, '')}/-/cluster`;
  try {
    const response = await fetch(address, { signal: AbortSignal.timeout(DEADLINE_MS) });
    if (!response.ok)
      throw new DomainError('unavailable', `it answers ${response.status} ${await response.text()}`);
    return (await response.json()) as StatusFacts;
  } catch (error) {
    // fetch says only that it failed; why is its cause.
    const reason = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    throw new DomainError('unavailable', `cannot ask ${address}: ${errorText(reason)}`, { cause: error });
  }
}

function cells(row: PartitionRow): string[] {
  const number = (value: number | undefined): string => (value === undefined ? '-' : String(value));
  const standbys = row.standbys.map(({ process, state, lag }) =>
    state === 'ready' ? `${process} (${lag} behind)` : `${process} (${state})`,
  );
  return [
    String(row.partition),
    row.owner ?? '-',
    row.state,
    standbys.join(', ') || '-',
    number(row.lag),
    row.lastBlockEnd ? new Date(row.lastBlockEnd).toISOString() : '-',
    row.logBytes === undefined ? '-' : (row.logBytes / MIB).toFixed(1),
    number(row.series),
  ];
}
