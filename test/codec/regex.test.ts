// Templates of label_replace are written as PromQL has them.
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: `${1}` is Go's syntax, not JavaScript's.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileMatcher, compileRegex, MatcherCache, PATTERN_LENGTH_MAX } from '../../src/codec/regex.ts';
import type { MatchOperator } from '../../src/model/matcher.ts';

function compile(op: MatchOperator, value: string) {
  return compileMatcher({ name: 'a', op, value });
}

describe('compileMatcher', () => {
  it('compares text for = and !=', () => {
    expect(compile('=', 'x')).toMatchObject({ matchesEmpty: false, literals: ['x'] });
    expect(compile('=', '').matchesEmpty).toBe(true);
    expect(compile('!=', 'x').matches('y')).toBe(true);
    expect(compile('!=', 'x').matchesEmpty).toBe(true);
    expect(compile('!=', '').matchesEmpty).toBe(false);
  });

  const cases: [pattern: string, yes: string[], no: string[]][] = [
    ['foo', ['foo'], ['foobar', 'xfoo', '']],
    ['foo|bar', ['foo', 'bar'], ['foobar', 'foo|bar']],
    ['^foo|bar$', ['foo', 'bar'], ['foox', 'xbar']],
    ['a|ab', ['a', 'ab'], ['abb']],
    ['', [''], ['x']],
    ['.*', ['', 'x', 'a\nb'], []],
    ['.+', ['x', '\n'], ['']],
    ['foo.*', ['foo', 'foo\nbar'], ['fo', 'xfoo']],
    ['.*foo', ['foo', 'xfoo'], ['foox']],
    ['.*foo.*', ['foo', 'afoob'], ['fo']],
    ['foo.+', ['foox'], ['foo']],
    ['.+foo.+', ['afoob'], ['foob', 'afoo']],
    ['a.*a', ['aa', 'aba'], ['a']],
    ['a.+b.*c', ['axbc', 'axbxc', 'abbc'], ['abc']],
    ['.+.+', ['ab'], ['a', '😀']],
    ['foo(bar|baz)?', ['foo', 'foobar', 'foobaz'], ['foobarbaz']],
    ['v[12][a-c]', ['v1a', 'v2c'], ['v3a', 'v1d']],
    ['10\\.0\\.0\\..*', ['10.0.0.1'], ['10x0.0.1']],
    ['\\d+', ['123'], ['12a', '']],
    ['(?i)foo', ['FOO', 'foo'], ['bar']],
    ['[^a]', ['b', '\n'], ['a']],
    ['foo\\$', ['foo$'], ['foo']],
    ['ab+', ['ab', 'abbb'], ['a']],
    ['ab*', ['a', 'abbb'], ['ac']],
    ['\\Qa.b\\E', ['a.b'], ['axb']],
    ['é+', ['éé'], ['e']],
  ];
  for (const [pattern, yes, no] of cases) {
    it(`matches whole values against ${JSON.stringify(pattern)}`, () => {
      const positive = compile('=~', pattern);
      const negative = compile('!~', pattern);
      for (const value of yes) expect([value, positive.matches(value)]).toEqual([value, true]);
      for (const value of no) expect([value, positive.matches(value)]).toEqual([value, false]);
      for (const value of [...yes, ...no]) expect(negative.matches(value)).toBe(!positive.matches(value));
      expect(positive.matchesEmpty).toBe(positive.matches(''));
      expect(negative.matchesEmpty).toBe(!positive.matches(''));
    });
  }

  it('tells the literals or the prefix of positive matchers alone', () => {
    expect(compile('=~', 'a|b|a').literals).toEqual(['a', 'b']);
    expect(compile('=~', 'x(1|2)').literals).toEqual(['x1', 'x2']);
    expect(compile('!~', 'a|b').literals).toBeUndefined();
    expect(compile('=~', 'foo.*').prefix).toBe('foo');
    expect(compile('=~', 'foo\\d+').prefix).toBe('foo');
    expect(compile('=~', 'foo+').prefix).toBe('foo');
    expect(compile('=~', 'foo*').prefix).toBe('fo');
    expect(compile('=~', 'foo\\d|x').prefix).toBeUndefined();
    expect(compile('!~', 'foo.*').prefix).toBeUndefined();
  });

  const errors: [pattern: string, text: string][] = [
    ['a(', 'error parsing regexp: missing closing ): `a(`'],
    ['a)(b', 'error parsing regexp: unexpected ): `a)(b`'],
    ['[a', 'error parsing regexp: missing closing ]: `[a`'],
    ['*', 'error parsing regexp: missing argument to repetition operator: `*`'],
    ['a\\', 'error parsing regexp: trailing backslash at end of expression: ``'],
    ['(a{1000}){1000}', 'error parsing regexp: invalid repeat count: `{1000}`'],
    ['(?<=a)b', 'error parsing regexp: invalid named capture: `(?<=a)b`'],
    ['\\w{1000}'.repeat(101), 'error parsing regexp: expression too large'],
    ['x'.repeat(PATTERN_LENGTH_MAX + 1), 'error parsing regexp: expression too large'],
  ];
  for (const [pattern, text] of errors) {
    it(`refuses ${pattern.slice(0, 20)} with Go's text`, () => {
      expect(() => compile('=~', pattern)).toThrow(
        expect.objectContaining({ code: 'bad_data', message: text }),
      );
    });
  }

  it('agrees with a plain anchored regex on generated patterns', () => {
    const atom = fc.oneof(
      fc.constantFrom('a', 'b', '.*', '.+', '\\.', '[ab]', 'é', 'a?', '(?:a|b)', '(a|)', 'b+', '\\w'),
      fc.constantFrom('(a|ab)', '.', '[^a]', '$', '^'),
    );
    const pattern = fc.array(fc.array(atom, { maxLength: 5 }), { minLength: 1, maxLength: 3 });
    const value = fc.string({ unit: fc.constantFrom('a', 'b', '.', 'é', '\n', '$'), maxLength: 7 });
    fc.assert(
      fc.property(pattern, fc.array(value, { maxLength: 12 }), (branches, values) => {
        const text = branches.map((branch) => branch.join('')).join('|');
        const twin = new RegExp(`^(?:${text})$`, 'su');
        const subject = compile('=~', text);
        for (const each of values) {
          expect([text, each, subject.matches(each)]).toEqual([text, each, twin.test(each)]);
          if (twin.test(each)) expect(each.startsWith(subject.prefix ?? '')).toBe(true);
          if (subject.literals) expect(subject.literals.includes(each)).toBe(twin.test(each));
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('compileRegex', () => {
  const cases: [pattern: string, text: string, template: string, result: string | undefined][] = [
    ['(.*)-(.*)', 'a-b', '$2_$1', 'a'],
    ['(.*)-(.*)', 'a-b', '${2}_$1', 'b_a'],
    ['source-value-(.*)', 'source-value-10', 'v-$1', 'v-10'],
    ['(?P<first>\\w+) .*', 'one two', '${first}!$first', 'one!one'],
    ['(a)', 'a', '$$1 $ ${ ${1 $10 $0', '$1 $ ${ ${1  a'],
    ['(a)(b)?', 'a', '[$1$2]', '[a]'],
    ['(a)(b)?', 'a', '[$1${2}]', '[a]'],
    ['(a)', 'ab', '$1', undefined],
    ['.*', 'x\ny', '$0', 'x\ny'],
    ['(a|ab)(c|bcd)?(.*)', 'abcd', '$1,$2,$3', 'a,bcd,'],
    ['(a)', 'a', '$01 ${1x} $1x', '  '],
  ];
  for (const [pattern, text, template, result] of cases) {
    it(`expands ${template} of ${pattern} as Go does`, () => {
      expect(compileRegex(pattern).expand(text, template)).toBe(result);
    });
  }
});

describe('MatcherCache', () => {
  it('gives what compileMatcher gives, again and again', () => {
    const cache = new MatcherCache();
    const values = ['', 'a', 'ab', 'b', 'shop-cart'];
    for (const op of ['=', '!=', '=~', '!~'] as const)
      for (const value of ['', 'a', 'a|b', 'a.*', '.*-[b-n].*', '.+'])
        for (let round = 0; round < 2; round++) {
          const matcher = { name: 'x', op, value };
          const [cached, fresh] = [cache.compile(matcher), compileMatcher(matcher)];
          expect(values.map((one) => cached.matches(one))).toEqual(values.map((one) => fresh.matches(one)));
          expect([cached.matchesEmpty, cached.literals]).toEqual([fresh.matchesEmpty, fresh.literals]);
        }
    expect(cache.compile({ name: 'x', op: '=~', value: 'a.*' })).toBe(
      cache.compile({ name: 'x', op: '=~', value: 'a.*' }),
    );
  });

  it('still refuses what is no pattern', () => {
    const bad = { name: 'x', op: '=~', value: '(' } as const;
    expect(() => new MatcherCache().compile(bad)).toThrow('error parsing regexp');
  });
});
