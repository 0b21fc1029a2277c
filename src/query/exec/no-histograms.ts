// Where native histograms cannot be evaluated yet, a query that meets one fails: leaving it out, or taking its sum for its value, would
// be a wrong answer.

import { DomainError } from '../../model/errors.ts';
import { type Labels, labelsText } from '../../model/labels.ts';
import type { SampleColumns } from '../../model/samples.ts';

/** `execution` error when samples of a series are native histograms. */
export function refuseHistograms(columns: SampleColumns, labels: Labels): void {
  if (columns.histograms === undefined) return;
  throw new DomainError(
    'execution',
    `cannot evaluate ${labelsText(labels)}: it has native histograms, which only a selector by itself can show yet`,
  );
}
