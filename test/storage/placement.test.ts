import { describe, expect, it } from 'vitest';
import { rankMembers } from '../../src/storage/placement.ts';

const members = (count: number): { id: string; zone: string }[] =>
  Array.from({ length: count }, (_, i) => ({ id: `member-${i}`, zone: '' }));

const owners = (count: number, partitions = 256): (string | undefined)[] =>
  Array.from({ length: partitions }, (_, partition) => rankMembers(partition, members(count), 1)[0]?.id);

describe('placement', () => {
  it('gives every partition the same owner whatever order the members come in', () => {
    for (let partition = 0; partition < 64; partition++)
      expect(rankMembers(partition, members(5).reverse(), 2)).toEqual(rankMembers(partition, members(5), 2));
  });

  it('has no owner without members', () => {
    expect(rankMembers(0, [], 2)).toEqual([]);
  });

  it('moves only the share of a member that comes', () => {
    const before = owners(4);
    const after = owners(5);
    const moved = before.filter((owner, partition) => owner !== after[partition]);
    for (const [partition, owner] of after.entries())
      if (owner !== before[partition]) expect(owner).toBe('member-4');
    expect(moved.length).toBeGreaterThan(256 / 5 / 2);
    expect(moved.length).toBeLessThan((256 / 5) * 2);
  });

  it('spreads partitions over members', () => {
    const counts = new Map<string, number>();
    for (const owner of owners(4, 1024)) counts.set(owner!, (counts.get(owner!) ?? 0) + 1);
    for (const count of counts.values()) expect(count).toBeGreaterThan(1024 / 4 / 1.5);
  });

  it('puts the second owner into another zone when there is one', () => {
    const zoned = [
      { id: 'a1', zone: 'a' },
      { id: 'a2', zone: 'a' },
      { id: 'a3', zone: 'a' },
      { id: 'b1', zone: 'b' },
    ];
    for (let partition = 0; partition < 64; partition++) {
      const [first, second] = rankMembers(partition, zoned, 2);
      expect(first!.zone).not.toBe(second!.zone);
    }
  });
});
