import { describe, expect, it } from 'vitest';
import { trimHistogram } from '../../src/model/histogram-trim.ts';
import { describeHistogram, parseHistogram } from '../promql/histogram-notation.ts';
import { parseNumber } from '../promql/series.ts';

const EXPONENTIAL =
  'count:14 sum:20 z_bucket:2 z_bucket_w:0.5 offset:1 buckets:[4 4] n_offset:1 n_buckets:[4]';
const CUSTOM = 'schema:-53 count:8 sum:10 custom_values:[1 2] buckets:[2 4 2]';

function trimmed(text: string, limit: number, keepsBelow: boolean): string {
  const { histogram } = parseHistogram(text, parseNumber);
  trimHistogram(histogram, limit, keepsBelow);
  return describeHistogram(histogram);
}

describe('trimHistogram', () => {
  it('changes nothing when all lies inside the limit', () => {
    expect(trimmed(EXPONENTIAL, 4, true)).toBe(trimmed(EXPONENTIAL, Number.POSITIVE_INFINITY, true));
    expect(trimmed(EXPONENTIAL, -2, false)).toContain('{count:14, sum:20,');
  });

  it('takes whole buckets at their bounds', () => {
    expect(trimmed(EXPONENTIAL, 2, true)).toMatch(/^\{count:10, .*\[-2,-1\):4, \[-0.5,0.5\]:2, \(1,2\]:4\}/);
    expect(trimmed(EXPONENTIAL, 2, false)).toMatch(/^\{count:4, sum:11.31\d+, \(2,4\]:4\}/);
  });

  it('cuts a bucket in the middle: logarithmically, of zero and custom buckets linearly', () => {
    expect(trimmed(EXPONENTIAL, 2 ** 0.5, true)).toMatch(/\(1,2\]:2(\.0+\d*)?\}/);
    expect(trimmed(EXPONENTIAL, 0, false)).toMatch(/^\{count:9, .*\[-0.5,0.5\]:1, /);
    expect(trimmed(CUSTOM, 1.25, true)).toBe(
      '{count:3, sum:2.125, [-Inf,1]:2, (1,2]:1} (schema -53, zero 0, hint 0)',
    );
  });

  it('takes the lowest custom bucket to begin at 0 and drops the unbounded one unless it is kept as a whole', () => {
    expect(trimmed(CUSTOM, 0.5, true)).toContain('{count:1, sum:0.25, [-Inf,1]:1}');
    expect(trimmed(CUSTOM, 0.5, false)).toContain('{count:7, sum:10.75, [-Inf,1]:1, (1,2]:4, (2,+Inf]:2}');
    expect(trimmed(CUSTOM, 3, false)).toContain('{count:2, sum:6, (2,+Inf]:2}');
    expect(trimmed(CUSTOM, 3, true)).toContain('{count:6, sum:7, [-Inf,1]:2, (1,2]:4}');
  });
});
