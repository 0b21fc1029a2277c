// Random queries of random tenants on the virtual clock; who had to be let in is known from what was seen, not from the queue.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FairQueue } from '../../../src/actors/querier/fair-queue.ts';
import { createVirtualClock, settle } from '../../helpers/virtual-clock.ts';

interface Arrival {
  readonly tenant: string;
  readonly afterMs: number;
  readonly takesMs: number;
  /** Taken back so long after its arrival, unless it has begun by then. */
  readonly patienceMs: number;
}

interface Limits {
  readonly concurrencyMax: number;
  readonly tenantConcurrencyMax: number;
  readonly tenantQueueMax: number;
}

type What = 'comes' | 'begins' | 'ends' | 'leaves' | 'refused';
interface Event {
  readonly what: What;
  readonly query: number;
  readonly tenant: string;
}

/** Lets the arrivals happen and writes down everything, in order. */
async function play(arrivals: readonly Arrival[], limits: Limits): Promise<Event[]> {
  const clock = createVirtualClock();
  const queue = new FairQueue({ ...limits, onWaiting: () => {} });
  const events: Event[] = [];
  let at = 0;
  for (const [query, { tenant, afterMs, takesMs, patienceMs }] of arrivals.entries()) {
    const note = (what: What): void => void events.push({ what, query, tenant });
    const controller = new AbortController();
    at += afterMs;
    clock.after(at, () => {
      note('comes');
      clock.after(patienceMs, () => controller.abort('no patience'));
      const work = async (): Promise<void> => {
        note('begins');
        await new Promise<void>((resolve) => clock.after(takesMs, resolve));
        note('ends');
      };
      queue.run(tenant, controller.signal, work).catch((error) => {
        note(error === 'no patience' ? 'leaves' : 'refused');
      });
    });
  }
  await clock.advance(1_000_000);
  return events;
}

const count = (events: readonly Event[], what: What, tenant?: string): number =>
  events.filter((event) => event.what === what && (tenant === undefined || event.tenant === tenant)).length;
const running = (events: readonly Event[], tenant?: string): number =>
  count(events, 'begins', tenant) - count(events, 'ends', tenant);
const waiting = (events: readonly Event[], tenant: string): number =>
  count(events, 'comes', tenant) -
  count(events, 'begins', tenant) -
  count(events, 'leaves', tenant) -
  count(events, 'refused', tenant);

const TENANTS = ['a', 'b', 'c', 'd'];
const arrival = fc.record({
  tenant: fc.constantFrom(...TENANTS, 'a', 'a', 'a'),
  afterMs: fc.nat(12),
  takesMs: fc.integer({ min: 1, max: 60 }),
  patienceMs: fc.oneof(fc.constant(5000), fc.integer({ min: 1, max: 80 })),
});
const limits = fc.record({
  concurrencyMax: fc.integer({ min: 1, max: 4 }),
  tenantConcurrencyMax: fc.integer({ min: 1, max: 4 }),
  tenantQueueMax: fc.integer({ min: 1, max: 8 }),
});
const arrivals = fc.array(arrival, { minLength: 20, maxLength: 60 });

describe('the fair queue', () => {
  it('lets in as many as may at once, leaves no place empty that somebody may have, and refuses only whose queue is full', async () => {
    const property = fc.asyncProperty(arrivals, limits, async (all, bounds) => {
      const events = await play(all, bounds);
      const over = count(events, 'ends') + count(events, 'leaves') + count(events, 'refused');
      expect(over).toBe(all.length);
      for (let end = 1; end <= events.length; end++) {
        const past = events.slice(0, end);
        const last = past[end - 1]!;
        expect(running(past)).toBeLessThanOrEqual(bounds.concurrencyMax);
        for (const tenant of TENANTS) {
          expect(running(past, tenant)).toBeLessThanOrEqual(bounds.tenantConcurrencyMax);
          expect(waiting(past, tenant)).toBeLessThanOrEqual(bounds.tenantQueueMax + 1);
        }
        if (last.what === 'refused') expect(waiting(past, last.tenant)).toBe(bounds.tenantQueueMax);
        // What an arrival or an end leads to is the next event.
        const free = running(past) < bounds.concurrencyMax;
        const mayBegin = (tenant: string): boolean =>
          free && waiting(past, tenant) > 0 && running(past, tenant) < bounds.tenantConcurrencyMax;
        if (TENANTS.some(mayBegin)) expect(events[end]?.what).toBe('begins');
      }
    });
    await fc.assert(property, { numRuns: 40 });
  });

  it('lets tenants take turns: while one waits, each other one gets one place at most; and each begins in the order it came', async () => {
    const property = fc.asyncProperty(arrivals, limits, async (all, bounds) => {
      const events = await play(all, { ...bounds, tenantConcurrencyMax: bounds.concurrencyMax });
      for (const [index, { what, query, tenant }] of events.entries()) {
        if (what !== 'begins') continue;
        const came = events.findIndex((event) => event.what === 'comes' && event.query === query);
        const turn = events.findLastIndex(
          (event, i) => i < index && event.what === 'begins' && event.tenant === tenant,
        );
        const meanwhile = events.slice(Math.max(came, turn) + 1, index);
        for (const other of TENANTS)
          if (other !== tenant) expect(count(meanwhile, 'begins', other)).toBeLessThanOrEqual(1);
        if (turn >= 0) expect(events[turn]!.query).toBeLessThan(query);
      }
    });
    await fc.assert(property, { numRuns: 60 });
  });

  it('gives a tenant with one query its turn next, however many another one has waiting', async () => {
    const flood = Array.from({ length: 100 }, () => ({
      tenant: 'a',
      afterMs: 0,
      takesMs: 10,
      patienceMs: 9999,
    }));
    const single = { tenant: 'b', afterMs: 3, takesMs: 10, patienceMs: 9999 };
    const events = await play([...flood, single], {
      concurrencyMax: 2,
      tenantConcurrencyMax: 2,
      tenantQueueMax: 100,
    });
    const begins = events.filter(({ what }) => what === 'begins').map(({ tenant }) => tenant);
    // Two run when it comes; one of the flood, whose turn it is, goes first.
    expect(begins.indexOf('b')).toBeLessThanOrEqual(3);
  });

  it('gives a free place to who waits, not to who comes in that very moment', async () => {
    const bounds = { concurrencyMax: 1, tenantConcurrencyMax: 1, tenantQueueMax: 9 };
    const queue = new FairQueue({ ...bounds, onWaiting: () => {} });
    const begun: string[] = [];
    const ends: (() => void)[] = [];
    const enter = (name: string): Promise<void> =>
      queue.run('a', new AbortController().signal, () => {
        begun.push(name);
        return new Promise((resolve) => ends.push(resolve));
      });
    const first = enter('first');
    const waiter = enter('waiter');
    ends[0]!();
    const late = enter('late');
    await first;
    await settle();
    expect(begun).toEqual(['first', 'waiter']);
    ends[1]!();
    await waiter;
    await settle();
    ends[2]!();
    await late;
    expect(begun).toEqual(['first', 'waiter', 'late']);
  });
});
