import { expect, it } from 'vitest';
import { Annotations } from '../../src/model/annotations.ts';

it('keeps equal notes once, and of those that differ in their place the one furthest back', () => {
  const notes = new Annotations();
  const add = (text: string, level: 'info' | 'warning' = 'info'): void => notes.add({ level, text });
  for (const text of ['a (1:9)', 'a (1:20)', 'a (1:3)', 'b (2:1)', 'b (1:80)', 'c', 'c']) add(text);
  add('a (1:1)', 'warning');
  expect(notes.all().map(({ level, text }) => `${level} ${text}`)).toEqual([
    'info a (1:20)',
    'info b (2:1)',
    'info c',
    'warning a (1:1)',
  ]);
});

it('keeps the note of the highest rank, and shows no ranks', () => {
  const notes = new Annotations();
  for (const text of ['a (1:9~2)', 'a (1:1~3)', 'a (1:20~1)']) notes.add({ level: 'info', text });
  expect(notes.shown()).toEqual([{ level: 'info', text: 'a (1:1)' }]);
});

it('puts the figures of straightened buckets together, at the place of the first', () => {
  const notes = new Annotations();
  const text = (figures: string): string =>
    `PromQL info: input to histogram_quantile needed to be fixed for monotonicity (see x)${figures}`;
  const first =
    ', from buckets 0.5 to 2, with a max diff of 3, over 2 samples from 1970-01-01T00:01:00Z to 1970-01-01T00:02:00Z (1:4~1)';
  const second =
    ', from buckets 1 to +Inf, with a max diff of 0.1, over 3 samples from 1970-01-01T00:00:00Z to 1970-01-01T00:01:30Z (1:9~2)';
  const joined =
    ', from buckets 0.5 to +Inf, with a max diff of 3, over 5 samples from 1970-01-01T00:00:00Z to 1970-01-01T00:02:00Z (1:4)';
  for (const figures of [second, first]) notes.add({ level: 'info', text: text(figures) });
  expect(notes.shown()).toEqual([{ level: 'info', text: text(joined) }]);
});
