import { describe, expect, it } from 'vitest';
import { HistogramColumns } from '../../../src/model/histogram.ts';
import { FUNCTIONS } from '../../../src/query/parse/function-table.ts';
import { histogramMatches } from '../histogram-notation.ts';
import { parseScript } from '../script.ts';
import type { Answer, PointAnswer } from './ask.ts';
import { caseText } from './case-text.ts';
import { difference } from './compare.ts';
import { makeSeries } from './data.ts';
import { queryMaker } from './expressions.ts';
import { tryParse } from './judge.ts';
import { makeRandom } from './random.ts';
import { type Question, shrinkQuestion } from './shrink.ts';

function answer(points: readonly (readonly [string, PointAnswer])[], notes: readonly string[] = []): Answer {
  const series = points.map(([key, point]) => ({ key, points: new Map([[5, point]]) }));
  return { kind: 'data', type: 'vector', series, warnings: [], infos: notes };
}

const histogram = (observations: number): PointAnswer => ({
  count: 3,
  sum: 4,
  buckets: [[0, 1, 2, observations]],
});

describe("the fuzzer's comparison", () => {
  it.each([
    ['values', answer([['{}', 1]]), answer([['{}', 1 + 1e-8]]), 'value'],
    ['a value and none', answer([['{}', 1]]), answer([]), 'labels'],
    ['buckets', answer([['{}', histogram(3)]]), answer([['{}', histogram(2)]]), 'value'],
    ['a float and a histogram', answer([['{}', 3]]), answer([['{}', histogram(3)]]), 'value'],
    ['notes', answer([], ['a (1:1)']), answer([], ['a (1:2)']), 'notes'],
    [
      'errors',
      { kind: 'error', status: 422, errorType: 'execution', error: 'a' },
      { kind: 'error', status: 422, errorType: 'execution', error: 'b' },
      'error',
    ],
  ] as const)('tells different %s', (_what, theirs, ours, kind) => {
    expect(difference(theirs, ours, 'none')?.kind).toBe(kind);
  });

  it('takes NaN for equal, and what is 1e-9 off', () => {
    const theirs = answer([
      ['{a}', Number.NaN],
      ['{b}', 1],
    ]);
    expect(
      difference(
        theirs,
        answer([
          ['{b}', 1 + 1e-10],
          ['{a}', Number.NaN],
        ]),
        'none',
      ),
    ).toBeUndefined();
  });

  it('looks at the order where a query defines one', () => {
    const [theirs, ours] = [
      answer([
        ['{a}', 1],
        ['{b}', 2],
      ]),
      answer([
        ['{b}', 2],
        ['{a}', 1],
      ]),
    ];
    expect(difference(theirs, ours, 'none')).toBeUndefined();
    expect(difference(theirs, ours, 'values')?.kind).toBe('order');
    expect(difference(theirs, ours, 'labels')?.kind).toBe('order');
  });
});

describe("the fuzzer's queries", () => {
  it('are the same for the same seed, mostly parse, and use every function and operator', () => {
    const make = queryMaker(makeRandom(1));
    const again = queryMaker(makeRandom(1));
    const queries = Array.from({ length: 20_000 }, make);
    expect(queries.slice(0, 100)).toEqual(Array.from({ length: 100 }, again));
    const parsed = queries.filter((query) => tryParse(query) !== undefined);
    expect(parsed.length / queries.length).toBeGreaterThan(0.8);
    const all = parsed.join('\n');
    const words = [
      ...FUNCTIONS.keys(),
      'limitk',
      'limit_ratio',
      'group_left',
      'group_right',
      'fill_left',
      'anchored',
      'smoothed',
      'offset',
      'unless',
      'atan2',
      'bool',
    ];
    expect(words.filter((word) => !new RegExp(`\\b${word}\\b`).test(all))).toEqual([]);
    expect(['</', '>/', '@ start()', 'step() + 1m]', '!~'].filter((text) => !all.includes(text))).toEqual([]);
  });
});

describe('a difference', () => {
  it('is shrunk to the smallest query and range that still have it', async () => {
    const question: Question = {
      query:
        'sum by (job) (rate({__name__="x", job="a"}[5m] offset 1m)) / on (job) group_left () (y > bool 3)',
      grid: { start: 0, end: 600, step: 60, lookback: '1m' },
    };
    const small = await shrinkQuestion(question, async ({ query }) => query.includes('rate'));
    expect(small).toEqual({ query: 'rate({__name__="x"}[15s])', grid: { start: 0, end: 0, step: 0 } });
  });

  it('is told as a case that the runner reads: the same series, histogram by histogram', () => {
    const series = makeSeries(makeRandom(4), false)
      .map(({ labels, samples }) => ({ labels, samples: samples.filter(({ time }) => time <= 60_000) }))
      .filter(({ samples }) => samples.length > 2);
    const text = caseText(series, { query: 'x', grid: { start: 0, end: 60, step: 30 } }, answer([]));
    const [load, evaluation] = parseScript(text);
    if (load?.kind !== 'load' || evaluation?.kind !== 'eval')
      throw new Error(`${JSON.stringify(load).slice(0, 300)} of ${text.slice(0, 1000)}`);
    expect(evaluation.query).toBe('x');
    for (const [index, { samples }] of series.entries()) {
      const read = load.series[index]!.values.flatMap((value, i) =>
        value.kind === 'omitted' ? [] : [{ value, time: i * load.stepMs }],
      );
      expect(read.map(({ time }) => time)).toEqual(samples.map(({ time }) => time));
      for (const [i, { value }] of samples.entries()) {
        const found = read[i]!.value;
        if (found.kind === 'float') expect(found.value).toBe(value);
        if (found.kind !== 'histogram' || typeof value === 'number') continue;
        const columns = new HistogramColumns(1);
        const row = columns.copyRow(value.columns, value.row);
        expect(histogramMatches(found, { columns, row }, Object.is)).toBe(true);
      }
    }
  });
});
