// The compaction planner: known cases, and laws that hold for any group of blocks.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BlockMeta } from '../../../src/storage/block/block-meta.ts';
import { COMPACTION_RANGES_MS, groupBlocks, planCompaction } from '../../../src/storage/compact/plan.ts';
import { testMeta } from '../test-meta.ts';

const HOUR = 3_600_000;

interface Facts {
  readonly name: number;
  readonly from: number;
  readonly to: number;
  readonly tombstones?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly isFailed?: boolean;
}

function block({ name, from, to, tombstones = 0, labels = {}, isFailed = false }: Facts): BlockMeta {
  return testMeta({
    ulid: String(name).padStart(26, '0'),
    span: [from * HOUR, to * HOUR],
    stats: { numSeries: 99, numTombstones: tombstones },
    compaction: isFailed ? { failed: true } : {},
    thanos: { labels },
  });
}

/** Blocks of 2 h from hour 0. */
function cuts(count: number): BlockMeta[] {
  return Array.from({ length: count }, (_, i) => block({ name: i, from: 2 * i, to: 2 * i + 2 }));
}

function planned(blocks: readonly BlockMeta[], excluded: ReadonlySet<string> = new Set()) {
  const options = {
    rangesMs: COMPACTION_RANGES_MS,
    isExcluded: (one: BlockMeta) => excluded.has(one.ulid),
  };
  return planCompaction(blocks, options);
}

function shown(blocks: readonly BlockMeta[], excluded: ReadonlySet<string> = new Set()): string[] {
  return planned(blocks, excluded).map(
    (plan) => `${plan.reason} ${plan.blocks.map((one) => `${one.minTime / HOUR}-${one.maxTime / HOUR}`)}`,
  );
}

describe('planCompaction', () => {
  it('merges a range of 8 h once a later block is there, and never the newest block', () => {
    expect(shown(cuts(4))).toEqual([]);
    expect(shown(cuts(5))).toEqual(['range 0-2,2-4,4-6,6-8']);
  });

  it('names every range that is complete', () => {
    expect(shown(cuts(9))).toEqual(['range 0-2,2-4,4-6,6-8', 'range 8-10,10-12,12-14,14-16']);
  });

  it('merges overlapping blocks first, the newest too, and leaves their range for the next time', () => {
    const late = block({ name: 90, from: 2, to: 4 });
    expect(shown([...cuts(5), late])).toEqual(['overlap 2-4,2-4']);
    expect(shown([...cuts(1), block({ name: 9, from: 0, to: 2 })])).toEqual(['overlap 0-2,0-2']);
  });

  it('passes an excluded block by, does not merge over it and goes on elsewhere', () => {
    const blocks = cuts(9);
    expect(shown(blocks, new Set([blocks[1]!.ulid]))).toEqual([
      'range 4-6,6-8',
      'range 8-10,10-12,12-14,14-16',
    ]);
  });

  it('passes by a block whose compaction failed', () => {
    const blocks = cuts(5);
    blocks[0] = block({ name: 0, from: 0, to: 2, isFailed: true });
    expect(shown(blocks)).toEqual(['range 2-4,4-6,6-8']);
  });

  it('writes a wide block anew when more than 5 % of its series have deletions', () => {
    const wide = (tombstones: number) => block({ name: 1, from: 0, to: 48, tombstones });
    const newer = block({ name: 2, from: 48, to: 50 });
    expect(shown([wide(5), newer])).toEqual([]);
    expect(shown([wide(6), newer])).toEqual(['tombstones 0-48']);
  });

  it('refuses ranges that do not nest', () => {
    expect(() => planCompaction([], { rangesMs: [2, 3], isExcluded: () => false })).toThrow('no multiple');
  });
});

const anyBlocks = fc
  .array(fc.record({ at: fc.integer({ min: -60, max: 400 }), width: fc.constantFrom(1, 2, 2, 2, 8, 48) }), {
    maxLength: 60,
  })
  .map((list) => list.map(({ at, width }, name) => block({ name, from: at, to: at + width })));

describe('plans of any group', () => {
  it('share neither a block nor a time, and leave excluded blocks alone', () => {
    fc.assert(
      fc.property(anyBlocks, fc.integer({ min: 2, max: 9 }), (blocks, every) => {
        const excluded = new Set(blocks.filter((_, i) => i % every === 0).map((one) => one.ulid));
        const used = planned(blocks, excluded).map((plan) => plan.blocks);
        const names = used.flat().map((one) => one.ulid);
        expect(new Set(names).size).toBe(names.length);
        expect(names.filter((name) => excluded.has(name))).toEqual([]);
        const hulls = used.map(hull).sort((a, b) => a.from - b.from);
        for (let i = 1; i < hulls.length; i++)
          expect(hulls[i]!.from).toBeGreaterThanOrEqual(hulls[i - 1]!.to);
      }),
    );
  });

  it('come to an end, every source in one block and no time in two', () => {
    fc.assert(
      fc.property(anyBlocks, (blocks) => {
        let now: BlockMeta[] = blocks;
        for (let round = 0; ; round++) {
          expect(round).toBeLessThanOrEqual(blocks.length);
          const plans = planned(now);
          if (plans.length === 0) break;
          const gone = new Set(plans.flatMap((plan) => plan.blocks));
          now = [...now.filter((one) => !gone.has(one)), ...plans.map((plan) => merged(plan.blocks))];
        }
        const sources = now.flatMap((one) => one.compaction.sources).sort();
        expect(sources).toEqual(blocks.map((one) => one.ulid).sort());
        now.sort((a, b) => a.minTime - b.minTime);
        for (let i = 1; i < now.length; i++)
          expect(now[i]!.minTime).toBeGreaterThanOrEqual(now[i - 1]!.maxTime);
      }),
    );
  });
});

function hull(blocks: readonly BlockMeta[]): { readonly from: number; readonly to: number } {
  return {
    from: Math.min(...blocks.map((one) => one.minTime)),
    to: Math.max(...blocks.map((one) => one.maxTime)),
  };
}

function merged(blocks: readonly BlockMeta[]): BlockMeta {
  const { from, to } = hull(blocks);
  return {
    ...blocks[0]!,
    minTime: from,
    maxTime: to,
    compaction: { level: 2, sources: blocks.flatMap((one) => one.compaction.sources) },
  };
}

describe('groupBlocks', () => {
  it('keeps blocks of different external labels apart, whatever the order of the labels', () => {
    const groups = groupBlocks([
      block({ name: 1, from: 0, to: 2, labels: { tenant_id: 'a', skein_partition: '1' } }),
      block({ name: 2, from: 0, to: 2, labels: { skein_partition: '1', tenant_id: 'a' } }),
      block({ name: 3, from: 0, to: 2, labels: { skein_partition: '2', tenant_id: 'a' } }),
    ]);
    expect([...groups.values()].map((group) => group.length)).toEqual([2, 1]);
  });
});
