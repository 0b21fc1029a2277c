import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CHUNK_XOR } from '../../src/codec/chunk.ts';
import { decodeXor, encodeXor, XOR_SAMPLE_BYTES_MAX, xorSampleCount } from '../../src/codec/xor-chunk.ts';
import { type SampleColumns, sampleColumns } from '../../src/model/samples.ts';

type Sample = readonly [time: number, bits: bigint];

function columnsOf(samples: readonly Sample[]): SampleColumns {
  const columns = sampleColumns(samples.length);
  for (const [time, bits] of samples) {
    columns.timestamps[columns.count] = time;
    columns.bits[2 * columns.count] = Number(bits & 0xffffffffn);
    columns.bits[2 * columns.count + 1] = Number(bits >> 32n);
    columns.count++;
  }
  return columns;
}

function samplesOf(columns: SampleColumns): Sample[] {
  return Array.from({ length: columns.count }, (_, i) => [
    columns.timestamps[i]!,
    (BigInt(columns.bits[2 * i + 1]!) << 32n) | BigInt(columns.bits[2 * i]!),
  ]);
}

function bitsOf(value: number): bigint {
  return new BigUint64Array(new Float64Array([value]).buffer)[0]!;
}

const encode = (samples: readonly Sample[]) => encodeXor(columnsOf(samples), 0, samples.length)!;
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

function decode(bytes: Uint8Array, start = -Infinity, end = Infinity): Sample[] {
  const columns = sampleColumns(1);
  decodeXor(bytes, start, end, columns);
  return samplesOf(columns);
}

// The format in the plainest words: a string of '0' and '1', 64-bit numbers as BigInt.
function naiveEncode(samples: readonly Sample[]): Uint8Array {
  const wrap = (value: bigint) => BigInt.asUintN(64, value);
  const bin = (value: bigint, width: number) => BigInt.asUintN(width, value).toString(2).padStart(width, '0');
  const varint = (value: bigint): string =>
    value < 128n ? bin(value, 8) : bin((value & 127n) | 128n, 8) + varint(value >> 7n);
  let out = bin(BigInt(samples.length), 16);
  let [time, value, delta, leading, trailing] = [0n, 0n, 0n, -1, 0];
  for (const [index, [sampleTime, bits]] of samples.entries()) {
    const t = BigInt(sampleTime);
    if (index === 0) out += varint(wrap(t < 0n ? -2n * t - 1n : 2n * t)) + bin(bits, 64);
    else {
      const dod = t - time - delta;
      delta = t - time;
      if (index === 1) out += varint(wrap(delta));
      else if (dod === 0n) out += '0';
      else if (dod >= -8191n && dod <= 8192n) out += `10${bin(dod, 14)}`;
      else if (dod >= -65535n && dod <= 65536n) out += `110${bin(dod, 17)}`;
      else if (dod >= -524287n && dod <= 524288n) out += `1110${bin(dod, 20)}`;
      else out += `1111${bin(dod, 64)}`;
      const text = bin(bits ^ value, 64);
      if (!text.includes('1')) out += '0';
      else {
        const newLeading = Math.min(31, text.indexOf('1'));
        const newTrailing = 63 - text.lastIndexOf('1');
        if (leading >= 0 && newLeading >= leading && newTrailing >= trailing) out += '10';
        else {
          [leading, trailing] = [newLeading, newTrailing];
          out += `11${bin(BigInt(leading), 5)}${bin(BigInt(64 - leading - trailing), 6)}`;
        }
        out += text.slice(leading, 64 - trailing);
      }
    }
    [time, value] = [t, bits];
  }
  return Uint8Array.from(out.match(/.{1,8}/g)!, (byte) => Number.parseInt(byte.padEnd(8, '0'), 2));
}

const anyBits = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  fc.double().map(bitsOf),
  fc.integer({ min: -5, max: 1000 }).map(bitsOf),
  fc.constantFrom(0n, 1n << 63n, 0x7ff0000000000002n, 0x7ff8000000000001n, 0xfff8000000000123n),
);
const anyStep = fc.oneof(
  fc.constant(15_000),
  fc.integer({ min: 14_990, max: 15_010 }),
  fc.integer({ min: 1, max: 600_000 }),
  fc.integer({ min: 1, max: 2 ** 45 }),
);
const anySeries = fc
  .tuple(
    fc.integer({ min: -(2 ** 50), max: 2 ** 50 }),
    fc.array(fc.tuple(anyStep, anyBits), { minLength: 1, maxLength: 60 }),
  )
  .map(([first, steps]) => {
    let time = first;
    return steps.map(([step, bits]): Sample => [(time += step), bits]);
  });

