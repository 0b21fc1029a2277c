import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileMatcher } from '../../../src/codec/regex.ts';
import { compareLabels, type Labels, labelsFrom, labelValue } from '../../../src/model/labels.ts';
import type { Matcher, MatchOperator } from '../../../src/model/matcher.ts';
import { appendOutcome } from '../../../src/storage/head/append-outcome.ts';
import { openHead } from '../../../src/storage/head/head.ts';

const values = ['a', 'ab', 'b', 'c\u{1f600}', 'c\uffee', 'zz'];
const anyLabels = fc
  .tuple(
    fc.constantFrom('up', 'down'),
    fc.option(fc.constantFrom(...values)),
    fc.option(fc.constantFrom(...values)),
  )
  .map(([name, x, y]) =>
    labelsFrom([
      ['__name__', name],
      ['x', x ?? ''],
      ['y', y ?? ''],
    ]),
  );
const anyMatcher: fc.Arbitrary<Matcher> = fc.record({
  name: fc.constantFrom('__name__', 'x', 'y', 'missing'),
  op: fc.constantFrom<MatchOperator>('=', '!=', '=~', '!~'),
  value: fc.constantFrom('', 'a', 'b', 'up', 'a|b', 'a.*', '.*', '.+', 'a?', '|zz', '(a|b)+', 'nothing'),
});

function headOf(all: readonly Labels[]) {
  const head = openHead({ outOfOrderWindowMs: 0, seriesMax: 1000 });
  const refs = Uint32Array.from(all, (labels) => head.seriesFor(labels));
  const count = refs.length;
  head.append(refs, new Float64Array(count).fill(1000), new Uint32Array(2 * count), count, appendOutcome());
  return head;
}

describe('head selection', () => {
  it('finds the series that all matchers accept, an absent label being an empty value', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(anyLabels, { maxLength: 60, selector: (l) => l.join() }),
        fc.array(anyMatcher, { maxLength: 4 }),
        (all, matchers) => {
          const head = headOf(all);
          const compiled = matchers.map(compileMatcher);
          const expected = all
            .filter((labels) => compiled.every((m) => m.matches(labelValue(labels, m.matcher.name))))
            .sort(compareLabels);
          const refs = head.select(compiled, 0, 1000);
          expect([...refs]).toEqual([...refs].sort((a, b) => a - b));
          expect(Array.from(head.sortByLabels(refs), (ref) => head.labels(ref))).toEqual(expected);
          expect(head.select(compiled, 1001, 2000)).toHaveLength(0);
          const pick = (of: (labels: Labels) => string[]) =>
            [...new Set(expected.flatMap(of))].filter((v) => v !== '');
          const names = pick((labels) => labels.filter((_, i) => i % 2 === 0)).sort();
          expect(head.labelNames(compiled, 0, 1000, 0)).toEqual(names);
          const byBytes = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));
          const xs = pick((labels) => [labelValue(labels, 'x')]).sort(byBytes);
          expect(head.labelValues('x', compiled, 0, 1000, 0)).toEqual(xs);
          expect(head.labelValues('x', compiled, 0, 1000, 2)).toEqual(xs.slice(0, 2));
        },
      ),
      { numRuns: 400 },
    );
  });

  it('goes on finding what is left after series were removed and their references reused', () => {
    const unique = fc.uniqueArray(anyLabels, { minLength: 1, maxLength: 60, selector: (l) => l.join() });
    fc.assert(
      fc.property(
        unique,
        fc.array(fc.boolean()),
        fc.array(anyMatcher, { maxLength: 3 }),
        (all, stays, matchers) => {
          const head = headOf(all);
          const kept = all.filter((_, i) => stays[i] ?? false);
          Array.from(head.cut(0, 7.2e6));
          const removed = head.truncate(7.2e6, [Uint32Array.from(kept, (labels) => head.seriesFor(labels))]);
          expect(removed).toHaveLength(all.length - kept.length);
          const back = all.filter((_, i) => !(stays[i] ?? false) && i % 2 === 0);
          const now = [...kept, ...back];
          const refs = Uint32Array.from(now, (labels) => head.seriesFor(labels));
          expect(new Set(refs).size).toBe(now.length);
          expect(Math.max(-1, ...refs)).toBeLessThan(all.length);
          const times = new Float64Array(refs.length).fill(8e6);
          head.append(refs, times, new Uint32Array(2 * refs.length), refs.length, appendOutcome());
          const compiled = matchers.map(compileMatcher);
          const expected = now.filter((l) => compiled.every((m) => m.matches(labelValue(l, m.matcher.name))));
          const found = head.sortByLabels(head.select(compiled, 0, 9e6));
          expect(Array.from(found, (ref) => head.labels(ref))).toEqual(expected.sort(compareLabels));
          const xs = new Set(now.map((labels) => labelValue(labels, 'x')).filter((value) => value !== ''));
          expect(new Set(head.labelValues('x', [], 0, 9e6, 0))).toEqual(xs);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('looks at each distinct value once', () => {
    const head = headOf(
      Array.from({ length: 300 }, (_, i) => ['__name__', 'm', 'id', `${i}`, 'x', values[i % 6]!]),
    );
    const seen: string[] = [];
    const spy = (op: '=~' | '!~') => {
      const real = compileMatcher({ name: 'x', op, value: 'a.*' });
      const matches = (value: string) => {
        seen.push(value);
        return real.matches(value);
      };
      return { ...real, matches };
    };
    const exact = compileMatcher({ name: '__name__', op: '=', value: 'm' });
    expect(head.select([exact, spy('=~')], 0, 1000)).toHaveLength(100);
    expect(seen.sort()).toEqual([...values].sort());
    seen.length = 0;
    const five = compileMatcher({ name: 'id', op: '=~', value: '6|12|18|24|7' });
    expect(head.select([exact, five, spy('!~')], 0, 1000)).toHaveLength(0);
    expect(seen.sort()).toEqual(['a', 'ab']);
  });

  it('tells counts and the longest lists', () => {
    const head = headOf([
      ['__name__', 'up', 'job', 'a'],
      ['__name__', 'up', 'job', 'b'],
      ['__name__', 'down', 'job', 'b'],
    ]);
    expect(head.stats(2)).toEqual({
      numSeries: 3,
      numLabelPairs: 4,
      chunkCount: 3,
      minTime: 1000,
      maxTime: 1000,
      seriesCountByMetricName: [
        { name: 'up', value: 2 },
        { name: 'down', value: 1 },
      ],
      labelValueCountByLabelName: [
        { name: '__name__', value: 2 },
        { name: 'job', value: 2 },
      ],
      memoryInBytesByLabelName: [
        { name: '__name__', value: 38 },
        { name: 'job', value: 18 },
      ],
      seriesCountByLabelValuePair: [
        { name: '__name__=up', value: 2 },
        { name: 'job=b', value: 2 },
      ],
    });
    expect(head.stats(0).seriesCountByMetricName).toEqual([]);
  });
});
