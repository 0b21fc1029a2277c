// Replies of fragments survive the wire, stay small, and broken bytes are refused.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concatBatches, mergeEqualSeries } from '../../../src/query/exec/step-batch.ts';
import { decodeReply, encodeReply, splitBatch } from '../../../src/query/exec/step-batch-codec.ts';
import type { FragmentReply, StepBatch } from '../../../src/query/source.ts';
import { pause } from './batches.ts';

function cells(batch: StepBatch): unknown {
  return batch.labels.map((labels, row) => [
    labels,
    Array.from({ length: batch.steps }, (_, i) => {
      const at = row * batch.steps + i;
      return batch.present[at] === 1 ? batch.values[at] : undefined;
    }),
  ]);
}

const text = fc.string({ unit: 'grapheme', maxLength: 12 });
const anyBatch = fc.integer({ min: 1, max: 20 }).chain((steps) =>
  fc
    .array(
      fc.record({
        labels: fc
          .array(text, { maxLength: 3 })
          .map((names) => names.flatMap((name) => [name, `${name}-value`])),
        row: fc.oneof(
          fc.array(fc.option(fc.double(), { nil: undefined }), { minLength: steps, maxLength: steps }),
          fc.double().map((v) => Array<number | undefined>(steps).fill(v)),
        ),
      }),
      { maxLength: 12 },
    )
    .map((rows): StepBatch => {
      const values = new Float64Array(rows.length * steps);
      const present = new Uint8Array(rows.length * steps);
      for (const [r, { row }] of rows.entries())
        for (const [i, value] of row.entries()) {
          if (value === undefined) continue;
          values[r * steps + i] = value;
          present[r * steps + i] = 1;
        }
      return { labels: rows.map(({ labels }) => labels), steps, values, present };
    }),
);

function roundTrip(reply: FragmentReply): FragmentReply {
  return decodeReply(encodeReply(reply));
}

describe('reply codec', () => {
  it('gives back every batch', () => {
    fc.assert(
      fc.property(anyBatch, (batch) => {
        const reply = roundTrip({ kind: 'batch', batch });
        expect(reply.kind === 'batch' && cells(reply.batch)).toEqual(cells(batch));
      }),
    );
  });

  it('gives back partials, raw series, notes and statistics', () => {
    const replies: FragmentReply[] = [
      { kind: 'partial', bytes: new Uint8Array([1, 2, 3]) },
      {
        kind: 'raw',
        series: [
          {
            labels: ['a', 'b'],
            timestamps: new Float64Array([1, 2]),
            values: new Float64Array([Number.NaN, -0]),
          },
        ],
      },
      { kind: 'notes', notes: [{ level: 'info', text: 'x "ü"' }] },
      { kind: 'statistics', samplesRead: 5_000_000_000, samplesQueryable: 6_000_000_000, seriesSeen: 3 },
      { kind: 'analysis', operator: { name: 'a', timeMs: 1.5, children: [{ name: 'ü', children: [] }] } },
    ];
    for (const reply of replies) {
      const got = roundTrip(reply);
      if (got.kind === 'partial') expect([...got.bytes]).toEqual([1, 2, 3]);
      else expect(got).toEqual(reply);
    }
  });

  it('writes a constant row in a few bytes and labels once', () => {
    const batch: StepBatch = {
      labels: [
        ['__name__', 'up', 'job', 'a'],
        ['__name__', 'up', 'job', 'b'],
      ],
      steps: 1000,
      values: new Float64Array(2000).fill(1),
      present: new Uint8Array(2000).fill(1),
    };
    expect(encodeReply({ kind: 'batch', batch }).length).toBeLessThan(70);
  });

  it('refuses truncated bytes and other versions with an error, never a crash', () => {
    fc.assert(
      fc.property(anyBatch, fc.double({ min: 0, max: 1, noNaN: true }), (batch, share) => {
        const bytes = encodeReply({ kind: 'batch', batch });
        const cut = bytes.subarray(0, Math.floor(bytes.length * Math.min(share, 0.999)));
        if (batch.labels.length > 0) expect(() => decodeReply(cut)).toThrow('cannot');
      }),
    );
    expect(() => decodeReply(new Uint8Array([9, 0]))).toThrow('version 9');
  });

  it('splits by series and, on very wide grids, by steps, and the parts join to the whole', async () => {
    for (const [series, steps] of [
      [5000, 60],
      [2, 100_000],
    ] as const) {
      const values = Float64Array.from({ length: series * steps }, (_, i) => i * 1.5);
      const batch: StepBatch = {
        labels: Array.from({ length: series }, (_, i) => ['i', String(i)]),
        steps,
        values,
        present: new Uint8Array(series * steps).fill(1),
      };
      const encoded = splitBatch(batch).map((part) => encodeReply({ kind: 'batch', batch: part }));
      expect(encoded.length).toBeGreaterThan(3);
      for (const bytes of encoded) expect(bytes.length).toBeLessThanOrEqual(256 * 1024);
      const parts = encoded
        .map(decodeReply)
        .map((reply) => (reply.kind === 'batch' ? reply.batch : undefined)!);
      const whole = await mergeEqualSeries(await concatBatches(parts, steps, pause), pause);
      expect(whole.labels).toEqual(batch.labels);
      expect(Buffer.compare(Buffer.from(whole.values.buffer), Buffer.from(values.buffer))).toBe(0);
    }
  });
});