describe('xor chunk', () => {
  it('writes the bytes that Prometheus writes', () => {
    // Made by tsdb/chunkenc of Prometheus 3.14 from the same samples.
    const plain = (times: number[], values: number[]) => times.map((t, i): Sample => [t, bitsOf(values[i]!)]);
    expect(hex(encode(plain([1700000000000], [1.5])).bytes)).toBe('000180a0abfef9623ff8000000000000');
    const steady = [0, 15, 30, 45, 60].map((s) => 1700000000000 + s * 1000);
    expect(hex(encode(plain(steady, [1, 1, 2, 3, 5])).bytes)).toBe(
      '000580a0abfef9623ff000000000000098753097ffdb01b587c0',
    );
    const odd: Sample[] = [
      [-5, 0n],
      [0, 1n << 63n],
      [8197, 1n],
      [8203, 0x7ff0000000000002n],
      [100000, 0x7ff8000000000001n],
      [300000, bitsOf(Infinity)],
      [1300000, bitsOf(1e300)],
      [1300001, bitsOf(-1e-300)],
      [9007199254740991, bitsOf(0.1)],
    ];
    expect(hex(encode(odd).bytes)).toBe(
      '000909000000000000000005c00e8003001000000000000000340033ff8000000000001f0b347c0010000000000007c34d570004000000000000f8000000000061a804038fc8791000eb39fffffffffffe17b837fc94511a57c4362f800ffffffff614eed7c39ef0cb6c2d5860',
    );
    const times = [0];
    let delta = 10_000_000;
    for (const dod of [
      0, 8192, -8191, 8193, -8192, 65536, -65535, 65537, -65536, 524288, -524287, 524289, -524288, 5e9, -5e9,
      0,
    ])
      times.push(times.at(-1)! + (delta += dod));
    expect(
      hex(
        encode(
          plain(
            times,
            times.map((_, i) => Math.sqrt(i)),
          ),
        ).bytes,
      ),
    ).toBe(
      '001100000000000000000080ade204c457ff4001b73d413cccfe779b4003b34d16e48e277767c2001c3f7ffbb67ae8584cabbc0010001e3779b97f4a9a000100027bf98f9ed587a00030006b2f1bddbd9c5c20003bb2e2b873eb70c9fbc0003669d413cccfe779bd000010a62c1d6d2da9f40000c78855524e68cfe000000000010000309f043dd291cf7fffffffffffc00004edca358722ab3e00000002540be40109b60aa84b35d7ffffffff6afd0700462a69404ee326d7a7bef7ac53d3b680',
    );
  });

  it('writes what the plain description of the format says, for any samples', () => {
    fc.assert(
      fc.property(anySeries, (samples) => {
        expect(hex(encode(samples).bytes)).toBe(hex(naiveEncode(samples)));
      }),
      { numRuns: 400 },
    );
  });

  it('gives back every sample with its bits', () => {
    fc.assert(
      fc.property(anySeries, (samples) => {
        const chunk = encode(samples);
        expect(decode(chunk.bytes)).toEqual(samples);
        expect(chunk).toMatchObject({
          encoding: CHUNK_XOR,
          minTime: samples[0]![0],
          maxTime: samples.at(-1)![0],
        });
        expect(xorSampleCount(chunk.bytes)).toBe(samples.length);
        expect(chunk.bytes.length).toBeLessThanOrEqual(2 + samples.length * XOR_SAMPLE_BYTES_MAX);
      }),
      { numRuns: 400 },
    );
  });

  it('gives back only samples inside the asked range, both ends included, behind what is there already', () => {
    fc.assert(
      fc.property(anySeries, fc.nat(70), fc.nat(70), (samples, a, b) => {
        const start = samples[Math.min(a, samples.length - 1)]![0];
        const end = samples[Math.min(b, samples.length - 1)]![0];
        const columns = columnsOf([[1, 2n]]);
        decodeXor(encode(samples).bytes, start, end, columns);
        expect(samplesOf(columns)).toEqual([[1, 2n], ...samples.filter(([t]) => t >= start && t <= end)]);
      }),
    );
  });

  it('reads a chunk that lies somewhere inside a larger buffer', () => {
    const samples: Sample[] = [
      [1000, bitsOf(1)],
      [2000, bitsOf(0.1)],
    ];
    const chunk = encode(samples).bytes;
    const large = new Uint8Array(chunk.length + 14).fill(0xff);
    large.set(chunk, 7);
    expect(decode(large.subarray(7, 7 + chunk.length))).toEqual(samples);
  });

  it('refuses bytes that end early instead of inventing samples', () => {
    const bytes = encode([
      [1000, bitsOf(1)],
      [2000, bitsOf(0.1)],
      [9000, bitsOf(1e9)],
    ]).bytes;
    for (let length = 3; length < bytes.length; length++)
      expect(() => decode(bytes.subarray(0, length))).toThrow(/cannot decode an XOR chunk/);
    expect(() => decode(Uint8Array.of(0xff, 0xff, 1, 2, 3))).toThrow(/65535 samples in 3 bytes/);
    expect(decode(new Uint8Array(0))).toEqual([]);
  });

  it('never reads outside its bytes, whatever they are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        try {
          expect(decode(bytes).length).toBeLessThanOrEqual(xorSampleCount(bytes));
        } catch (error) {
          expect((error as Error).message).toMatch(/cannot decode an XOR chunk/);
        }
      }),
      { numRuns: 500 },
    );
  });
});
