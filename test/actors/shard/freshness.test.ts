import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Freshness } from '../../../src/actors/shard/freshness.ts';

describe('freshness', () => {
  it('is the time of a look at a log of which everything is applied', () => {
    const freshness = new Freshness(5);
    expect(freshness.at).toBe(5);
    freshness.looked(10, 3, 3);
    expect(freshness.at).toBe(10);
  });

  it('comes when what the log had at a look is applied, however much is in it by then', () => {
    const freshness = new Freshness(0);
    freshness.looked(10, 3, 1);
    freshness.applied(2);
    expect(freshness.at).toBe(0);
    freshness.looked(20, 9, 2);
    freshness.applied(4);
    expect(freshness.at).toBe(10);
    freshness.applied(9);
    expect(freshness.at).toBe(20);
  });

  it('never goes back when looks come out of order', () => {
    const freshness = new Freshness(0);
    freshness.looked(20, 3, 3);
    freshness.looked(10, 2, 3);
    expect(freshness.at).toBe(20);
  });

  it('is the newest look with nothing after it that is not applied, whatever happens', () => {
    const event = fc.oneof(
      fc.record({ kind: fc.constant('look' as const), grown: fc.integer({ min: 0, max: 3 }) }),
      fc.record({ kind: fc.constant('apply' as const), grown: fc.integer({ min: 0, max: 3 }) }),
    );
    fc.assert(
      fc.property(fc.array(event, { maxLength: 60 }), (events) => {
        const freshness = new Freshness(0);
        const looks = [{ at: 0, last: 0 }];
        let applied = 0;
        let last = 0;
        for (const [at, { kind, grown }] of events.entries()) {
          if (kind === 'look') {
            last += grown;
            looks.push({ at: at + 1, last });
            freshness.looked(at + 1, last, applied);
          } else {
            applied = Math.min(last, applied + grown);
            freshness.applied(applied);
          }
          const reached = looks.filter((look) => look.last <= applied).map((look) => look.at);
          expect(freshness.at).toBe(Math.max(...reached));
        }
      }),
    );
  });
});
