import { describe, expect, it } from 'vitest';
import { detectReset } from '../../src/model/histogram-reset.ts';
import { parseHistogram } from '../promql/histogram-notation.ts';
import { parseNumber } from '../promql/series.ts';

function isReset(before: string, now: string): boolean {
  return detectReset(
    parseHistogram(now, parseNumber).histogram,
    parseHistogram(before, parseNumber).histogram,
  );
}

describe('detectReset', () => {
  it.each([
    ['nothing changed', 'count:3 buckets:[1 2]', 'count:3 buckets:[1 2]'],
    ['buckets grew and came', 'count:3 buckets:[1 2]', 'count:9 buckets:[1 3 1] n_buckets:[4]'],
    ['an empty bucket went', 'count:3 buckets:[0 3]', 'count:3 offset:1 buckets:[3]'],
    ['a coarser resolution', 'schema:1 count:3 buckets:[1 2]', 'schema:0 count:4 buckets:[1 3]'],
    [
      'a wider zero bucket at a bound',
      'z_bucket:1 z_bucket_w:0.5 count:4 buckets:[3]',
      'z_bucket:4 z_bucket_w:1 count:4',
    ],
    [
      'other custom bounds',
      'schema:-53 count:3 custom_values:[1 2] buckets:[1 1 1]',
      'schema:-53 count:3 custom_values:[2] buckets:[2 1]',
    ],
    ['a hint that says no', 'count:3', 'count:1 counter_reset_hint:not_reset'],
  ])('is not: %s', (_, before, now) => {
    expect(isReset(before, now)).toBe(false);
  });

  it.each([
    ['a smaller count', 'count:3', 'count:2'],
    ['a smaller bucket', 'count:3 buckets:[1 2]', 'count:9 buckets:[1 1]'],
    ['a smaller negative bucket', 'count:3 n_buckets:[1 2]', 'count:9 n_buckets:[1 1]'],
    ['a smaller zero bucket', 'count:3 z_bucket:2', 'count:3 z_bucket:1'],
    ['a bucket with observations went', 'count:3 buckets:[1 2]', 'count:9 buckets:[9]'],
    ['all buckets went', 'count:3 buckets:[0 2]', 'count:9'],
    ['a finer resolution', 'schema:0 count:3', 'schema:1 count:3'],
    ['a coarser one with less', 'schema:1 count:3 buckets:[1 2]', 'schema:0 count:4 buckets:[1 1]'],
    ['a narrower zero bucket', 'z_bucket_w:1 count:3', 'z_bucket_w:0.5 count:3'],
    [
      'a zero bucket that ends inside a bucket',
      'z_bucket_w:0.5 count:4 offset:1 buckets:[3]',
      'z_bucket:9 z_bucket_w:1.5 count:9',
    ],
    ['exponential buckets became custom', 'count:3', 'schema:-53 count:3 custom_values:[1]'],
    ['custom buckets became exponential', 'schema:-53 count:3 custom_values:[1]', 'count:3'],
    [
      'less below a bound that both have',
      'schema:-53 count:9 custom_values:[1 2] buckets:[4 4 1]',
      'schema:-53 count:9 custom_values:[2] buckets:[7 2]',
    ],
    ['a hint that says so', 'count:3', 'count:9 counter_reset_hint:reset'],
  ])('is: %s', (_, before, now) => {
    expect(isReset(before, now)).toBe(true);
  });
});
