import { describe, expect, it } from 'vitest';
import { ALL_PARSE_FEATURES, type ParseOptions } from '../../../src/query/parse/options.ts';
import { lineColumn, ParseError } from '../../../src/query/parse/parse-error.ts';
import { parseQuery, parseSelector } from '../../../src/query/parse/parse-query.ts';

/** The error of a query: its message and where it points. */
function errorOf(query: string, options: ParseOptions = ALL_PARSE_FEATURES): string {
  try {
    parseQuery(query, options);
  } catch (error) {
    if (error instanceof ParseError) return error.message;
    throw error;
  }
  return 'no error';
}

/** Texts were taken down from a running Prometheus 3.14. */
const CASES: readonly (readonly [query: string, message: string])[] = [
  // The lexer's.
  ['', 'unknown position: parse error: no expression found in input'],
  ['# just a comment', '1:1: parse error: no expression found in input'],
  ['(', '1:2: parse error: unclosed left parenthesis'],
  ['1)', "1:3: parse error: unexpected right parenthesis ')'"],
  ['foo{', '1:5: parse error: unexpected end of input inside braces'],
  ['foo{a="b"', '1:10: parse error: unexpected end of input inside braces'],
  ['foo{{', "1:5: parse error: unexpected left brace '{'"],
  ['foo]', "1:4: parse error: unexpected right bracket ']'"],
  ['foo[5m', '1:7: parse error: unclosed left bracket'],
  ['foo[', '1:5: parse error: unexpected end of input in duration expression'],
  ['foo[:1m]', '1:6: parse error: unexpected colon before duration in duration expression'],
  ['foo[5m::1m]', "1:8: parse error: unexpected colon ':'"],
  ['foo[5m[', "1:7: parse error: unexpected left bracket '['"],
  ['foo[x]', "1:5: parse error: unexpected character in duration expression: 'x'"],
  ['foo[5m x]', "1:8: parse error: unexpected character: 'x', expected ':'"],
  ['a ! b', "1:3: parse error: unexpected character after '!': ' '"],
  ['a =~ b', "1:3: parse error: unexpected character after '=': '~'"],
  ['foo{a!b}', "1:6: parse error: unexpected character after '!' inside braces: 'b'"],
  ['foo{a?"b"}', "1:6: parse error: unexpected character inside braces: '?'"],
  ['$', "1:1: parse error: unexpected character: '$'"],
  ['"abc', '1:1: parse error: unterminated quoted string'],
  ['`abc', '1:1: parse error: unterminated raw string'],
  ['"\\q"', "1:1: parse error: unknown escape sequence U+0071 'q'"],
  ['"\\xg0"', "1:1: parse error: illegal character U+0067 'g' in escape sequence"],
  ['"\\ud800"', '1:1: parse error: escape sequence is an invalid Unicode code point'],
  ['5x', '1:1: parse error: bad number or duration syntax: "5"'],
  ['0x1e', '1:1: parse error: bad number or duration syntax: "0x1e"'],
  ['5m5', '1:1: parse error: bad number or duration syntax: "5m5"'],
  ['5hs', '1:1: parse error: unknown unit "hs" in duration "5hs"'],
  ['1ms1s', '1:1: parse error: not a valid duration string: "1ms1s"'],
  [
    '1e999',
    '1:1: parse error: error parsing number: strconv.ParseFloat: parsing "1e999": value out of range',
  ],
  // The grammar's.
  ['1 +', '1:4: parse error: unexpected end of input'],
  ['* 1', '1:1: parse error: unexpected <op:*>'],
  ['foo bar', '1:5: parse error: unexpected identifier "bar"'],
  ['foo a:b', '1:5: parse error: unexpected metric identifier "a:b"'],
  ['1 2', '1:3: parse error: unexpected number "2"'],
  ['foo 5m', '1:5: parse error: unexpected duration "5m"'],
  ['foo "a long string"', '1:5: parse error: unexpected string "\\"a long st"...'],
  ['(foo,)', '1:5: parse error: unexpected ","'],
  ['on(x)', '1:1: parse error: unexpected <on>'],
  ['sum(foo bar)', '1:9: parse error: unexpected identifier "bar" in aggregation'],
  ['sum foo', '1:5: parse error: unexpected identifier "foo"'],
  ['foo + sum (x) avg', '1:15: parse error: unexpected <aggr:avg>'],
  ['sum by (x) foo', '1:12: parse error: unexpected identifier "foo" in aggregation'],
  ['sum(x) by foo', '1:11: parse error: unexpected identifier "foo" in grouping opts, expected "("'],
  ['sum(x) by (a b)', '1:14: parse error: unexpected identifier "b" in grouping opts, expected "," or ")"'],
  ['sum(x) by (1)', '1:12: parse error: unexpected number "1" in grouping opts, expected label'],
  ['sum(x) by ("")', '1:12: parse error: invalid label name for grouping: ""'],
  ['a + on(x) group_left [5m] b', '1:22: parse error: unexpected "[" in grouping opts, expected "("'],
  ['foo{a}', '1:6: parse error: unexpected "}" in label matching, expected label matching operator'],
  ['foo{a=}', '1:7: parse error: unexpected "}" in label matching, expected string'],
  ['foo{a="b" c="d"}', '1:11: parse error: unexpected identifier "c" in label matching, expected "," or "}"'],
  ['foo{,}', '1:5: parse error: unexpected "," in label matching, expected identifier or "}"'],
  ['foo{a=~"("}', '1:5: parse error: error parsing regexp: missing closing ): `(`'],
  ['foo[5m 1m]', '1:8: parse error: unexpected duration "1m" in subquery or range, expected ":" or "]"'],
  [
    'foo[]',
    '1:5: parse error: unexpected "]" in subquery or range selector, expected number, duration, step(), or range()',
  ],
  ['foo[5m:1m 2m]', '1:11: parse error: unexpected duration "2m" in subquery selector, expected "]"'],
  ['foo[0s]', '1:5: parse error: duration must be greater than 0'],
  ['foo[5m/0]', '1:7: parse error: division by zero'],
  ['foo[5m%0]', '1:7: parse error: modulo by zero'],
  [
    'foo offset',
    '1:11: parse error: unexpected end of input in offset, expected number, duration, step(), or range()',
  ],
  ['foo @ bar', '1:7: parse error: unexpected identifier "bar" in @, expected timestamp'],
  ['foo @ Inf', '1:1: parse error: timestamp out of bounds for @ modifier: +Inf'],
  ['foo @ 1 @ 2', '1:1: parse error: @ <timestamp> may not be set multiple times'],
  ['foo offset 1m offset 2m', '1:1: parse error: offset may not be set multiple times'],
  ['foo offset 1m [5m]', '1:15: parse error: no offset modifiers allowed before range'],
  ['foo @ 1 [5m]', '1:9: parse error: no @ modifiers allowed before range'],
  ['(foo)[5m]', '1:6: parse error: ranges only allowed for vector selectors'],
  [
    '1 offset 1m',
    '1:1: parse error: offset modifier must be preceded by an instant vector selector or range vector selector or a subquery',
  ],
  ['foo anchored smoothed', '1:1: parse error: anchored and smoothed modifiers cannot be used together'],
  ['foo[5m:] anchored', '1:1: parse error: anchored modifier is not supported for subqueries'],
  // Calls and aggregations.
  ['nope(1)', '1:1: parse error: unknown function with name "nope"'],
  ['rate(foo, )', '1:9: parse error: trailing commas not allowed in function call args'],
  ['sum()', '1:1: parse error: no arguments for aggregate expression provided'],
  [
    'topk(foo)',
    '1:1: parse error: wrong number of arguments for aggregate expression provided, expected 2, got 1',
  ],
  ['abs()', '1:1: parse error: expected 1 argument(s) in call to "abs", got 0'],
  ['label_join(foo)', '1:1: parse error: expected at least 3 argument(s) in call to "label_join", got 1'],
  ['round(foo, 1, 2)', '1:1: parse error: expected at most 2 argument(s) in call to "round", got 3'],
  [
    'rate(foo)',
    '1:6: parse error: expected type range vector in call to function "rate", got instant vector',
  ],
  ['sum(1)', '1:5: parse error: expected type instant vector in aggregation expression, got scalar'],
  ['count_values(1, foo)', '1:14: parse error: expected type string in aggregation parameter, got scalar'],
  ['info(foo, bar{a="b"})', '1:11: parse error: expected label selectors only, got vector selector instead'],
  // Types and matching.
  ['1 == 1', '1:3: parse error: comparisons between scalars must use BOOL modifier'],
  ['1\n  ==\n1', '2:3: parse error: comparisons between scalars must use BOOL modifier'],
  ['1 + bool 1', '1:3: parse error: bool modifier can only be used on comparison operators'],
  ['1 and 1', '1:1: parse error: set operator "and" not allowed in binary scalar expression'],
  ['foo and on(a) group_left bar', '1:1: parse error: no grouping allowed for "and" operation'],
  [
    'foo + on(a) group_left(a) bar',
    '1:5: parse error: label "a" must not occur in ON and GROUP clause at once',
  ],
  ['1 + on(a) foo', '1:1: parse error: vector matching only allowed between instant vectors'],
  ['foo or fill(1) bar', '1:1: parse error: filling in missing series not allowed for set operators'],
  ['"a" + 1', '1:1: parse error: binary expression must contain only scalar and instant vector types'],
  [
    '-"a"',
    '1:1: parse error: unary expression only allowed on expressions of type scalar or instant vector, got "string"',
  ],
  ['1[5m:]', '1:1: parse error: subquery is only allowed on instant vector, got scalar instead'],
  ['foo{__name__="bar"}', '1:1: parse error: metric name must not be set twice: "foo" or "bar"'],
  ['{}', '1:1: parse error: vector selector must contain at least one non-empty matcher'],
  ['{a=~".*"}', '1:1: parse error: vector selector must contain at least one non-empty matcher'],
  // Columns count bytes.
  ['foo{a="é"} + ', '1:15: parse error: unexpected end of input'],
];

