import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  decodeWriteRequest,
  decodeWriteRequestV2,
  encodeWriteRequest,
  encodeWriteRequestV2,
} from '../../../src/codec/proto/remote-write.ts';
import { WalkerV1 } from '../../../src/codec/remote-write/walk-v1.ts';
import { WalkerV2 } from '../../../src/codec/remote-write/walk-v2.ts';
import { Collector, exemplarsOf, histogramsOf, metadataOf, samplesOf, WIDE } from './collector.ts';
import { requestsV1, requestsV2 } from './requests.ts';

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function walkV1(body: Uint8Array, walker = new WalkerV1(WIDE)) {
  const sink = new Collector();
  walker.walk(body, viewOf(body), sink);
  return { sink, columns: walker.columns };
}

function walkV2(body: Uint8Array, walker = new WalkerV2(WIDE)) {
  const sink = new Collector();
  walker.walk(body, viewOf(body), sink);
  return { sink, columns: walker.columns, walker };
}

/** Wraps fields of one series into a request. */
function request(...fields: number[][]): Uint8Array {
  const series = fields.flat();
  return Uint8Array.from([0x0a, series.length, ...series]);
}

const NAME = [0x0a, 0x0e, 0x0a, 8, ...Buffer.from('__name__'), 0x12, 2, ...Buffer.from('up')];
const JOB = [0x0a, 0x08, 0x0a, 3, ...Buffer.from('job'), 0x12, 1, ...Buffer.from('a')];
const SAMPLE = [0x12, 0x0b, 0x09, 0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0x10, 7];

describe('WalkerV1', () => {
  it('reads what protobufjs reads', () => {
    const walker = new WalkerV1(WIDE);
    fc.assert(
      fc.property(requestsV1, (message) => {
        const body = encodeWriteRequest(message);
        const { sink, columns } = walkV1(body, walker);
        const twin = decodeWriteRequest(body);
        expect(columns.seriesCount).toBe(twin.timeseries.length);
        twin.timeseries.forEach((series, i) => {
          expect(sink.series[columns.seriesIds[i]!]).toEqual(
            series.labels.map(({ name, value }) => [name, value]),
          );
          expect(samplesOf(columns, i)).toEqual(
            series.samples.map(({ timestamp, value }) => [timestamp, value, 0]),
          );
          expect(histogramsOf(columns, i)).toEqual(
            series.histograms.map(({ timestamp, sum }) => [timestamp, sum]),
          );
          expect(exemplarsOf(columns, body, i)).toEqual(
            series.exemplars.map((exemplar) => ({
              ...exemplar,
              labels: exemplar.labels.map(({ name, value }) => [name, value]),
            })),
          );
        });
        expect(metadataOf(columns, body)).toEqual(
          twin.metadata.map(({ type, metricFamilyName, help, unit }) => [
            type,
            metricFamilyName,
            help,
            unit,
            -1,
          ]),
        );
      }),
      { numRuns: 300 },
    );
  });

  it('puts labels together that stand apart, and skips fields it does not know', () => {
    const unknown = [
      0xa8, 0x06, 0x01, 0xb2, 0x06, 0x01, 0x00, 0xab, 0x06, 0x08, 0x01, 0xac, 0x06, 0xb5, 0x06, 1, 2, 3, 4,
    ];
    const { sink, columns } = walkV1(request(SAMPLE, NAME, unknown, SAMPLE, JOB));
    expect(sink.series).toEqual([
      [
        ['__name__', 'up'],
        ['job', 'a'],
      ],
    ]);
    expect(samplesOf(columns, 0)).toEqual([
      [7, 1, 0],
      [7, 1, 0],
    ]);
  });

  it('keeps a NaN payload', () => {
    const stale = [0x12, 0x0b, 0x09, 2, 0, 0, 0, 0, 0, 0xf0, 0x7f, 0x10, 7];
    const { columns } = walkV1(request(NAME, stale));
    expect([...columns.bits.subarray(0, 2)]).toEqual([2, 0x7ff00000]);
  });

  it.each([
    ['a body cut in a length', [0x0a], /unexpected EOF/],
    ['a length past the end', [0x0a, 0x7f, 0], /a length of 127 bytes with 1 left/],
    ['a negative length', [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], /negative length/],
    ['an endless varint', [0x10, ...Array(11).fill(0xff)], /more than 10 bytes/],
    ['a wrong wire type', [0x08, 1], /wrong wireType = 0 for field Timeseries/],
    ['tag zero', [0x00], /illegal tag/],
    ['a label past its series', [...request([0x0a, 5, 1])], /a length of 5 bytes with 1 left/],
    ['a name past its label', [...request([0x0a, 2, 0x0a, 9, ...SAMPLE])], /a length of 9 bytes with 0 left/],
    ['a sample with a cut value', [...request([0x12, 3, 0x09, 1, 2])], /unexpected EOF in a fixed64/],
    ['groups without end', [0x13, ...Array(100).fill(0x13)], /groups nested deeper/],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => walkV1(Uint8Array.from(bytes))).toThrow(message);
  });

  it('refuses more series, samples and exemplars than the limits', () => {
    const body = Uint8Array.from([...request(NAME, SAMPLE, SAMPLE), ...request(NAME)]);
    expect(() => walkV1(body, new WalkerV1({ ...WIDE, seriesMax: 1 }))).toThrow(/more than 1 series/);
    expect(() => walkV1(body, new WalkerV1({ ...WIDE, samplesMax: 1 }))).toThrow(/more than 1 samples/);
    const exemplar = request(NAME, [0x1a, 0]);
    expect(() => walkV1(exemplar, new WalkerV1({ ...WIDE, exemplarsMax: 0 }))).toThrow(
      /more than 0 exemplars/,
    );
  });

  it('refuses a series whose labels are too long, and reads on', () => {
    const { sink, columns } = walkV1(
      Uint8Array.from([...request(NAME, JOB, SAMPLE), ...request(NAME, SAMPLE)]),
      new WalkerV1({ ...WIDE, labelBytesMax: 20 }),
    );
    expect(sink.refused).toEqual([{ index: 0, reason: 'labels of 26 bytes exceed the limit of 20 bytes' }]);
    expect([...columns.seriesIds.subarray(0, 2)]).toEqual([-1, 0]);
  });
});

