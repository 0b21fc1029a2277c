import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ALL_PARSE_FEATURES } from '../../../src/query/parse/options.ts';
import { parseQuery } from '../../../src/query/parse/parse-query.ts';
import { prettyExpr } from '../../../src/query/parse/pretty.ts';
import { exprText } from '../../../src/query/parse/print.ts';

function printed(query: string): string {
  return exprText(parseQuery(query, ALL_PARSE_FEATURES));
}

describe('exprText', () => {
  const cases: readonly (readonly [query: string, text: string])[] = [
    ['sum  by(a , "b c")(foo)', 'sum by (a, "b c") (foo)'],
    ['sum(foo) without()', 'sum without () (foo)'],
    ['sum by () (foo)', 'sum(foo)'],
    ['foo{z="1",a=~`x"`}', 'foo{a=~"x\\"",z="1"}'],
    ['{"foo"}', '{__name__="foo"}'],
    ['{__name__="foo"}', '{__name__="foo"}'],
    ['{"a.b"="c"}', '{"a.b"="c"}'],
    ['a+ignoring()b', 'a + b'],
    ['a+on()b', 'a + on () b'],
    ['a+ignoring()group_right b', 'a + ignoring () group_right () b'],
    ['a + fill(1) b', 'a + fill (1) b'],
    ['a + fill_right(1e30) fill_left(1e-7) b', 'a + fill_left (1e-07) fill_right (1e+30) b'],
    ['foo[90s:10s]@start()offset -1w1d', 'foo[1m30s:10s] @ start() offset -8d'],
    ['foo[5m] anchored @ 1', 'foo[5m] anchored @ 1.000'],
    ['foo smoothed @ 1', 'foo @ 1.000 smoothed'],
    ['foo[1y]', 'foo[1y]'],
    ['5m', '5m'],
    ['1e21', '1000000000000000000000'],
    ['1e-7', '0.0000001'],
    ['-0', '-0'],
    ['foo[(1m+ 2m)*step()]', 'foo[(1m + 2m) * step()]'],
    ['foo offset -min_of(1m,5)', 'foo offset -min_of(1m, 5)'],
  ];
  for (const [query, text] of cases) {
    it(`prints ${query} in its normal form`, () => {
      expect(printed(query)).toBe(text);
      expect(printed(text)).toBe(text);
    });
  }

  const labels = fc.constantFrom('a', 'job', 'le', 'x.y');
  const name = (label: string): string => (label.includes('.') ? `"${label}"` : label);
  const list = fc
    .array(labels, { maxLength: 2 })
    .map((some) => `(${[...new Set(some)].map(name).join(', ')})`);
  const matcher = fc
    .tuple(labels, fc.constantFrom('=', '!=', '=~', '!~'), fc.string({ unit: 'grapheme', maxLength: 4 }))
    .filter(([, op, value]) => op.length === 1 || op === '!=' || /^\w*$/.test(value))
    .map(([label, op, value]) => `${name(label)}${op}${quote(value)}`);
  const duration = fc.constantFrom(
    '5m',
    '1h30m',
    '90',
    'step()',
    '(1m + 2m) * 3',
    'max_of(1m, step())',
    '1m ^ 2',
  );
  const time = fc.constantFrom(
    '',
    ' offset 5m',
    ' offset -(1m * 2)',
    ' @ 12.5',
    ' @ start() offset -1d',
    ' @ -1',
  );
  const subqueryRange = duration.filter((text) => text !== 'step()');
  const { vector } = fc.letrec<{ vector: string; range: string; scalar: string }>((tie) => ({
    vector: fc.oneof(
      { maxDepth: 4, depthSize: 'small' },
      fc.tuple(fc.array(matcher, { maxLength: 2 }), time).map(([some, at]) => `foo{${some.join(',')}}${at}`),
      fc
        .tuple(tie('range'), fc.constantFrom('rate', 'max_over_time'))
        .map(([range, func]) => `${func}(${range})`),
      fc
        .tuple(tie('vector'), fc.constantFrom('+', '^', 'and', '== bool', '>', '</'), tie('vector'))
        .map(([left, op, right]) => `${left} ${op} ${right}`),
      fc
        .tuple(tie('vector'), list, list, tie('vector'))
        .map(([a, on, with_, b]) => `${a} * on ${on} ${b} or ${a} - ignoring ${with_} ${b}`),
      fc.tuple(tie('vector'), tie('scalar')).map(([left, right]) => `(${left} / ${right})`),
      fc.tuple(list, tie('vector')).map(([by, inner]) => `sum by ${by} (${inner})`),
      fc.tuple(tie('scalar'), tie('vector')).map(([k, inner]) => `topk without (a) (${k}, ${inner})`),
      tie('vector').map((inner) => `-${inner}`),
    ),
    range: fc.oneof(
      { maxDepth: 4, depthSize: 'small' },
      fc.tuple(duration, time).map(([range, at]) => `bar[${range}]${at}`),
      // A subquery's range must hold a number before its colon: so does Prometheus's lexer.
      fc
        .tuple(tie('vector'), subqueryRange, duration, time)
        .map(([inner, range, step, at]) => `(${inner})[${range}:${step}]${at}`),
    ),
    scalar: fc.oneof(
      { maxDepth: 4, depthSize: 'small' },
      fc.constantFrom('1', '2.5', 'NaN', '+Inf', '5m', '-3', 'time()'),
      tie('vector').map((inner) => `scalar(${inner})`),
      fc.tuple(tie('scalar'), tie('scalar')).map(([a, b]) => `(${a} * -${b})`),
    ),
  }));

  it('prints generated expressions so that they parse back to the same, pretty or not', () => {
    fc.assert(
      fc.property(vector, (query) => {
        const expr = parseQuery(query, ALL_PARSE_FEATURES);
        const text = exprText(expr);
        const again = parseQuery(text, ALL_PARSE_FEATURES);
        expect(withoutPositions(again)).toEqual(withoutPositions(expr));
        expect(exprText(parseQuery(prettyExpr(expr), ALL_PARSE_FEATURES))).toBe(text);
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('prettyExpr', () => {
  it('splits what does not fit into 100 columns and indents by two', () => {
    const query =
      'sum by (job, instance) (rate(http_requests_total{job="a-rather-long-job-name", code=~"5.."}[5m])) ' +
      '/ on (job) group_left () topk(5, sum(rate(http_requests_total{job="a-rather-long-job-name"}[5m])) by (job)) > bool 0';
    expect(prettyExpr(parseQuery(query))).toMatchInlineSnapshot(`
      "    sum by (job, instance) (rate(http_requests_total{code=~"5..",job="a-rather-long-job-name"}[5m]))
        / on (job) group_left ()
          topk(5, sum by (job) (rate(http_requests_total{job="a-rather-long-job-name"}[5m])))
      > bool
        0"
    `);
  });
});

function quote(text: string): string {
  return JSON.stringify(text.replaceAll('\ufffd', ''));
}

// The tree without its places; matchers in any order, since they are printed sorted.
function withoutPositions(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutPositions);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([key]) => key !== 'position');
  return Object.fromEntries(
    entries.map(([key, item]) => {
      if (key !== 'matchers' || !Array.isArray(item)) return [key, withoutPositions(item)];
      return [key, item.map((matcher) => JSON.stringify(matcher)).sort()];
    }),
  );
}