describe('parseQuery', () => {
  for (const [query, message] of CASES) {
    it(`says what is wrong with ${JSON.stringify(query)}`, () => {
      expect(errorOf(query)).toBe(message);
    });
  }

  it('refuses what is switched off', () => {
    expect(errorOf('limitk(1, foo)', {})).toBe(
      '1:1: parse error: limitk() is experimental and must be enabled with --enable-feature=promql-experimental-functions',
    );
    expect(errorOf('mad_over_time(foo[5m])', {})).toBe(
      '1:1: parse error: function "mad_over_time" is not enabled',
    );
    expect(errorOf('foo[5m] anchored', {})).toBe(
      '1:1: parse error: anchored modifier is experimental and not enabled',
    );
    expect(errorOf('a + fill(1) b', {})).toBe(
      '1:1: parse error: binop fill modifiers are experimental and not enabled',
    );
    expect(errorOf('foo[5m*2]', {})).toBe('no error');
    expect(errorOf('foo[5m*2]', { durationExpressions: false })).toBe(
      '1:5: parse error: experimental duration expression is not enabled',
    );
  });

  const bombs: readonly (readonly [name: string, query: string])[] = [
    ['parentheses', `${'('.repeat(10_000)}1${')'.repeat(10_000)}`],
    ['unclosed parentheses', '('.repeat(100_000)],
    ['signs', `${'-'.repeat(10_000)}foo`],
    ['calls', `${'abs('.repeat(10_000)}foo${')'.repeat(10_000)}`],
    ['a chain of operators', `1${' + 1'.repeat(10_000)}`],
    ['a chain of powers', `1${' ^ 1'.repeat(10_000)}`],
    ['subqueries', `foo${'[1m:]'.repeat(10_000)}`],
    ['parentheses in a duration', `foo[${'('.repeat(10_000)}1m${')'.repeat(10_000)}]`],
    ['signs in a duration', `foo offset ${'-'.repeat(10_000)}1m`],
    ['a chain in a duration', `foo[1m${' + 1m'.repeat(10_000)}]`],
  ];
  for (const [name, query] of bombs) {
    it(`refuses 10,000 ${name} without running out of stack`, () => {
      expect(errorOf(query)).toMatch(/parse error: expression is nested deeper than 500 levels/);
    });
  }

  it('takes what is just below the depth limit', () => {
    expect(errorOf(`${'('.repeat(450)}1${')'.repeat(450)}`)).toBe('no error');
    expect(errorOf(`1${' + 1'.repeat(450)}`)).toBe('no error');
  });

  it('refuses a query longer than the limit', () => {
    expect(errorOf('"x"'.padEnd(2_000_000))).toBe(
      '1:1: parse error: query is 2000000 characters long, longer than 1048576 (limit query.length-max)',
    );
  });

  it('carries the code and the place of the fault', () => {
    try {
      parseQuery('foo +\n bar(1)');
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({ code: 'bad_data', position: { start: 7, end: 10 }, retryable: false });
    }
  });
});

describe('parseSelector', () => {
  it('reads matchers and refuses anything else', () => {
    expect(parseSelector('foo{a!="b"}')).toEqual([
      { name: 'a', op: '!=', value: 'b' },
      { name: '__name__', op: '=', value: 'foo' },
    ]);
    expect(parseSelector('{"a.b", c=~"d"}')).toEqual([
      { name: '__name__', op: '=', value: 'a.b' },
      { name: 'c', op: '=~', value: 'd' },
    ]);
    expect(() => parseSelector('foo[5m]')).toThrow('1:4: parse error: unexpected "["');
    expect(() => parseSelector('1')).toThrow('1:1: parse error: unexpected number "1"');
  });
});

describe('lineColumn', () => {
  it('counts lines and bytes from one', () => {
    expect(lineColumn('a\nbé c', 5)).toBe('2:5');
    expect(lineColumn('', 0)).toBe('unknown position');
    expect(lineColumn('a', 2)).toBe('invalid position');
  });
});
