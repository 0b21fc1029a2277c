import { describe, expect, it } from 'vitest';
import type { Expr } from '../../../src/query/parse/ast.ts';
import { extractSelectors } from '../../../src/query/parse/ast-walk.ts';
import { ALL_PARSE_FEATURES } from '../../../src/query/parse/options.ts';
import { parseQuery } from '../../../src/query/parse/parse-query.ts';
import { exprToJson } from '../../../src/query/parse/parse-query-json.ts';
import { exprText } from '../../../src/query/parse/print.ts';

function parse(query: string): Expr {
  return parseQuery(query, ALL_PARSE_FEATURES);
}

/** The tree as one line: operators and calls in prefix form. */
function shape(expr: Expr): string {
  switch (expr.kind) {
    case 'binary':
      return `(${expr.op} ${shape(expr.left)} ${shape(expr.right)})`;
    case 'unary':
      return `(${expr.op} ${shape(expr.expr)})`;
    case 'paren':
      return `[${shape(expr.expr)}]`;
    case 'call':
      return `${expr.func}(${expr.args.map(shape).join(' ')})`;
    default:
      return exprText(expr);
  }
}

describe('parseQuery', () => {
  const shapes: readonly (readonly [query: string, tree: string])[] = [
    ['1 + 2 * 3', '(+ 1 (* 2 3))'],
    ['1 - 2 - 3', '(- (- 1 2) 3)'],
    ['2 ^ 3 ^ 2', '(^ 2 (^ 3 2))'],
    ['-2 ^ 2', '(- (^ 2 2))'],
    ['2 ^ -3 ^ 2', '(^ 2 (- (^ 3 2)))'],
    ['-a * b', '(* (- a) b)'],
    ['a or b and c unless d', '(or a (unless (and b c) d))'],
    ['a == b + 1 > 2', '(> (== a (+ b 1)) 2)'],
    ['a atan2 b % c', '(% (atan2 a b) c)'],
    ['-(1)', '(- [1])'],
    ['a offset 5m * 2', '(* a offset 5m 2)'],
    ['foo offset -2 ^ 2', '(^ foo offset -2s 2)'],
    ['foo offset (5m) + 3', 'foo offset 5m + 3'],
    ['a @ 5 + 1', '(+ a @ 5.000 1)'],
    ['a </ 5 >/ 1', '(>/ (</ a 5) 1)'],
    ['sum + by or or', '(or (+ sum by) or)'],
    ['start() - step()', '(- start() step())'],
    ['max_of(1, 2) + max_of', '(+ max_of(1 2) max_of)'],
    ['fill + fill', '(+ fill fill)'],
  ];
  for (const [query, tree] of shapes) {
    it(`binds ${query} as Prometheus does`, () => {
      expect(shape(parse(query))).toBe(tree);
    });
  }

  const numbers: readonly (readonly [query: string, value: number])[] = [
    ['1_000.5', 1000.5],
    ['0x1F', 31],
    ['0x_1f', 31],
    ['010', 8],
    ['08', 8],
    ['.5', 0.5],
    ['1.', 1],
    ['1e1_0', 1e10],
    ['+Inf', Number.POSITIVE_INFINITY],
    ['-inf', Number.NEGATIVE_INFINITY],
    ['nAn', Number.NaN],
    ['1h30m', 5400],
    ['- 5ms', -0.005],
    ['99999999999999999999', 1e20],
  ];
  for (const [query, value] of numbers) {
    it(`reads the number ${query}`, () => {
      expect(parse(query)).toMatchObject({ kind: 'number', value });
    });
  }

  const strings: readonly (readonly [query: string, value: string])[] = [
    ['"a\\tb\\"\\\\"', 'a\tb"\\'],
    ["'it\\'s'", "it's"],
    ['`a\\n"`', 'a\\n"'],
    ['"\\x41\\101\\u00e9\\U0001F600"', 'AAé😀'],
    ['"\\xc3\\xa9"', 'é'],
  ];
  for (const [query, value] of strings) {
    it(`reads the string ${query}`, () => {
      expect(parse(query)).toMatchObject({ kind: 'string', value });
    });
  }

  it('keeps bytes that are not UTF-8 apart from the replacement character', () => {
    const expr = parse('"a\\xffb"');
    expect(expr.kind === 'string' && expr.value.isWellFormed()).toBe(false);
    expect(exprText(expr)).toBe('"a\\xffb"');
    expect(JSON.stringify(exprToJson(expr))).toContain('a\ufffdb');
  });

  it('puts modifiers on the selector of a range', () => {
    expect(parse('rate(foo{a="b"}[5m] smoothed @ end() offset -1m)')).toMatchObject({
      args: [
        {
          kind: 'matrix-selector',
          rangeMs: 300_000,
          selector: { offsetMs: -60_000, at: { kind: 'end' }, extended: 'smoothed', name: 'foo' },
        },
      ],
    });
    expect(parse('foo[1h:5m] @ 1.5 offset 1d')).toMatchObject({
      kind: 'subquery',
      rangeMs: 3_600_000,
      stepMs: 300_000,
      offsetMs: 86_400_000,
      at: { kind: 'time', timestampMs: 1500 },
    });
  });

  it('keeps duration expressions beside the numbers they stand for', () => {
    expect(parse('foo[5m + step()] offset -(1m * 2)')).toMatchObject({
      rangeMs: 0,
      rangeExpr: { kind: 'duration', op: '+', left: { value: 300 }, right: { op: 'step' } },
      selector: { offsetExpr: { op: '-', right: { op: '*', wrapped: true } } },
    });
  });

  it('reads how vectors match', () => {
    expect(parse('a * on (x, "y z") group_left (w) fill_left(-1) fill_right(2) b')).toMatchObject({
      matching: {
        card: 'many-to-one',
        on: true,
        labels: ['x', 'y z'],
        include: ['w'],
        fillLeft: -1,
        fillRight: 2,
      },
    });
    expect(parse('a and b')).toMatchObject({ matching: { card: 'many-to-many', on: false } });
    expect(parse('a > bool ignoring (x) b')).toMatchObject({ returnBool: true, matching: { labels: ['x'] } });
    expect(parse('a + 1')).not.toHaveProperty('matching');
  });

  it('tells where nodes stand', () => {
    const expr = parse('  sum by (a) (rate(foo[5m]))  / 2');
    expect(expr.position).toEqual({ start: 2, end: 33 });
    expect(expr).toMatchObject({
      left: { position: { start: 2, end: 28 }, expr: { position: { start: 14, end: 27 } } },
    });
  });
});

