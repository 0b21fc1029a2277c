import { describe, expect, it } from 'vitest';
import { DomainError } from '../../src/model/errors.ts';
import { labelsOf } from '../../src/model/labels.ts';
import { sampleColumns } from '../../src/model/samples.ts';
import { QueryBudget } from '../../src/query/budget.ts';
import type { Engine } from '../../src/query/engine.ts';
import type { QueryResult, QueryValue } from '../../src/query/result.ts';
import type { SeriesSource } from '../../src/query/source.ts';
import { ordered } from '../query/ordered-series.ts';
import { describeHistogram } from './histogram-notation.ts';
import { MemorySource } from './memory-source.ts';
import { runScript } from './runner.ts';
import { parseScript } from './script.ts';
import { parseSeriesLine } from './series.ts';

function numbers(line: string): (number | string)[] {
  return parseSeriesLine(line).values.map((value) => (value.kind === 'float' ? value.value : value.kind));
}

describe('parseSeriesLine', () => {
  const cases: readonly (readonly [line: string, values: readonly (number | string)[]])[] = [
    ['a 1 2.5 -3 _ stale', [1, 2.5, -3, 'omitted', 'stale']],
    ['a{b="c d"} 1+2x3', [1, 3, 5, 7]],
    ['a 5x2 10-3x2 -1+1x1', [5, 5, 5, 10, 7, 4, -1, 0]],
    ['a _x3 stalex1', ['omitted', 'omitted', 'omitted', 'stale', 'stale']],
    [
      'a 0+0x2 1e3 NaN -Infx1',
      [0, 0, 0, 1000, Number.NaN, Number.NEGATIVE_INFINITY, Number.NEGATIVE_INFINITY],
    ],
    ['{} 1', [1]],
    ['a', []],
  ];
  for (const [line, values] of cases) {
    it(`expands ${line}`, () => {
      expect(numbers(line)).toEqual(values);
    });
  }

  it('reads labels in every quoting, UTF-8 names among them', () => {
    expect(parseSeriesLine('{"a.b", c=\'d\', "e f"="g}"} 1').labels).toEqual(
      labelsOf({ __name__: 'a.b', c: 'd', 'e f': 'g}' }),
    );
  });

  it('reads native histograms, growing and not', () => {
    const { values } = parseSeriesLine(
      'h {{schema:0 sum:-0.3 buckets:[5 10 7]}}+{{sum:1 buckets:[1] counter_reset_hint:gauge}}x1 {{}}',
    );
    expect(
      values.map(
        (value) => value.kind === 'histogram' && [describeHistogram(value.histogram), value.hasHint],
      ),
    ).toEqual([
      ['{count:0, sum:-0.3, (0.5,1]:5, (1,2]:10, (2,4]:7} (schema 0, zero 0, hint 0)', true],
      ['{count:0, sum:0.7, (0.5,1]:6, (1,2]:10, (2,4]:7} (schema 0, zero 0, hint 3)', true],
      ['{count:0, sum:0} (schema 0, zero 0, hint 0)', false],
    ]);
  });

  it('refuses what is no value', () => {
    expect(() => numbers('a b')).toThrow('bad series value "b"');
    expect(() => numbers('a 1+2')).toThrow('lacks its xN');
    expect(() => numbers('a 1x99999999')).toThrow('more than');
  });
});

