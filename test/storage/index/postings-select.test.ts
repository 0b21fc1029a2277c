// Matchers to postings against evaluating each matcher on each series, which is what Prometheus means by a selector.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileMatcher } from '../../../src/codec/regex.ts';
import { type Labels, labelsFrom, labelValue } from '../../../src/model/labels.ts';
import { type PostingsIndex, selectPostings } from '../../../src/storage/index/postings-select.ts';

const NAMES = ['a', 'b', 'c'];
const VALUES = ['x', 'y', 'xy', 'z1', 'z2'];
const series = fc.array(
  fc.array(fc.tuple(fc.constantFrom(...NAMES), fc.constantFrom(...VALUES))).map(labelsFrom),
  { maxLength: 30 },
);
const matcher = fc.record({
  name: fc.constantFrom(...NAMES, 'absent'),
  op: fc.constantFrom('=' as const, '!=' as const, '=~' as const, '!~' as const),
  value: fc.constantFrom(
    '',
    'x',
    'y',
    'x|y',
    'x|',
    'z.*',
    '.*',
    '.+',
    'z[12]',
    '(x|y)?',
    'nothing',
    '.*y',
    '[^x]*',
  ),
});

function memoryIndex(all: readonly Labels[], seen: string[]): PostingsIndex {
  const refs = (keep: (labels: Labels) => boolean): Promise<Uint32Array> =>
    Promise.resolve(Uint32Array.from([...all.keys()].filter((i) => keep(all[i]!)).map((i) => i + 1)));
  return {
    all: () => refs(() => true),
    withValues: (name, values) =>
      refs((labels) => labelValue(labels, name) !== '' && values.includes(labelValue(labels, name))),
    having: (name) => refs((labels) => labelValue(labels, name) !== ''),
    where: (name, accepts, prefix) => {
      const values = new Set(
        all.map((labels) => labelValue(labels, name)).filter((v) => v !== '' && v.startsWith(prefix ?? '')),
      );
      const accepted = new Set(
        [...values].filter((value) => {
          seen.push(`${name}/${value}`);
          return accepts(value);
        }),
      );
      return refs((labels) => accepted.has(labelValue(labels, name)));
    },
  };
}

describe('postings-select', () => {
  it('selects the series that every matcher accepts', async () => {
    await fc.assert(
      fc.asyncProperty(series, fc.array(matcher, { maxLength: 4 }), async (all, wanted) => {
        const compiled = wanted.map(compileMatcher);
        const naive = [...all.keys()]
          .filter((i) => compiled.every((m) => m.matches(labelValue(all[i]!, m.matcher.name))))
          .map((i) => i + 1);
        expect([...(await selectPostings(memoryIndex(all, []), compiled))]).toEqual(naive);
      }),
      { numRuns: 500 },
    );
  });

  it('asks exact matchers first and stops at an empty list', async () => {
    const seen: string[] = [];
    const index = memoryIndex(
      [
        ['a', 'x'],
        ['b', 'y'],
      ],
      seen,
    );
    const compiled = [
      compileMatcher({ name: 'b', op: '=~', value: '.*y.*' }),
      compileMatcher({ name: 'a', op: '=', value: 'nothing' }),
    ];
    expect([...(await selectPostings(index, compiled))]).toEqual([]);
    expect(seen).toEqual([]);
  });
});
