// Which blocks take the place of which others, told from their meta.json alone.

import { describe, expect, it } from 'vitest';
import type { BlockMeta } from '../../../src/storage/block/block-meta.ts';
import { holderOf, replaces, withoutReplaced } from '../../../src/storage/block/lineage.ts';
import { testMeta } from '../test-meta.ts';

interface Facts {
  readonly level?: number;
  readonly resolutionMs?: number;
  readonly labels?: Readonly<Record<string, string>>;
}

function block(ulid: string, sources: readonly string[], facts: Facts = {}): BlockMeta {
  const { level = sources.length, resolutionMs = 0, labels = { tenant_id: 't' } } = facts;
  return testMeta({ ulid, span: [0, 1], compaction: { level, sources }, thanos: { labels, resolutionMs } });
}

const names = (blocks: readonly BlockMeta[]): string[] => blocks.map(({ ulid }) => ulid);

describe('lineage', () => {
  it('puts a compaction in the place of its parents and of their parents', () => {
    const blocks = [block('A', ['A']), block('B', ['B']), block('AB', ['A', 'B']), block('D', ['D'])];
    expect(names(withoutReplaced(blocks))).toEqual(['AB', 'D']);
    expect(names(withoutReplaced([...blocks, block('ABD', ['A', 'B', 'D'])]))).toEqual(['ABD']);
  });

  it('keeps a block of which a compaction lacks a source', () => {
    const blocks = [block('AB', ['A', 'B']), block('BC', ['B', 'C'])];
    expect(names(withoutReplaced(blocks))).toEqual(['AB', 'BC']);
  });

  it('puts a block written anew in the place of the one it was, and never two in the place of one another', () => {
    const before = block('A', ['A'], { level: 1 });
    const after = block('X', ['A'], { level: 2 });
    expect(names(withoutReplaced([before, after]))).toEqual(['X']);
    const twins = [block('X', ['A'], { level: 2 }), block('Y', ['A'], { level: 2 })];
    expect(names(withoutReplaced(twins))).toEqual(['X', 'Y']);
  });

  it('keeps raw blocks next to downsampled ones, and blocks of other labels', () => {
    const raw = block('A', ['A']);
    expect(replaces(block('D', ['A', 'B'], { resolutionMs: 300_000 }), raw)).toBe(false);
    expect(replaces(block('S', ['A', 'B'], { labels: { tenant_id: 't', shard: '1_of_2' } }), raw)).toBe(
      false,
    );
    expect(replaces(block('C', ['A', 'B']), raw)).toBe(true);
  });

  it('finds who has the samples of a block: itself, else a raw one made from it', () => {
    const down = block('D', ['A', 'B'], { resolutionMs: 300_000 });
    const merged = block('AB', ['A', 'B']);
    expect(holderOf([down, merged], 'A')).toBe(merged);
    expect(holderOf([down], 'A')).toBeUndefined();
    const own = block('A', ['A']);
    expect(holderOf([merged, own], 'A')).toBe(own);
  });
});
