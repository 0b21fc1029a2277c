// What operators say of native histograms beside their results, in the words of Prometheus (util/annotations).

import type { Annotations } from '../../../model/annotations.ts';
import type { HistogramNote } from '../../kernels/histogram-samples.ts';
import { goQuote } from '../../parse/go-text.ts';
import { inform, warn } from '../aggregation.ts';

const TEXTS: Readonly<Record<HistogramNote, (name: string) => string>> = {
  mixed: (name) => `encountered a mix of histograms and floats for metric name ${name}`,
  'mixed-buckets': (name) =>
    `vector contains a mix of histograms with exponential and custom buckets schemas for metric name ${name}`,
  'not-counter': (name) => `this native histogram metric is not a counter: ${name}`,
  'not-gauge': (name) => `this native histogram metric is not a gauge: ${name}`,
  ignored: (name) =>
    `ignored histograms in a range containing both floats and histograms for metric name ${name}`,
  overlap: (name) => `sample has start time that overlaps with previous sample timestamp for metric ${name}`,
  collision: () => 'conflicting counter resets during histogram aggregation',
  'reconciled-addition': () => 'mismatched custom buckets were reconciled during addition',
  'reconciled-subtraction': () => 'mismatched custom buckets were reconciled during subtraction',
  'reconciled-aggregation': () => 'mismatched custom buckets were reconciled during aggregation',
};

/** Adds a note on a metric. */
export function noteHistogram(
  annotations: Annotations,
  note: HistogramNote,
  { metric, where }: { readonly metric: string; readonly where: string | undefined },
): void {
  const text = TEXTS[note](goQuote(metric));
  const isInfo = note === 'ignored' || note.startsWith('reconciled-');
  (isInfo ? inform : warn)(annotations, text, where);
}

/** Notes that an aggregation left histograms out. */
export function noteIgnored(annotations: Annotations, op: string, where: string | undefined): void {
  inform(annotations, `ignored histogram in ${op} aggregation`, where);
}
