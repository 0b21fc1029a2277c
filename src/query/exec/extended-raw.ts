// `selector[range] anchored` and `smoothed` by themselves: the samples of the range with the values at its ends.

import { DomainError } from '../../model/errors.ts';
import { sampleColumns } from '../../model/samples.ts';
import { extendedSamples } from '../kernels/extended.ts';
import { dropStale } from '../kernels/window.ts';
import type { RangeSelectNode } from '../plan/nodes.ts';
import type { RawColumns, StepRange } from '../source.ts';
import type { ExecContext } from './context.ts';
import { COLUMNS_START, readSeries } from './select.ts';

/** Series of an extended range selector at the grid's start; `execution` error for native histograms. */
export async function* readExtended(
  node: RangeSelectNode & { readonly extension: NonNullable<RangeSelectNode['extension']> },
  grid: StepRange,
  context: ExecContext,
): AsyncGenerator<RawColumns> {
  const { budget, lookbackMs } = context;
  const isSmoothed = node.extension === 'smoothed';
  const end = (node.at ?? grid.start) - node.offsetMs;
  const start = end - node.rangeMs;
  const first = start - lookbackMs + 1;
  const last = isSmoothed ? end + lookbackMs : end;
  const columns = sampleColumns(COLUMNS_START);
  for await (const batch of readSeries({ matchers: node.matchers, start: first, end: last }, context)) {
    for (const [i, labels] of batch.labels.entries()) {
      const pause = budget.breathe();
      if (pause !== undefined) await pause;
      batch.read(i, first, last, columns);
      budget.samplesRead += columns.count;
      if (columns.rows.subarray(0, columns.count).some((row) => row >= 0) && columns.histograms !== undefined)
        throw new DomainError('execution', `${node.extension} modifier is not supported with histograms`);
      dropStale(columns);
      const shown = extendedSamples(columns, { start, end }, isSmoothed);
      if (shown === undefined) continue;
      budget.holdSamples(shown.values.length);
      budget.holdBytes(shown.values.length * 16);
      yield { labels, ...shown };
    }
  }
}
