// Leaves out series, then samples, as long as a question about them still has different answers.

import type { FuzzSeries } from './data.ts';
import type { Question } from './shrink.ts';

/** Each try starts both servers anew. */
const TRIES_MAX = 40;

/** The fewest series and samples found for which `differs` still says true. */
export async function shrinkSeries(
  series: readonly FuzzSeries[],
  { query }: Question,
  differs: (series: readonly FuzzSeries[]) => Promise<boolean>,
): Promise<readonly FuzzSeries[]> {
  let best = series;
  let tries = 0;
  const attempt = async (smaller: readonly FuzzSeries[]): Promise<boolean> => {
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
  for (const share of [2, 4, 8, 16])
    for (const keep of ['first', 'last'] as const) await attempt(best.map((one) => part(one, share, keep)));
  return best;
}

function sampleCount(series: readonly FuzzSeries[]): number {
  return series.reduce((sum, { samples }) => sum + samples.length, 0);
}

// The series without a share of its samples, from the other end than `keep` says.
function part({ labels, samples }: FuzzSeries, share: number, keep: 'first' | 'last'): FuzzSeries {
  const kept = Math.max(1, samples.length - Math.ceil(samples.length / share));
  return { labels, samples: keep === 'first' ? samples.slice(0, kept) : samples.slice(-kept) };
}