describe('parseScript', () => {
  it('splits commands at blank lines and comments', () => {
    const commands = parseScript(
      'load 30s\n  a 1\n  b 2\n# note\nclear\neval instant at 5m a\n  {} 1\n\neval_fail x',
    );
    expect(commands.map(({ kind, line }) => `${kind}@${line}`)).toEqual([
      'load@1',
      'clear@5',
      'eval@6',
      'broken@9',
    ]);
  });

  it('reads every kind of expectation', () => {
    const [command] = parseScript(
      'eval range from 1m to 3m step 30s a\n  expect warn msg: w\n  expect info regex: i.\n  expect no_warn\n  a 1 2',
    );
    expect(command).toMatchObject({
      kind: 'eval',
      isRange: true,
      startMs: 60_000,
      endMs: 180_000,
      stepMs: 30_000,
    });
    if (command?.kind !== 'eval') return expect.unreachable();
    expect([...command.expects.keys()]).toEqual(['warn', 'info', 'no_warn']);
    expect(command.expects.get('info')?.[0]?.matches('xix')).toBe(true);
    expect(command.expects.get('warn')?.[0]?.matches('ww')).toBe(false);
  });
});

/** An engine that always gives one value at the times asked for. */
function constantEngine(value: number, annotations: QueryResult['annotations'] = []): Engine {
  const statistics = { samplesRead: 0, samplesQueryable: 0, samplesPeak: 0, seriesSeen: 0, bytesPeak: 0 };
  const batch = (steps: number) => ({
    labels: [labelsOf({ a: 'b' })],
    steps,
    values: new Float64Array(steps).fill(value),
    present: new Uint8Array(steps).fill(1),
  });
  const answer = (result: QueryValue): Promise<QueryResult> =>
    Promise.resolve({ value: result, annotations, statistics });
  return {
    instant: ({ timeMs }) => answer({ type: 'vector', timestamp: timeMs, series: ordered(batch(1)) }),
    range: ({ startMs: start, endMs: end, stepMs: step }) =>
      answer({
        type: 'matrix',
        range: { start, end, step },
        series: ordered(batch((end - start) / step + 1)),
      }),
    explain: () => ({ name: '', children: [] }),
  };
}

async function differences(script: string, engine: Engine): Promise<(string | undefined)[]> {
  return (await runScript(script, () => engine)).map(({ difference }) => difference);
}

describe('runScript', () => {
  it('passes what agrees to a millionth and tells what does not', async () => {
    const script = ['1.0000001', '1.1', '{a="c"} 1'].map((value) =>
      value.startsWith('{') ? `eval instant at 1m x\n  ${value}` : `eval instant at 1m x\n  {a="b"} ${value}`,
    );
    expect(await differences(script.join('\n\n'), constantEngine(1))).toEqual([
      undefined,
      'expected 1.1 for {a="b"} but got 1',
      'unexpected {a="b"} with value 1',
    ]);
  });

  it('compares range queries point by point', async () => {
    const head = 'eval range from 0 to 2m step 1m x\n  {a="b"}';
    expect(await differences(`${head} 1 1 1\n\n${head} 1 1\n\n${head} 1 _ 1`, constantEngine(1))).toEqual([
      undefined,
      expect.stringContaining('got a point at 120000 that is not expected'),
      expect.stringContaining('expected 1 at 120000 but got none there'),
    ]);
  });

  it('holds notes and failures against the expect lines', async () => {
    const notes = [{ level: 'warning', text: 'careful (1:1)' }] as const;
    const script = [
      'expect warn msg: careful (1:1)',
      'expect warn msg: careful (1:2)',
      'expect no_warn',
      'expect fail',
    ]
      .map((line) => `eval instant at 1m x\n  ${line}\n  {a="b"} 1`)
      .join('\n\n');
    expect(await differences(script, constantEngine(1, notes))).toEqual([
      undefined,
      'expected warn careful (1:2) but got ["careful (1:1)"]',
      'unexpected warn ["careful (1:1)"]',
      'expected an error but the query succeeded',
    ]);
  });

  it('takes the expected failure and no other', async () => {
    const failing: Engine = {
      ...constantEngine(1),
      instant: () => Promise.reject(new DomainError('execution', 'boom')),
    };
    const script =
      'eval instant at 1m x\n  expect fail msg: boom\n\neval_fail instant at 1m x\n  expected_fail_message bang';
    expect(await differences(script, failing)).toEqual([undefined, 'expected error bang but got: boom']);
  });

  it('tries pinned queries at other times and instant queries as ranges', async () => {
    const asked: string[] = [];
    const engine = constantEngine(1);
    const spying: Engine = {
      ...engine,
      instant: (query) => {
        asked.push(`${query.query} at ${query.timeMs}`);
        return engine.instant(query);
      },
      range: (query) => {
        asked.push(`${query.query} from ${query.startMs} to ${query.endMs}`);
        return engine.range(query);
      },
    };
    await differences('eval instant at 10s x + y @ 1\n  {a="b"} 1', spying);
    const pinned = 'x @ 10.000 + y @ 1.000';
    expect(asked.slice(0, 4)).toEqual([
      'x + y @ 1 at 10000',
      'x + y @ 1 from -50000 to 70000',
      `${pinned} at -100000`,
      `${pinned} from -160000 to -40000`,
    ]);
    expect(asked).toHaveLength(12);
  });

  it('tells what an evaluation needs', async () => {
    const script = [
      'load 1m\n  h {{count:1}}\n  f 1\n  s@st 0s\n  s 1',
      'load_with_nhcb 1m\n  c_bucket{le="1"} 1',
      ...['h', 'f', 's', 'c', 'c_bucket', 'f + fill(1) f', 'f[5m] anchored', 'min_of(1, 2)'].map(
        (query) => `eval instant at 1m ${query}\n  {a="b"} 1`,
      ),
    ];
    const outcomes = await runScript(script.join('\n\n'), () => constantEngine(1));
    expect(outcomes.map(({ query, needs }) => [query, ...needs])).toEqual([
      ['h', 'native histograms'],
      ['f'],
      ['s', '3.10-3.14 extensions'],
      ['c', 'native histograms'],
      ['c_bucket'],
      ['f + fill(1) f', '3.10-3.14 extensions'],
      ['f[5m] anchored', '3.10-3.14 extensions'],
      ['min_of(1, 2)', '3.10-3.14 extensions'],
    ]);
  });
});

