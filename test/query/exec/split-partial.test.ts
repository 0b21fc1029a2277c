// A state cut into pieces merges to the same result as the whole.

import { describe, expect, it } from 'vitest';
import { Annotations } from '../../../src/model/annotations.ts';
import { createAggregation } from '../../../src/query/exec/aggregate.ts';
import { splitPartial } from '../../../src/query/exec/split-partial.ts';
import type { StepBatch } from '../../../src/query/source.ts';
import { pause } from './batches.ts';

const GRID = { start: 0, end: 99_000, step: 1000 };

function batch(series: number): StepBatch {
  const steps = 100;
  return {
    labels: Array.from({ length: series }, (_, i) => ['pod', `pod-${i >> 1}`]),
    steps,
    values: Float64Array.from({ length: series * steps }, (_, i) => (i % 300 < 100 ? 7 : i * 0.1)),
    present: Uint8Array.from({ length: series * steps }, (_, i) => (i % 700 < 600 ? 1 : 0)),
  };
}

describe('split partial states', () => {
  for (const op of ['sum', 'avg', 'count', 'topk', 'stddev'] as const) {
    it(`${op} of pieces equals ${op} of the whole`, async () => {
      const spec = { op, grouping: ['pod'], without: false, paramValues: new Float64Array(100).fill(1) };
      const source = createAggregation(spec, GRID);
      source.add(batch(400));
      const [bytes = new Uint8Array()] = await source.encodePartial(pause);
      const pieces = splitPartial(bytes, 4096);
      expect(pieces.length).toBeGreaterThan(1);
      for (const piece of pieces) expect(piece.length).toBeLessThan(4096 + 64);
      const whole = createAggregation(spec, GRID);
      whole.addPartial(bytes);
      const joined = createAggregation(spec, GRID);
      for (const piece of pieces) joined.addPartial(piece);
      expect(await joined.finish(new Annotations(), pause)).toEqual(
        await whole.finish(new Annotations(), pause),
      );
    });
  }

  it('leaves a small state as it is', () => {
    const bytes = new Uint8Array(10);
    expect(splitPartial(bytes, 10)).toEqual([bytes]);
  });
});
