// Test helper: random remote-write requests.

import fc from 'fast-check';
import type { WriteRequestMessage, WriteRequestV2Message } from '../../../src/codec/proto/remote-write.ts';

const time = fc.oneof(
  fc.integer({ min: 1_700_000_000_000, max: 1_700_000_100_000 }),
  fc.constantFrom(0, -1, 1, 127, 128, -(2 ** 53) + 1, 2 ** 53 - 1, 2 ** 32, 2 ** 56),
);
const value = fc.oneof(fc.double(), fc.constantFrom(0, -0, Number.NaN, Number.POSITIVE_INFINITY));
const text = fc.oneof(fc.string({ maxLength: 8 }), fc.string({ unit: 'grapheme', maxLength: 140 }));
const label = fc.record({ name: text, value: text });

/** Remote write 1.0. */
export const requestsV1: fc.Arbitrary<WriteRequestMessage> = fc.record({
  timeseries: fc.array(
    fc.record({
      labels: fc.array(label, { maxLength: 6 }),
      samples: fc.array(fc.record({ value, timestamp: time }), { maxLength: 4 }),
      exemplars: fc.array(fc.record({ labels: fc.array(label, { maxLength: 3 }), value, timestamp: time }), {
        maxLength: 2,
      }),
      histograms: fc.array(fc.record({ timestamp: fc.nat(), sum: value }), { maxLength: 1 }),
    }),
    { maxLength: 6 },
  ),
  metadata: fc.array(fc.record({ type: fc.nat(7), metricFamilyName: text, help: text, unit: text }), {
    maxLength: 3,
  }),
});

/** Remote write 2.0; every ref is inside the symbols table. */
export const requestsV2: fc.Arbitrary<WriteRequestV2Message> = fc
  .array(text, { minLength: 1, maxLength: 12 })
  .chain((symbols) => {
    const table = ['', ...symbols];
    const ref = fc.nat(table.length - 1);
    const refs = fc.array(fc.tuple(ref, ref), { maxLength: 6 }).map((pairs) => pairs.flat());
    return fc.record({
      symbols: fc.constant(table),
      timeseries: fc.array(
        fc.record({
          labelsRefs: refs,
          samples: fc.array(fc.record({ value, timestamp: time, startTimestamp: time }), { maxLength: 4 }),
          histograms: fc.array(fc.record({ timestamp: fc.nat(), sum: value }), { maxLength: 1 }),
          exemplars: fc.array(fc.record({ labelsRefs: refs, value, timestamp: time }), { maxLength: 2 }),
          metadata: fc.record({ type: fc.nat(7), helpRef: ref, unitRef: ref }),
        }),
        { maxLength: 6 },
      ),
    });
  });