describe('MemorySource', () => {
  it('gives matching series in order, their samples by time, stale markers kept', async () => {
    const source = new MemorySource();
    source.append(labelsOf({ __name__: 'x', a: '2' }), {
      values: parseSeriesLine('x 1 2 stale 4').values,
      stepMs: 1000,
    });
    source.append(labelsOf({ __name__: 'x', a: '1' }), {
      values: parseSeriesLine('x 7').values,
      stepMs: 1000,
    });
    const limits = { samplesMax: 10, seriesMax: 10, memoryBytesMax: 1000 };
    const budget = new QueryBudget(limits, new AbortController().signal);
    const request = { matchers: [{ name: '__name__', op: '=', value: 'x' }], start: 0, end: 2500 } as const;
    const seen: string[] = [];
    for await (const batch of (source as SeriesSource).select(request, budget)) {
      const target = sampleColumns(1);
      for (const [index, labels] of batch.labels.entries()) {
        batch.read(index, 500, 2500, target);
        const times = target.timestamps.subarray(0, target.count).join(' ');
        const bits = [...target.bits.subarray(0, 2 * target.count)]
          .map((half) => half.toString(16))
          .join(' ');
        seen.push(`${labels.join(',')}: ${times}: ${bits}`);
      }
    }
    expect(seen).toEqual(['__name__,x,a,1: : ', '__name__,x,a,2: 1000 2000: 0 40000000 2 7ff00000']);
  });

  it('splits its series into partitions without losing one', () => {
    const source = new MemorySource();
    for (let i = 0; i < 50; i++) source.series(labelsOf({ i: String(i) }));
    const counts = source.partitions(3).map((part) => part.matching([]).length);
    expect(counts.reduce((sum, count) => sum + count)).toBe(50);
    expect(Math.min(...counts)).toBeGreaterThan(5);
  });
});
