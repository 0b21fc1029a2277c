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
