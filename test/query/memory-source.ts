// A SeriesSource over samples in memory, for tests of the engine.

import { type Labels, labelsOf, labelValue } from '../../src/model/labels.ts';
import type { Matcher } from '../../src/model/matcher.ts';
import { growColumns, type SampleColumns, STALE_NAN_HIGH, STALE_NAN_LOW } from '../../src/model/samples.ts';
import type { SeriesSource } from '../../src/query/source.ts';

/** Stands for a staleness marker, whose bits a plain number would not keep. */
export const STALE = 'stale';

/** One series in memory. */
export interface MemorySeries {
  readonly labels: Labels;
  readonly timestamps: readonly number[];
  readonly values: readonly (number | typeof STALE)[];
}

/** Makes a series: one value every `step` ms from `start`; undefined leaves a gap. */
export function series(
  labels: Record<string, string>,
  values: readonly (number | typeof STALE | undefined)[],
  step = 60_000,
  start = 0,
): MemorySeries {
  const there = values.map((v, i) => [start + i * step, v] as const).filter(([, v]) => v !== undefined);
  return {
    labels: labelsOf(labels),
    timestamps: there.map(([t]) => t),
    values: there.map(([, v]) => v as number | typeof STALE),
  };
}

function matches(labels: Labels, { name, op, value }: Matcher): boolean {
  const actual = labelValue(labels, name);
  if (op === '=') return actual === value;
  if (op === '!=') return actual !== value;
  const found = new RegExp(`^(?:${value})$`, 's').test(actual);
  return op === '=~' ? found : !found;
}

/** A source over `all`, in batches of `batchSize` series. */
export function memorySource(all: readonly MemorySeries[], batchSize = 3): SeriesSource {
  return {
    async *select({ matchers }) {
      const found = all.filter(({ labels }) => matchers.every((matcher) => matches(labels, matcher)));
      for (let at = 0; at < found.length; at += batchSize) {
        const batch = found.slice(at, at + batchSize);
        yield {
          labels: batch.map(({ labels }) => labels),
          read(index: number, start: number, end: number, target: SampleColumns): void {
            const { timestamps, values } = batch[index]!;
            target.count = 0;
            for (const [i, t] of timestamps.entries()) {
              if (t < start || t > end) continue;
              growColumns(target, target.count + 1);
              target.timestamps[target.count] = t;
              const value = values[i]!;
              if (value === STALE) {
                target.bits[2 * target.count] = STALE_NAN_LOW;
                target.bits[2 * target.count + 1] = STALE_NAN_HIGH;
              } else target.values[target.count] = value;
              target.count++;
            }
          },
        };
      }
    },
  };
}
