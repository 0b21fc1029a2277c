// Series and metric families → partition (docs/formats/frame.md, "Which partition"), straight from bytes.

import { ByteWriter } from '../../../codec/bytes.ts';
import type { LabelRanges } from '../../../codec/frame-writer.ts';
import type { Hasher } from '../../../codec/hash.ts';
import { partitionOfHash } from '../../../codec/label-bytes.ts';
import { copyText } from '../../../codec/remote-write/labels.ts';
import type { Placement } from './series-table.ts';

/** Makes the placement of sorted label ranges: the same partition as `placementHash` gives for the labels. */
export function createPlacement(
  hasher: Hasher,
  partitions: number,
  replicaLabels: readonly string[],
): Placement {
  const scratch = new ByteWriter(512);
  const replicas = replicaLabels.map((name) => new TextEncoder().encode(name));
  return (bytes, labels) => {
    scratch.clear();
    let kept = labels.pairs;
    for (let at = 0; at < 4 * labels.pairs; at += 4) if (isReplica(bytes, labels, at, replicas)) kept--;
    scratch.uvarint(kept);
    for (let at = 0; at < 4 * labels.pairs; at += 4) {
      if (kept < labels.pairs && isReplica(bytes, labels, at, replicas)) continue;
      for (let i = at; i < at + 4; i += 2) {
        const length = labels.ranges[i + 1]! - labels.ranges[i]!;
        scratch.uvarint(length);
        copyText(scratch, bytes, labels.ranges[i]!, length);
      }
    }
    return partitionOfHash(hasher.hash64(scratch.written()), partitions);
  };
}

function isReplica(
  bytes: Uint8Array,
  labels: LabelRanges,
  at: number,
  replicas: readonly Uint8Array[],
): boolean {
  const start = labels.ranges[at]!;
  const length = labels.ranges[at + 1]! - start;
  return replicas.some((name) => {
    if (name.length !== length) return false;
    for (let i = 0; i < length; i++) if (bytes[start + i] !== name[i]) return false;
    return true;
  });
}
