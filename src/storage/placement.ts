// Who owns which partition: rendezvous hashing (Thaler, Ravishankar 1998) over the live members, within fair
// shares, so that a member that comes or goes moves little more than its own share. Pure: the same members give the same owners everywhere.

/** A process that can hold partitions. */
export interface PlacementMember {
  readonly id: string;
  readonly zone: string;
}

/**
 * The owners of every partition, first the one that leads, then its standbys. Each round hands out every partition once: the
 * (partition, member) pairs with the highest weights first, no member more than its fair share rounded up, so that few partitions
 * over few members are spread evenly; and a partition's next owner stands in another zone than the ones before as long as there is
 * one. With fewer members than `owners` a partition has as many owners as there are members.
 */
export function placePartitions(
  partitions: number,
  members: readonly PlacementMember[],
  owners: number,
): PlacementMember[][] {
  const placed: PlacementMember[][] = Array.from({ length: partitions }, () => []);
  const pairs = members.flatMap((member) =>
    placed.map((_, partition) => ({ member, partition, score: weight(`${partition}/${member.id}`) })),
  );
  pairs.sort(
    (a, b) => b.score - a.score || a.partition - b.partition || (a.member.id < b.member.id ? -1 : 1),
  );
  const shareMax = Math.ceil(partitions / Math.max(1, members.length));
  for (let round = 0; round < Math.min(owners, members.length); round++) {
    const shares = new Map<string, number>();
    // First the wanted zones within the share, then any zone within it, then whoever is left.
    for (const strictness of [2, 1, 0])
      for (const { member, partition } of pairs) {
        const chosen = placed[partition]!;
        if (chosen.length > round || chosen.includes(member)) continue;
        const share = shares.get(member.id) ?? 0;
        if (strictness > 0 && share >= shareMax) continue;
        if (strictness > 1 && chosen.some((other) => other.zone === member.zone)) continue;
        chosen.push(member);
        shares.set(member.id, share + 1);
      }
  }
  return placed;
}

// 53 well-mixed bits of a short text (cyrb53's construction: two 32-bit multiply-xor lanes).
function weight(text: string): number {
  let a = 0xdeadbeef;
  let b = 0x41c6ce57;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    a = Math.imul(a ^ code, 2654435761);
    b = Math.imul(b ^ code, 1597334677);
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
  return 4294967296 * (2097151 & b) + (a >>> 0);
}
