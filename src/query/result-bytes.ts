// How much memory an answer holds until it is sent.

import { rawBytes } from './exec/raw-series.ts';
import { batchBytes } from './exec/step-batch.ts';
import type { QueryValue } from './result.ts';

/** Bytes of a value. */
export function resultBytes(value: QueryValue): number {
  switch (value.type) {
    case 'vector':
    case 'matrix':
      return value.series.batches.reduce((sum, batch) => sum + batchBytes(batch), 0);
    case 'raw-matrix':
      return value.series.reduce((sum, series) => sum + rawBytes(series), 0);
    default:
      return 0;
  }
}
