// What is to be downsampled.

import { describe, expect, it } from 'vitest';
import type { BlockMeta } from '../../../src/storage/block/block-meta.ts';
import { planDownsampling } from '../../../src/storage/downsample/plan.ts';
import { testMeta } from '../test-meta.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

function block(ulid: string, days: readonly [number, number], sources: string, resolutionMs = 0): BlockMeta {
  return testMeta({
    ulid,
    span: [days[0] * DAY, days[1] * DAY],
    compaction: { level: 3, sources: [...sources] },
    thanos: { resolutionMs },
  });
}

const planned = (...metas: BlockMeta[]): string[] =>
  planDownsampling(metas).map(({ meta, resolution }) => `${meta.ulid} to ${resolution}`);

describe('downsampling plan', () => {
  it('takes raw blocks of 40 hours and blocks of 5 m of ten days, oldest first', () => {
    const short = block('short', [0, 39.9 / 24], 'a');
    const enough = block('enough', [2, 2 + 40 / 24], 'b');
    const old = block('old', [0, 14], 'c');
    const nine = block('nine', [0, 9.9], 'd', 300_000);
    const ten = block('ten', [20, 30], 'e', 300_000);
    expect(planned(enough, short, nine, ten, old)).toEqual([
      'old to 300000',
      'enough to 300000',
      'ten to 3600000',
    ]);
  });

  it('leaves out what is done: every source is in a block of the next resolution', () => {
    const raw = block('raw', [0, 14], 'abc');
    const five = block('five', [0, 14], 'abc', 300_000);
    const hour = block('hour', [0, 14], 'abc', 3_600_000);
    expect(planned(raw, five, hour)).toEqual([]);
    expect(planned(raw, block('part', [0, 14], 'ab', 300_000), hour)).toEqual(['raw to 300000']);
    expect(planned(raw, block('left', [0, 2], 'a', 300_000), block('right', [2, 14], 'bc', 300_000))).toEqual(
      ['right to 3600000'],
    );
    expect(planned(raw, hour)).toEqual(['raw to 300000']);
  });
});
