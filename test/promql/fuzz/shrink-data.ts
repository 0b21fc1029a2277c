// Leaves out series, then samples, as long as a question about them still has different answers.

import type { WrittenSeries } from '../../helpers/write-requests.ts';
import { DATA_MS } from './data.ts';
import type { Question } from './shrink.ts';

/** Each try starts both servers anew. */
const TRIES_MAX = 60;

/** The fewest series and samples found for which `differs` still says true. */
export async function shrinkSeries(
  series: readonly WrittenSeries[],
  { query }: Question,
  differs: (series: readonly WrittenSeries[]) => Promise<boolean>,
): Promise<readonly WrittenSeries[]> {
  let best = series;
  let tries = 0;
  const attempt = async (smaller: readonly WrittenSeries[]): Promise<boolean> => {
    if (smaller.length >= best.length && sampleCount(smaller) >= sampleCount(best)) return false;
    if (tries++ >= TRIES_MAX || !(await differs(smaller).catch(() => false))) return false;
    best = smaller;
    return true;
  };
  await attempt(
    series.filter(({ labels }) =>
      labels.some(([name, value]) => name === '__name__' && query.includes(value)),
    ),
  );
  for (let size = Math.ceil(best.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2))
    for (let at = 0; at < best.length; )
      if (!(await attempt([...best.slice(0, at), ...best.slice(at + size)]))) at += size;
  // Then the time in which there are samples: from its end, from its beginning.
  for (const keep of ['before', 'after'] as const)
    for (let width = DATA_MS / 2; width >= 15_000; width /= 2) {
      const times = best.flatMap(({ samples }) => samples.map(({ time }) => time));
      const limit = keep === 'before' ? Math.max(...times) - width : Math.min(...times) + width;
      await attempt(best.map((one) => within(one, keep, limit)));
    }
  return best;
}

function sampleCount(series: readonly WrittenSeries[]): number {
  return series.reduce((sum, { samples }) => sum + samples.length, 0);
}

function within({ labels, samples }: WrittenSeries, keep: 'before' | 'after', limit: number): WrittenSeries {
  return {
    labels,
    samples: samples.filter(({ time }) => (keep === 'before' ? time <= limit : time >= limit)),
  };
}
