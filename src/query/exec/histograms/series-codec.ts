// Selected series with native histograms as an aggregation state: a byte that tells it from the states of floats, then a reply to a
// fragment (step-batch-codec.ts).

import { DomainError } from '../../../model/errors.ts';
import type { StepBatch } from '../../source.ts';
import { decodeReply, encodeReply, splitBatch } from '../step-batch-codec.ts';

const VERSION = 3;

/** Whether bytes of an aggregation state are of series with histograms. */
export function isMixedSeries(bytes: Uint8Array): boolean {
  return bytes[0] === VERSION;
}

/** Encodes series in pieces of bounded size. */
export function encodeMixedSeries(batch: StepBatch): Uint8Array[] {
  return splitBatch(batch).map((part) => {
    const reply = encodeReply({ kind: 'batch', batch: part });
    const bytes = new Uint8Array(reply.length + 1);
    bytes[0] = VERSION;
    bytes.set(reply, 1);
    return bytes;
  });
}

/** Decodes a piece; `corrupt` when the bytes do not hold together or belong to another grid. */
export function decodeMixedSeries(bytes: Uint8Array, steps: number): StepBatch {
  const reply = decodeReply(bytes.subarray(1));
  if (reply.kind === 'batch' && reply.batch.steps === steps) return reply.batch;
  throw new DomainError('corrupt', 'cannot decode aggregation state: not series over the grid');
}
