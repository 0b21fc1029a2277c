// Canonical label bytes and the partition they belong to (docs/formats/frame.md, "Which partition"): uvarint pairs, then
// name and value of each, both behind their byte length, sorted by name. Part of the on-disk contract.

import { type Labels, labelsDrop } from '../model/labels.ts';
import { ByteReader, ByteWriter } from './bytes.ts';
import type { Hash64, Hasher } from './hash.ts';

/** The canonical bytes of a label set, owned by the caller. */
export function encodeLabels(labels: Labels): Uint8Array {
  const writer = new ByteWriter(256);
  writeLabels(writer, labels);
  return writer.copy();
}

/** Appends the canonical bytes of a label set to `target`. */
export function writeLabels(target: ByteWriter, labels: Labels): void {
  target.uvarint(labels.length / 2);
  for (const text of labels) target.text(text);
}

/** The label set of canonical bytes; `corrupt` when they do not parse. */
export function decodeLabels(bytes: Uint8Array): Labels {
  const reader = new ByteReader(bytes, 'label bytes');
  const count = reader.count(2) * 2;
  const labels: string[] = [];
  for (let i = 0; i < count; i++) labels.push(reader.text());
  if (reader.left > 0) throw reader.error(`${reader.left} bytes after the last label`);
  return labels;
}

/** The hash that places a series: xxh64 of its canonical bytes without the replica labels. */
export function placementHash(hasher: Hasher, labels: Labels, replicaLabels: ReadonlySet<string>): Hash64 {
  return hasher.hash64(encodeLabels(replicaLabels.size === 0 ? labels : labelsDrop(labels, replicaLabels)));
}

/** The partition of a placement hash: its top log2(partitions) bits. `partitions` is a power of two, at most 65,536. */
export function partitionOfHash(hash: Hash64, partitions: number): number {
  return partitions === 1 ? 0 : hash.high >>> (32 - Math.log2(partitions));
}
