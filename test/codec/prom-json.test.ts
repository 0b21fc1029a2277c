// The expected texts were printed by Prometheus 3.14's own codec (web/api/v1.JSONCodec) for the same values.

import { describe, expect, it } from 'vitest';
import {
  errorJson,
  type JsonQueryResult,
  type JsonQueryValue,
  noteTexts,
  queryResponsePieces,
  successJson,
  timestampText,
} from '../../src/codec/prom-json.ts';
import type { Annotation } from '../../src/model/annotations.ts';
import type { QueryResult } from '../../src/query/result.ts';
import { ordered } from '../query/ordered-series.ts';

function response(value: JsonQueryValue, annotations: readonly Annotation[] = []): string {
  return joined(queryResponsePieces({ value, annotations }));
}

function joined(pieces: Iterable<Uint8Array>): string {
  return Buffer.concat([...pieces]).toString();
}

const VALUES = [
  0,
  -0,
  1,
  1.2345678e6,
  1.2345678e-6,
  1.2345678e-67,
  1e21,
  123456789012,
  Number.NaN,
  Infinity,
  -Infinity,
  0.1,
  -5,
];
const NASTY = ['__name__', 'foo', 'q', 'a"\\\n\t\b\f\u0001\u007f<&>é\u2028😀'];
const NO_SERIES = { labels: [], steps: 1, values: new Float64Array(0), present: new Uint8Array(0) };

