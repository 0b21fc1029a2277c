import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LogLedger } from '../../../src/actors/shard/ledger.ts';

// Wall time after which no epoch of these tests is open any more.
const NOW = 2000;

describe('log ledger', () => {
  it('keeps everything until a cut covers it', () => {
    const ledger = new LogLedger();
    for (let sequence = 1; sequence <= 200; sequence++)
      ledger.note(sequence, 't', sequence * 10, false, 'w/1', 1000);
    expect(ledger.keepFrom(200, NOW)).toBe(1);
    ledger.cut('t', 5000, 200);
    expect(ledger.keepFrom(200, NOW)).toBe(201);
  });

  it('lets go of what is in blocks once a newer epoch defines the rest', () => {
    const ledger = new LogLedger();
    for (let sequence = 1; sequence <= 128; sequence++)
      ledger.note(sequence, 't', sequence, false, 'w/1', 1000);
    for (let sequence = 129; sequence <= 256; sequence++)
      ledger.note(sequence, 't', sequence, false, 'w/2', 1000);
    ledger.cut('t', 129, 256);
    expect(ledger.keepFrom(256, NOW)).toBe(129);
  });

  it('keeps the definitions of an epoch that may still get frames', () => {
    const ledger = new LogLedger();
    for (let sequence = 1; sequence <= 200; sequence++)
      ledger.note(sequence, 't', sequence * 10, false, 'w/1', 1000);
    ledger.cut('t', 5000, 200);
    expect(ledger.keepFrom(200, 999)).toBe(1);
    expect(ledger.keepFrom(200, 1000)).toBe(201);
  });

  it('keeps late samples until the next pass', () => {
    const ledger = new LogLedger();
    for (let sequence = 1; sequence <= 64; sequence++) ledger.note(sequence, 't', 100, false, 'w/1', 1000);
    ledger.note(65, 't', 50, true, 'w/2', 1000);
    ledger.cut('t', 200, 64);
    expect(ledger.keepFrom(65, NOW)).toBe(65);
    ledger.cut('t', 200, 65);
    expect(ledger.keepFrom(65, NOW)).toBe(66);
  });

  it('holds a tenant of which nothing was cut against one of which everything was', () => {
    const ledger = new LogLedger();
    ledger.note(1, 'slow', 10, false, 'w/1', 1000);
    ledger.note(2, 'fast', 10, false, 'v/1', 1000);
    ledger.cut('fast', 100, 2);
    expect(ledger.keepFrom(2, NOW)).toBe(1);
  });

  it('comes back from plain data as it was', () => {
    const ledger = new LogLedger();
    for (let sequence = 1; sequence <= 100; sequence++)
      ledger.note(sequence, `t${sequence % 3}`, sequence, false, `w/${sequence % 2}`, 1000);
    const again = LogLedger.from(ledger.facts());
    ledger.cut('t1', 50, 100);
    again.cut('t1', 50, 100);
    expect(again.facts()).toEqual(ledger.facts());
  });

  it('never lets go of a message that is needed (property)', () => {
    const message = fc.record({
      tenant: fc.constantFrom('a', 'b'),
      time: fc.integer({ min: 0, max: 1000 }),
      epoch: fc.integer({ min: 0, max: 5 }),
    });
    fc.assert(
      fc.property(
        fc.array(message, { minLength: 1, maxLength: 300 }),
        fc.integer({ min: 0, max: 1000 }),
        fc.nat(300),
        (messages, end, at) => {
          const ledger = new LogLedger();
          const applied = Math.min(at, messages.length);
          const boundary = new Map<string, number>();
          messages.forEach((entry, index) => {
            if (index === applied) {
              ledger.cut('a', end, applied);
              boundary.set('a', end);
            }
            ledger.note(
              index + 1,
              entry.tenant,
              entry.time,
              entry.time < (boundary.get(entry.tenant) ?? 0),
              `w/${entry.epoch}`,
              1000,
            );
          });
          if (applied === messages.length) ledger.cut('a', end, applied);
          const from = ledger.keepFrom(messages.length, NOW);
          messages.forEach((entry, index) => {
            const covered = entry.tenant === 'a' && entry.time < end && index + 1 <= applied;
            if (!covered) expect(index + 1).toBeGreaterThanOrEqual(from);
          });
          const kept = new Set(messages.slice(from - 1).map((entry) => entry.epoch));
          for (const entry of messages.slice(0, from - 1)) expect(kept.has(entry.epoch)).toBe(false);
        },
      ),
    );
  });
});
