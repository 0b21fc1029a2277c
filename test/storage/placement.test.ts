import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { placePartitions } from '../../src/storage/placement.ts';

const members = (count: number): { id: string; zone: string }[] =>
  Array.from({ length: count }, (_, i) => ({ id: `member-${i}`, zone: '' }));

const owners = (count: number, partitions: number): string[] =>
  placePartitions(partitions, members(count), 1).map(([owner]) => owner!.id);

describe('placement', () => {
  it('gives every partition the same owner whatever order the members come in', () => {
    expect(placePartitions(64, members(5).reverse(), 2)).toEqual(placePartitions(64, members(5), 2));
  });

  it('has no owner without members, and as many as there are members at most', () => {
    expect(placePartitions(2, [], 2)).toEqual([[], []]);
    expect(placePartitions(1, members(1), 3)).toEqual([members(1)]);
  });

  it('gives everyone a fair share, however few partitions there are (property)', () => {
    const ids = fc.uniqueArray(
      fc.string({ unit: fc.constantFrom(...'0123456789abcdef'), minLength: 12, maxLength: 12 }),
      { minLength: 1, maxLength: 12 },
    );
    fc.assert(
      fc.property(ids, fc.integer({ min: 0, max: 6 }), (names, log) => {
        const partitions = 2 ** log;
        const counts = new Map<string, number>();
        for (const [owner] of placePartitions(
          partitions,
          names.map((id) => ({ id, zone: '' })),
          1,
        ))
          counts.set(owner!.id, (counts.get(owner!.id) ?? 0) + 1);
        expect([...counts.values()].reduce((a, b) => a + b)).toBe(partitions);
        expect(Math.max(...counts.values())).toBeLessThanOrEqual(Math.ceil(partitions / names.length));
      }),
    );
  });

  it('moves little more than the share of a member that comes', () => {
    const before = owners(4, 256);
    const after = owners(5, 256);
    const moved = before.filter((owner, partition) => owner !== after[partition]).length;
    expect(moved).toBeGreaterThanOrEqual(256 / 5 - 1);
    expect(moved).toBeLessThan((256 / 5) * 2);
  });

  it('puts the second owner into another zone when there is one, never onto the first', () => {
    const zoned = ['a1', 'a2', 'b1', 'b2'].map((id) => ({ id, zone: id[0]! }));
    for (const [first, second] of placePartitions(64, zoned, 2)) expect(first!.zone).not.toBe(second!.zone);
    for (const [first, second] of placePartitions(64, members(2), 2)) expect(first!.id).not.toBe(second!.id);
  });
});
