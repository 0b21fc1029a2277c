import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Ledger } from '../../../src/actors/canary/ledger.ts';

type Act = readonly ['send' | 'acknowledge', number];
const CAPACITY = 8;
const FIRST = 1000;

const acts: fc.Arbitrary<Act[]> = fc.array(
  fc.tuple(
    fc.constantFrom('send' as const, 'acknowledge' as const),
    fc.integer({ min: FIRST - 3, max: FIRST + 40 }),
  ),
  { maxLength: 60 },
);

/** The same with a map and no thought for memory. */
class NaiveLedger {
  readonly states: Map<number, Act[0]> = new Map();
  newest = FIRST - 1;

  act([kind, slot]: Act): void {
    if (slot < this.first || (kind === 'acknowledge' && !this.states.has(slot))) return;
    if (kind === 'acknowledge' || !this.states.has(slot)) this.states.set(slot, kind);
    this.newest = Math.max(this.newest, slot);
  }

  get first(): number {
    return Math.max(FIRST, this.newest - CAPACITY + 1);
  }

  look(slot: number): string {
    return slot < this.first ? 'unknown' : (this.states.get(slot) ?? 'unknown');
  }
}

const look = (ledger: Ledger, slot: number): string =>
  ledger.isOwed(slot) ? 'acknowledge' : ledger.maySee(slot) ? 'send' : 'unknown';
const looks = (of: (slot: number) => string): string[] =>
  Array.from({ length: 60 }, (_, i) => `${FIRST - 5 + i} ${of(FIRST - 5 + i)}`);

function play(list: readonly Act[]): { ledger: Ledger; naive: NaiveLedger } {
  const ledger = new Ledger(CAPACITY, FIRST);
  const naive = new NaiveLedger();
  for (const act of list) {
    const [kind, slot] = act;
    if (kind === 'send') ledger.send(slot);
    else if (ledger.maySee(slot)) ledger.acknowledge(slot);
    naive.act(act);
  }
  return { ledger, naive };
}

describe('ledger', () => {
  it('tells of its last slots what a map of all would', () => {
    fc.assert(
      fc.property(acts, (list) => {
        const { ledger, naive } = play(list);
        expect(looks((slot) => look(ledger, slot))).toEqual(looks((slot) => naive.look(slot)));
        expect([ledger.first, ledger.newest]).toEqual([naive.first, naive.newest]);
      }),
    );
  });

  it('goes on with its record, and takes what may have been sent since for sent', () => {
    fc.assert(
      fc.property(acts, fc.nat(30), fc.integer({ min: 2, max: 12 }), (list, later, capacity) => {
        const { ledger } = play(list);
        const now = ledger.newest + later;
        const resumed = Ledger.resume(capacity, ledger.record(), now);
        for (let slot = FIRST - 5; slot <= now + 5; slot++) {
          const known = slot > now - capacity && slot >= ledger.first && slot <= now;
          const expected = slot > ledger.newest ? 'send' : look(ledger, slot);
          expect(`${slot} ${look(resumed, slot)}`).toBe(`${slot} ${known ? expected : 'unknown'}`);
        }
      }),
    );
  });

  it('refuses an acknowledgement of what was never sent', () => {
    const ledger = new Ledger(CAPACITY, FIRST);
    expect(() => ledger.acknowledge(FIRST)).toThrow(/was not sent/);
    ledger.acknowledge(FIRST - 1); // too old to be known: nothing to say
  });
});
