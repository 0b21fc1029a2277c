import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatSampleValue } from '../../src/codec/float-text.ts';
import { JsonBytes, plainText } from '../../src/codec/json-bytes.ts';

function written(write: (out: JsonBytes) => void): string {
  const out = new JsonBytes(1 << 16);
  write(out);
  return Buffer.from(out.take()).toString();
}

describe('JsonBytes', () => {
  it('writes any number as formatSampleValue prints it', () => {
    const whole = fc.maxSafeInteger();
    const decimal = fc.tuple(whole, fc.integer({ min: 0, max: 12 })).map(([n, k]) => n / 10 ** k);
    const small = fc.tuple(fc.integer(), fc.integer({ min: 0, max: 8 })).map(([n, k]) => n / 10 ** k);
    fc.assert(
      fc.property(fc.oneof(fc.double(), whole, decimal, small), (value) => {
        expect(written((out) => out.sample(value))).toBe(formatSampleValue(value));
      }),
      { numRuns: 20_000 },
    );
  });

  it.each([
    0,
    -0,
    1,
    -1,
    9,
    10,
    99_999_999,
    100_000_000,
    100_000_001,
    999_999_999_999_999,
    1e15,
    -1e15,
    2 ** 53,
    0.1,
    -0.25,
    0.001,
    0.0001,
    1_000_000.125,
    1e-7,
    5e-324,
    1e21,
    Number.NaN,
    Infinity,
    -Infinity,
  ])('writes %d', (value) => {
    expect(written((out) => out.sample(value))).toBe(formatSampleValue(value));
  });

  it('writes texts and labels as JSON, the second time too', () => {
    const text = fc.string({ unit: 'binary', maxLength: 90 });
    fc.assert(
      fc.property(fc.array(text, { maxLength: 20 }), (texts) => {
        const twice = [...texts, ...texts];
        const write = (out: JsonBytes): void => {
          for (const one of twice) out.text(one);
        };
        expect(written(write)).toBe(twice.map(plainText).join(''));
        const pairs = Object.fromEntries(texts.map((one, i) => [`l${i}`, one]));
        expect(JSON.parse(written((out) => out.labels(Object.entries(pairs).flat())))).toEqual(
          JSON.parse(JSON.stringify(pairs).toWellFormed()),
        );
      }),
    );
  });

  it('writes many label sets, whatever they share with the ones before and wherever a piece ends', () => {
    const pair = fc.tuple(
      fc.constantFrom('a', 'b', 'c', 'name'),
      fc.constantFrom('', '1', 'é', 'x'.repeat(70)),
    );
    const rows = fc.array(
      fc.array(pair, { maxLength: 6 }).map((pairs) => pairs.flat()),
      { maxLength: 30 },
    );
    fc.assert(
      fc.property(rows, fc.integer({ min: 1, max: 400 }), (sets, pieceBytes) => {
        const out = new JsonBytes(pieceBytes);
        let text = '';
        for (const set of sets) {
          out.labels(set);
          out.raw(';');
          if (out.full) text += Buffer.from(out.take()).toString();
        }
        text += Buffer.from(out.take()).toString();
        const naive = sets.map((set) => {
          const items: string[] = [];
          for (let i = 0; i < set.length; i += 2)
            items.push(`${plainText(set[i]!)}:${plainText(set[i + 1]!)}`);
          return `{${items.join()}};`;
        });
        expect(text).toBe(naive.join(''));
      }),
      { numRuns: 500 },
    );
  });

  it('hands out what was written and begins anew', () => {
    const out = new JsonBytes(8);
    out.raw('éé'.repeat(40));
    expect(out.full).toBe(true);
    const first = out.take();
    out.raw('x');
    expect(out.full).toBe(false);
    expect(Buffer.from(first).toString()).toBe('éé'.repeat(40));
    expect(Buffer.from(out.take()).toString()).toBe('x');
  });
});
