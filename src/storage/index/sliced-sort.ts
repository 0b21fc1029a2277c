// Sorting many strings without holding up everybody else: runs are sorted one by one and merged with pauses in between.

import { compareText } from '../../model/text.ts';
import type { Pause } from './pause.ts';

/** Strings sorted at a stretch: about a millisecond's work. */
const RUN_LENGTH = 2048;

/** The texts in the order of their UTF-8 bytes; `texts` is left as it is. O(n log n). */
export async function sortTexts(texts: readonly string[], pause: Pause): Promise<string[]> {
  let runs: string[][] = [];
  for (let at = 0; at < texts.length; at += RUN_LENGTH) {
    runs.push(sortRun(texts.slice(at, at + RUN_LENGTH)));
    await pause();
  }
  while (runs.length > 1) {
    const next: string[][] = [];
    for (let i = 0; i < runs.length; i += 2)
      next.push(i + 1 < runs.length ? await mergeRuns(runs[i]!, runs[i + 1]!, pause) : runs[i]!);
    runs = next;
  }
  return runs[0] ?? [];
}

// The engine's own order is that of UTF-16, which is several times faster and differs only where there are surrogates.
function sortRun(run: string[]): string[] {
  return run.some((text) => /[\ud800-\udfff]/.test(text)) ? run.sort(compareText) : run.sort();
}

async function mergeRuns(a: readonly string[], b: readonly string[], pause: Pause): Promise<string[]> {
  const out: string[] = new Array(a.length + b.length);
  let i = 0;
  let j = 0;
  for (let at = 0; at < out.length; at++) {
    const fromA = j === b.length || (i < a.length && compareText(a[i]!, b[j]!) <= 0);
    out[at] = fromA ? a[i++]! : b[j++]!;
    if (at % RUN_LENGTH === RUN_LENGTH - 1) await pause();
  }
  return out;
}
