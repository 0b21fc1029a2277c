// Native histograms as promqltest writes and compares them: {{schema:0 count:3 sum:4.5 buckets:[1 2] counter_reset_hint:gauge}}.

import { histogramText } from '../../src/codec/histogram-text.ts';
import type { BucketList } from '../../src/model/bucket-list.ts';
import { COUNT, FloatHistogram, SUM, ZERO_COUNT } from '../../src/model/float-histogram.ts';
import { HistogramColumns, RESET_HINT } from '../../src/model/histogram.ts';
import type { HistogramRow } from '../../src/model/histogram-equality.ts';
import { addHistogram, INCOMPATIBLE, sameBounds, subtractHistogram } from '../../src/model/histogram-sum.ts';

/** A histogram of the notation, and whether it says what is known of counter resets. */
export interface NotedHistogram {
  readonly histogram: FloatHistogram;
  readonly hasHint: boolean;
}

const HINTS: Readonly<Record<string, number>> = {
  unknown: RESET_HINT.unknown,
  reset: RESET_HINT.reset,
  not_reset: RESET_HINT.noReset,
  gauge: RESET_HINT.gauge,
};

/** Parses what stands between the braces; `number` reads numbers. Throws Error with what is wrong. */
export function parseHistogram(text: string, number: (text: string) => number): NotedHistogram {
  const words = new Map<string, string>();
  for (const [, key = '', list, word = ''] of text.matchAll(/([a-z_]+):(?:\[([^\]]*)\]|(\S+))/g)) {
    if (words.has(key)) throw new Error(`duplicate key ${JSON.stringify(key)} in histogram`);
    words.set(key, list ?? word);
  }
  const numberOf = (key: string): number => number(words.get(key) ?? '0');
  const listOf = (key: string): number[] => (words.get(key) ?? '').split(/\s+/).filter(Boolean).map(number);
  const histogram = new FloatHistogram();
  histogram.schema = numberOf('schema');
  histogram.zeroThreshold = numberOf('z_bucket_w');
  histogram.totals[COUNT] = numberOf('count');
  histogram.totals[SUM] = numberOf('sum');
  histogram.totals[ZERO_COUNT] = numberOf('z_bucket');
  histogram.bounds = Float64Array.from(listOf('custom_values'));
  for (const [i, value] of listOf('buckets').entries())
    histogram.positive.push(numberOf('offset') + i, value);
  for (const [i, value] of listOf('n_buckets').entries())
    histogram.negative.push(numberOf('n_offset') + i, value);
  const hint = words.get('counter_reset_hint');
  if (hint !== undefined) {
    const known = HINTS[hint];
    if (known === undefined) throw new Error(`unknown counter_reset_hint ${hint}`);
    histogram.hint = known;
  }
  return { histogram, hasHint: hint !== undefined };
}

/** base, base + step, base + 2 steps and so on, `times` of them after the first; `sign` -1 takes the step away. */
export function histogramSequence(
  base: FloatHistogram,
  step: FloatHistogram,
  { times, sign }: { readonly times: number; readonly sign: number },
): FloatHistogram[] {
  const out = [base];
  for (let i = 1; i <= times; i++) {
    const next = new FloatHistogram().copy(out[i - 1]!);
    if (next.schema > step.schema)
      throw new Error(
        `error combining histograms: cannot merge from schema ${step.schema} to ${next.schema}`,
      );
    const said = sign < 0 ? subtractHistogram(next, step) : addHistogram(next, step);
    if ((said & INCOMPATIBLE) !== 0) throw new Error('error combining histograms of different kinds');
    out.push(next);
  }
  return out;
}

/** Whether an answer has the wanted histogram, up to `almostEqual`; the hint counts where it is written. */
export function histogramMatches(
  { histogram, hasHint }: NotedHistogram,
  found: HistogramRow,
  almostEqual: (a: number, b: number) => boolean,
): boolean {
  const wanted = new FloatHistogram().copy(histogram).compact();
  const actual = new FloatHistogram().load(found).compact();
  return (
    wanted.schema === actual.schema &&
    wanted.zeroThreshold === actual.zeroThreshold &&
    (!wanted.isCustom || sameBounds(wanted.bounds, actual.bounds)) &&
    wanted.totals.every((total, i) => almostEqual(total, actual.totals[i]!)) &&
    bucketsMatch(wanted.positive, actual.positive, almostEqual) &&
    bucketsMatch(wanted.negative, actual.negative, almostEqual) &&
    (!hasHint || wanted.hint === actual.hint)
  );
}

function bucketsMatch(
  wanted: BucketList,
  actual: BucketList,
  almostEqual: (a: number, b: number) => boolean,
): boolean {
  if (wanted.count !== actual.count) return false;
  for (let i = 0; i < wanted.count; i++) {
    if (wanted.numbers[i] !== actual.numbers[i]) return false;
    if (!almostEqual(wanted.values[i]!, actual.values[i]!)) return false;
  }
  return true;
}

/** A histogram for messages. */
export function describeHistogram(histogram: FloatHistogram): string {
  const columns = new HistogramColumns(1);
  return describeRow({ columns, row: histogram.store(columns) });
}

/** As describeHistogram, of a row. */
export function describeRow(histogram: HistogramRow): string {
  const { columns, row } = histogram;
  return `${histogramText(histogram)} (schema ${columns.schemas[row]}, zero ${columns.zeroThresholds[row]}, hint ${columns.hints[row]})`;
}
