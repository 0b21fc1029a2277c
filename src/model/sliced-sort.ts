// Sorting many items without holding up everybody else: runs are sorted one by one and merged with pauses in between.

import type { Pause } from './pause.ts';
import { compareText } from './text.ts';

/** Items sorted at a stretch: about a millisecond's work. */
const RUN_LENGTH = 2048;

/** The items in the order of `compare`, equal ones as they stood; `items` is left as it is. O(n log n). */
export function sortSliced<T>(
  items: readonly T[],
  compare: (a: T, b: T) => number,
  pause: Pause,
): Promise<T[]> {
  return sortRuns(items, { compare, sortRun: (run) => run.sort(compare) }, pause);
}

/** The texts in the order of their UTF-8 bytes; `texts` is left as it is. O(n log n). */
export function sortTexts(texts: readonly string[], pause: Pause): Promise<string[]> {
  return sortRuns(texts, { compare: compareText, sortRun: sortTextRun }, pause);
}

// The engine's own order is that of UTF-16, which is several times faster and differs only where there are surrogates.
function sortTextRun(run: string[]): string[] {
  return run.some((text) => /[\ud800-\udfff]/.test(text)) ? run.sort(compareText) : run.sort();
}

interface Order<T> {
  readonly compare: (a: T, b: T) => number;
  /** Sorts a short run in place. */
  readonly sortRun: (run: T[]) => T[];
}

async function sortRuns<T>(items: readonly T[], order: Order<T>, pause: Pause): Promise<T[]> {
  let runs: T[][] = [];
  for (let at = 0; at < items.length; at += RUN_LENGTH) {
    runs.push(order.sortRun(items.slice(at, at + RUN_LENGTH)));
    await pause();
  }
  while (runs.length > 1) {
    const next: T[][] = [];
    for (let i = 0; i < runs.length; i += 2)
      next.push(i + 1 < runs.length ? await mergeRuns(runs[i]!, runs[i + 1]!, order, pause) : runs[i]!);
    runs = next;
  }
  return runs[0] ?? [];
}

async function mergeRuns<T>(
  a: readonly T[],
  b: readonly T[],
  { compare }: Order<T>,
  pause: Pause,
): Promise<T[]> {
  const out: T[] = new Array(a.length + b.length);
  let i = 0;
  let j = 0;
  for (let at = 0; at < out.length; at++) {
    const fromA = j === b.length || (i < a.length && compare(a[i]!, b[j]!) <= 0);
    out[at] = fromA ? a[i++]! : b[j++]!;
    if (at % RUN_LENGTH === RUN_LENGTH - 1) await pause();
  }
  return out;
}
