import { describe, expect, it } from 'vitest';
import { compileMatcher } from '../../../src/codec/regex.ts';
import { ExemplarRing } from '../../../src/storage/head/exemplars.ts';
import { MetadataTable } from '../../../src/storage/head/metadata.ts';

const one = (timestamp: number, value = 1, trace = 't') => ({ labels: ['trace', trace], value, timestamp });
const x = ['__name__', 'x'];
const y = ['__name__', 'y'];
const everything = [[compileMatcher({ name: '__name__', op: '=~', value: '.+' })]];

describe('exemplars', () => {
  it('are found by matchers and time, in time order', () => {
    const ring = new ExemplarRing(10, 100);
    for (const t of [50, 60, 40, 70]) expect(ring.add(x, one(t))).toBe('added');
    ring.add(y, one(55));
    expect(ring.select(everything, 45, 60)).toEqual([
      { labels: x, exemplars: [one(50), one(60)] },
      { labels: y, exemplars: [one(55)] },
    ]);
    const onlyY = [
      [compileMatcher({ name: '__name__', op: '=', value: 'no' })],
      [
        compileMatcher({ name: '__name__', op: '=', value: 'y' }),
        compileMatcher({ name: 'a', op: '=', value: '' }),
      ],
    ];
    expect(ring.select(onlyY, 0, 100).map((s) => s.labels)).toEqual([y]);
    expect(ring.select([], 0, 100)).toEqual([]);
  });

  it('make room by age of arrival', () => {
    const ring = new ExemplarRing(3, 0);
    ring.add(y, one(1));
    for (const t of [2, 3, 4]) ring.add(x, one(t));
    expect(ring.select(everything, 0, 10)).toEqual([{ labels: x, exemplars: [one(2), one(3), one(4)] }]);
    expect(ring.count).toBe(3);
  });

  it('are judged as Prometheus judges them', () => {
    const ring = new ExemplarRing(10, 100);
    expect(ring.add(x, one(1000, 5))).toBe('added');
    expect(ring.add(x, one(1000, 5))).toBe('duplicate');
    expect(ring.add(x, one(1000, 4))).toBe('outOfOrder');
    expect(ring.add(x, one(1000, 6))).toBe('added');
    expect(ring.add(x, one(900, 6))).toBe('outOfOrder');
    expect(ring.add(x, one(901, 6))).toBe('added');
    expect(ring.add(x, one(901, 7))).toBe('duplicate');
    expect(ring.add(x, one(2000, 6, 'x'.repeat(124)))).toBe('tooLong');
    expect(ring.add(x, one(2000, 6, 'x'.repeat(123)))).toBe('added');
    expect(new ExemplarRing(0, 100).add(x, one(1))).toBe('disabled');
  });
});

describe('metadata', () => {
  const counter = { type: 'counter', help: 'h', unit: '' } as const;

  it('is the latest word, bounded, and limited on request', () => {
    const table = new MetadataTable(2);
    table.set('a', counter);
    table.set('b', counter);
    table.set('a', { ...counter, help: 'new' });
    table.set('c', counter);
    expect(table.list('', 0).map((entry) => [entry.metric, entry.metadata.help])).toEqual([
      ['a', 'new'],
      ['c', 'h'],
    ]);
    expect(table.list('', 1)).toHaveLength(1);
    expect(table.list('c', 0)).toEqual([{ metric: 'c', metadata: counter }]);
    expect(table.list('b', 0)).toEqual([]);
  });
});
