// Who owns which partition: rendezvous hashing (Thaler, Ravishankar 1998) over the live members, so that a member that comes
// or goes moves only its own share. Pure: the same members give the same owners everywhere.

/** A process that can hold partitions. */
export interface PlacementMember {
  readonly id: string;
  readonly zone: string;
}

/**
 * Ranks the members for a partition, best first; the first `owners` of them own it. Members of zones not yet used come
 * before members of used zones, so that a standby stands elsewhere than its owner.
 */
export function rankMembers(
  partition: number,
  members: readonly PlacementMember[],
  owners: number,
): PlacementMember[] {
  const scored = members
    .map((member) => ({ member, score: weight(`${partition}/${member.id}`) }))
    .sort((a, b) => b.score - a.score || (a.member.id < b.member.id ? -1 : 1))
    .map(({ member }) => member);
  const chosen: PlacementMember[] = [];
  const zones = new Set<string>();
  const later: PlacementMember[] = [];
  for (const member of scored) {
    if (chosen.length < owners && zones.has(member.zone)) later.push(member);
    else {
      chosen.push(member);
      zones.add(member.zone);
    }
  }
  return [...chosen, ...later].slice(0, owners);
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