describe('extractSelectors', () => {
  it('finds the matchers of every selector', () => {
    const found = extractSelectors(parse('sum(rate(a{x="1"}[5m])) / max_over_time(b[1h:]) + 1'));
    expect(found.map((matchers) => matchers.map(({ value }) => value))).toEqual([['1', 'a'], ['b']]);
  });
});

describe('exprToJson', () => {
  it('has the keys of /api/v1/parse_query', () => {
    expect(exprToJson(parse('topk by (a) (2, foo offset 1m) > bool on (b) bar'))).toEqual({
      type: 'binaryExpr',
      op: '>',
      bool: true,
      matching: {
        card: 'one-to-one',
        labels: ['b'],
        on: true,
        include: [],
        fillValues: { lhs: null, rhs: null },
      },
      lhs: {
        type: 'aggregation',
        op: 'topk',
        grouping: ['a'],
        without: false,
        param: { type: 'numberLiteral', val: '2' },
        expr: {
          type: 'vectorSelector',
          name: 'foo',
          matchers: [{ name: '__name__', type: '=', value: 'foo' }],
          offset: 60_000,
          offsetExpr: null,
          timestamp: null,
          startOrEnd: null,
          anchored: false,
          smoothed: false,
        },
      },
      rhs: {
        type: 'vectorSelector',
        name: 'bar',
        matchers: [{ name: '__name__', type: '=', value: 'bar' }],
        offset: 0,
        offsetExpr: null,
        timestamp: null,
        startOrEnd: null,
        anchored: false,
        smoothed: false,
      },
    });
  });
});