describe('WalkerV2', () => {
  it('reads what protobufjs reads', () => {
    const walker = new WalkerV2(WIDE);
    fc.assert(
      fc.property(requestsV2, (message) => {
        const body = encodeWriteRequestV2(message);
        const { sink, columns } = walkV2(body, walker);
        const twin = decodeWriteRequestV2(body);
        const symbolized = (refs: readonly number[]): unknown[] =>
          refs.flatMap((ref, i) => (i % 2 === 0 ? [[twin.symbols[ref], twin.symbols[refs[i + 1]!]]] : []));
        expect(columns.seriesCount).toBe(twin.timeseries.length);
        twin.timeseries.forEach((series, i) => {
          expect(sink.series[columns.seriesIds[i]!]).toEqual(symbolized(series.labelsRefs));
          expect(samplesOf(columns, i)).toEqual(
            series.samples.map(({ timestamp, value, startTimestamp }) => [timestamp, value, startTimestamp]),
          );
          expect(histogramsOf(columns, i)).toEqual(
            series.histograms.map(({ timestamp, sum }) => [timestamp, sum]),
          );
          expect(exemplarsOf(columns, body, i)).toEqual(
            series.exemplars.map(({ labelsRefs, value, timestamp }) => ({
              labels: symbolized(labelsRefs),
              value,
              timestamp,
            })),
          );
        });
        const described = twin.timeseries.flatMap(({ metadata }, i) => {
          if (metadata === undefined || metadata.type + metadata.helpRef + metadata.unitRef === 0) return [];
          return [[metadata.type, '', twin.symbols[metadata.helpRef], twin.symbols[metadata.unitRef], i]];
        });
        expect(metadataOf(columns, body)).toEqual(described);
      }),
      { numRuns: 300 },
    );
  });

  it('takes refs one by one and symbols behind the series', () => {
    const series = [0x08, 1, 0x08, 2, 0x12, 2, 0x10, 5];
    const symbols = [0x22, 0, 0x22, 1, 0x61, 0x22, 1, 0x62];
    const { sink } = walkV2(Uint8Array.from([0x2a, series.length, ...series, ...symbols]));
    expect(sink.series).toEqual([[['a', 'b']]]);
  });

  it("refuses series with refs that make no labels, in Prometheus's words, and reads on", () => {
    const good = {
      labelsRefs: [1, 2],
      samples: [{ value: 1, timestamp: 1, startTimestamp: 0 }],
      histograms: [],
      exemplars: [],
    };
    const body = encodeWriteRequestV2({
      symbols: ['', 'a', 'b'],
      timeseries: [
        { ...good, labelsRefs: [1] },
        { ...good, labelsRefs: [1, 9] },
        { ...good, metadata: { type: 1, helpRef: 0, unitRef: 7 } },
        { ...good, exemplars: [{ labelsRefs: [5, 5], value: 1, timestamp: 1 }] },
      ],
    });
    const { sink, walker } = walkV2(body);
    expect(sink.refused.map(({ reason }) => reason)).toEqual([
      'parsing labels: invalid labelRefs length 1',
      'parsing labels: labelRefs 1 (name) = 9 (value) outside of symbols table (size 3)',
      'parsing metadata: metadata unit_ref 7 outside of symbols table (size 3)',
    ]);
    expect(sink.series).toEqual([[['a', 'b']]]);
    expect(walker.exemplarProblems).toEqual([
      { series: 3, reason: 'labelRefs 5 (name) = 5 (value) outside of symbols table (size 3)' },
    ]);
  });

  it('refuses more symbols than the limit', () => {
    const body = encodeWriteRequestV2({ symbols: ['', 'a', 'b'], timeseries: [] });
    expect(() => walkV2(body, new WalkerV2({ ...WIDE, symbolsMax: 2 }))).toThrow(/more than 2 symbols/);
  });
});
