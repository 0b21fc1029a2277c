// The same samples were once given to the head of Prometheus 3.14 (tsdb.Open with the same range and window, one appender per
// batch): the sums are of its in-order chunks, byte for byte, and of what it answered.

import { describe, expect, it } from 'vitest';
import { crc32c } from '../../../src/codec/hash.ts';
import { sampleColumns } from '../../../src/model/samples.ts';
import { appendOutcome } from '../../../src/storage/head/append-outcome.ts';
import { openHead } from '../../../src/storage/head/head.ts';

const GOLDEN = [
  { seed: 7919, outOfOrderWindowMs: 1500, chunks: 2219067010, samples: 1061615066, count: 5867 },
  { seed: 15838, outOfOrderWindowMs: 600, chunks: 1751572494, samples: 171729352, count: 5419 },
  { seed: 23757, outOfOrderWindowMs: 0, chunks: 1730258539, samples: 2808421163, count: 3534 },
];
const SERIES = 6;
const EVER = Number.MAX_SAFE_INTEGER;

/** 400 batches of 1 to 30 samples, six in ten around now, the others up to 900 ms back. */
function fillHead(seed: number) {
  let state = seed;
  const random = (below: number): number => {
    state = (state * 48271) % 2147483647;
    return state % below;
  };
  const outOfOrderWindowMs = [0, 600, 1500][random(3)]!;
  const head = openHead({ outOfOrderWindowMs, chunkRangeMs: 1000, seriesMax: SERIES });
  const outcome = appendOutcome();
  let now = 5300;
  for (let batch = 0; batch < 400; batch++) {
    const count = 1 + random(30);
    const refs = new Uint32Array(count);
    const times = new Float64Array(count);
    const values = new Float64Array(count);
    for (let i = 0; i < count; i++) {
      const series = random(SERIES);
      const mode = random(10);
      const time = mode < 6 ? now + random(40) : mode < 9 ? now - random(900) : now + random(5);
      if (mode < 6 && random(3) === 0) now = Math.max(now, time);
      random(400);
      refs[i] = head.seriesFor(['__name__', 'm', 's', `${series}`]);
      times[i] = time;
      values[i] = ((time * 31 + series * 7) % 1000) / 4;
    }
    head.append(refs, times, new Uint32Array(values.buffer), count, outcome);
  }
  return { head, outcome, outOfOrderWindowMs };
}

function sumsOf({ head, outcome, outOfOrderWindowMs }: ReturnType<typeof fillHead>) {
  let chunks = 0;
  let samples = 0;
  let count = 0;
  const columns = sampleColumns(1);
  for (let series = 0; series < SERIES; series++) {
    const ref = head.seriesFor(['__name__', 'm', 's', `${series}`]);
    for (const chunk of head.samples.inOrderChunks(ref, -EVER, EVER)) chunks = crc32c(chunk.bytes, chunks);
    head.read(ref, -EVER, EVER, columns);
    count += columns.count;
    const lines = Array.from(
      { length: columns.count },
      (_, i) => `${series} ${columns.timestamps[i]} ${columns.values[i]}\n`,
    );
    samples = crc32c(Buffer.from(lines.join('')), samples);
  }
  expect(outcome.appended + outcome.outOfOrder).toBe(count);
  return { outOfOrderWindowMs, chunks, samples, count };
}

describe('head beside Prometheus', () => {
  it.each(GOLDEN)(
    'takes and refuses the same samples and makes the same chunks, seed $seed',
    ({ seed, ...golden }) => {
      expect(sumsOf(fillHead(seed))).toEqual(golden);
    },
  );
});
