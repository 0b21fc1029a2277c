// What a shard tells of a tenant's head for /api/v1/status/tsdb: counters, top lists, and hashes of label values by which a
// querier counts the distinct ones of all partitions.

import type { Contract } from '../../bus/contract.ts';
import type { RequestOf } from '../../bus/rpc.ts';
import { encodeEnvelope } from '../../codec/envelope.ts';
import { HEAD_LISTS, type NameCount } from '../../model/head-statistics.ts';
import { pairHashes, valueHashes } from '../../storage/head/value-hashes.ts';
import type { TenantStore } from './tenant-store.ts';

type Send = (frame: Uint8Array) => Promise<void>;

/** Label names told with the number of their values, so that the largest of all partitions are among them. */
const NAMES_MAX = 10_000;
/** Wanted size of a frame; names may be as long as label values. */
const FRAME_BYTES = 256 * 1024;

/** Sends counters and lists of at most `limit` entries; nothing for a tenant that is not here. */
export async function sendStatistics(
  store: TenantStore | undefined,
  limit: number,
  send: Send,
): Promise<void> {
  if (store === undefined) return;
  const { numSeries, numLabelPairs, chunkCount, minTime, maxTime, ...lists } = store.head.stats(
    limit,
    Math.max(limit, NAMES_MAX),
  );
  const reply = (frame: Contract['shard.statistics']['reply']): Promise<void> => send(encodeEnvelope(frame));
  await reply({ counters: { numSeries, numLabelPairs, chunkCount, minTime, maxTime } });
  for (const list of HEAD_LISTS) for (const entries of pieces(lists[list])) await reply({ list, entries });
}

function* pieces(entries: readonly NameCount[]): Generator<readonly NameCount[]> {
  let from = 0;
  let bytes = 0;
  for (let i = 0; i < entries.length; i++) {
    bytes += Buffer.byteLength(entries[i]!.name) + 24;
    if (bytes < FRAME_BYTES && i + 1 < entries.length) continue;
    yield entries.slice(from, i + 1);
    from = i + 1;
    bytes = 0;
  }
}

/** Sends the sketches of the values of the wanted names; '' stands for all pairs. */
export async function sendSketches(
  store: TenantStore | undefined,
  { names, hashesMax }: RequestOf<'shard.cardinality'>,
  send: Send,
): Promise<void> {
  if (store === undefined) return;
  const { index } = store.head;
  for (const name of names) {
    const hashes = name === '' ? pairHashes(index, hashesMax) : valueHashes(index, name, hashesMax);
    const bytes = new Uint8Array(hashes.buffer, hashes.byteOffset, hashes.byteLength);
    await send(encodeEnvelope({ name, hashes: bytes }));
  }
}