describe('query answers as JSON', () => {
  it('write raw samples with their own times', () => {
    const value: JsonQueryValue = {
      type: 'raw-matrix',
      series: [
        {
          labels: NASTY,
          timestamps: Float64Array.from(VALUES, (_, i) => -1000 + i * 335),
          values: Float64Array.from(VALUES),
        },
        { labels: [], timestamps: Float64Array.of(1435781430780), values: Float64Array.of(2) },
      ],
    };
    expect(response(value)).toBe(
      '{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"foo","q":"a\\"\\\\\\n\\t\\u0008\\u000c\\u0001\u007f<&>é\u2028😀"},"values":[[-1,"0"],[-0.665,"-0"],[-0.330,"1"],[0.005,"1234567.8"],[0.340,"0.0000012345678"],[0.675,"1.2345678e-67"],[1.010,"1e+21"],[1.345,"123456789012"],[1.680,"NaN"],[2.015,"+Inf"],[2.350,"-Inf"],[2.685,"0.1"],[3.020,"-5"]]},{"metric":{},"values":[[1435781430.780,"2"]]}]}}',
    );
  });

  it('write a range answer the same way from its grid', () => {
    const steps = VALUES.length;
    const values = Float64Array.from([...VALUES, ...VALUES]);
    const present = new Uint8Array(2 * steps).fill(1, 0, steps);
    const value: JsonQueryValue = {
      type: 'matrix',
      range: { start: -1000, step: 335 },
      series: ordered({ labels: [NASTY, ['left', 'out']], steps, values, present }),
    };
    expect(response(value)).toBe(
      '{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"foo","q":"a\\"\\\\\\n\\t\\u0008\\u000c\\u0001\u007f<&>é\u2028😀"},"values":[[-1,"0"],[-0.665,"-0"],[-0.330,"1"],[0.005,"1234567.8"],[0.340,"0.0000012345678"],[0.675,"1.2345678e-67"],[1.010,"1e+21"],[1.345,"123456789012"],[1.680,"NaN"],[2.015,"+Inf"],[2.350,"-Inf"],[2.685,"0.1"],[3.020,"-5"]]}]}}',
    );
  });

  it.each<[string, JsonQueryValue, readonly Annotation[], string]>([
    [
      'an empty matrix',
      { type: 'matrix', range: { start: 0, step: 1 }, series: ordered(NO_SERIES) },
      [],
      '{"status":"success","data":{"resultType":"matrix","result":[]}}',
    ],
    [
      'an empty vector with notes',
      { type: 'vector', timestamp: 0, series: ordered(NO_SERIES) },
      [
        { level: 'info', text: 'i\b' },
        { level: 'warning', text: 'PromQL warning: a "x" <b>' },
      ],
      '{"status":"success","data":{"resultType":"vector","result":[]},"warnings":["PromQL warning: a \\"x\\" \\u003cb\\u003e"],"infos":["i\\u0008"]}',
    ],
    [
      'a scalar',
      { type: 'scalar', timestamp: 1435781430780, value: 1e-7 },
      [],
      '{"status":"success","data":{"resultType":"scalar","result":[1435781430.78,"0.0000001"]}}',
    ],
    [
      'an infinite scalar',
      { type: 'scalar', timestamp: -1, value: Infinity },
      [],
      '{"status":"success","data":{"resultType":"scalar","result":[-0.001,"+Inf"]}}',
    ],
    [
      'a string',
      { type: 'string', timestamp: 1435781430781, value: 'a"<&>\b\u2028\u007f' },
      [],
      '{"status":"success","data":{"resultType":"string","result":[1435781430.781,"a\\"\\u003c\\u0026\\u003e\\b\\u2028\u007f"]}}',
    ],
  ])('write %s', (_name, value, annotations, expected) => {
    expect(response(value, annotations)).toBe(expected);
  });

  it('write an error', () => {
    expect(errorJson('bad_data', 'invalid parameter "query": 1:1 <x> & \u2028\f')).toBe(
      '{"status":"error","errorType":"bad_data","error":"invalid parameter \\"query\\": 1:1 \\u003cx\\u003e \\u0026 \\u2028\\u000c"}',
    );
  });

  it.each([
    [0, '0'],
    [1, '0.001'],
    [10, '0.010'],
    [100, '0.100'],
    [1010, '1.010'],
    [-1, '-0.001'],
    [9007199254740991, '9007199254740.991'],
    [-9007199254740991, '-9007199254740.991'],
  ])('write the time %d as %s', (timestamp, text) => {
    expect(timestampText(timestamp)).toBe(text);
  });

  it('leave absent series of a vector out', () => {
    const batch = {
      labels: [
        ['a', '1'],
        ['a', '2'],
      ],
      steps: 1,
      values: Float64Array.of(1, 2),
      present: Uint8Array.of(0, 1),
    };
    expect(response({ type: 'vector', timestamp: 1500, series: ordered(batch) })).toBe(
      '{"status":"success","data":{"resultType":"vector","result":[{"metric":{"a":"2"},"value":[1.500,"2"]}]}}',
    );
  });

  it('stop at a limit, say so, and show statistics', () => {
    const batch = {
      labels: [
        ['a', '1'],
        ['a', '2'],
      ],
      steps: 1,
      values: Float64Array.of(1, 2),
      present: Uint8Array.of(1, 1),
    };
    const result: JsonQueryResult = {
      value: { type: 'vector', timestamp: 0, series: ordered(batch) },
      annotations: [],
    };
    const options = { limit: 1, stats: { samples: { peakSamples: 2 } }, warnings: ['mind'] };
    expect(joined(queryResponsePieces(result, options))).toBe(
      '{"status":"success","data":{"resultType":"vector","result":[{"metric":{"a":"1"},"value":[0,"1"]}],' +
        '"stats":{"samples":{"peakSamples":2}}},"warnings":["results truncated due to limit","mind"]}',
    );
    expect(joined(queryResponsePieces(result, { limit: 2 }))).not.toContain('warnings');
  });

  it('count the notes beyond ten of a level', () => {
    const notes = Array.from({ length: 12 }, (_, i): Annotation => ({ level: 'info', text: `note ${i}` }));
    const { warnings, infos } = noteTexts([...notes, { level: 'warning', text: 'w' }]);
    expect(warnings).toEqual(['w']);
    expect(infos).toHaveLength(11);
    expect(infos[10]).toBe('2 more info annotations omitted');
    expect(successJson('[]', { warnings, infos: [] })).toBe(
      '{"status":"success","data":[],"warnings":["w"]}',
    );
  });

  it('come in pieces that are whole again when joined, and read back as the same numbers', () => {
    const steps = 300;
    const labels = Array.from({ length: 50 }, (_, i) => ['l', `${i}`]);
    const values = Float64Array.from({ length: 50 * steps }, (_, i) => Math.sin(i) * 10 ** (i % 40));
    const batch = { labels, steps, values, present: new Uint8Array(values.length).fill(1) };
    const result: QueryResult = {
      value: {
        type: 'matrix',
        range: { start: 0, end: (steps - 1) * 15_000, step: 15_000 },
        series: ordered(batch),
      },
      annotations: [],
      statistics: { samplesRead: 0, samplesQueryable: 0, samplesPeak: 0, seriesSeen: 0, bytesPeak: 0 },
    };
    const pieces = [...queryResponsePieces(result)];
    expect(pieces.length).toBeGreaterThan(3);
    const read = JSON.parse(joined(pieces)) as { data: { result: { values: [number, string][] }[] } };
    const numbers = read.data.result.flatMap((row) => row.values.map(([, value]) => Number(value)));
    expect(numbers).toEqual([...values]);
  });
});
