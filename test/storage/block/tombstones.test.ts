// The tombstones file.

import { describe, expect, it } from 'vitest';
import { sampleColumns } from '../../../src/model/samples.ts';
import {
  decodeTombstones,
  dropDeleted,
  encodeTombstones,
  NO_TOMBSTONES,
} from '../../../src/storage/block/tombstones.ts';

describe('tombstones', () => {
  it('writes the nine bytes Prometheus writes beside a new block', () => {
    expect(Buffer.from(encodeTombstones(NO_TOMBSTONES)).toString('hex')).toBe('0130ba300100000000');
  });

  it('reads back what it wrote, overlapping intervals merged', () => {
    const stones = new Map([
      [
        16,
        [
          { minTime: -5, maxTime: 10 },
          { minTime: 8, maxTime: 20 },
          { minTime: 21, maxTime: 22 },
          { minTime: 40, maxTime: 50 },
        ],
      ],
      [2 ** 33, [{ minTime: 1_700_000_000_000, maxTime: 1_700_000_000_001 }]],
    ]);
    expect(decodeTombstones(encodeTombstones(stones))).toEqual(
      new Map([
        [
          16,
          [
            { minTime: -5, maxTime: 22 },
            { minTime: 40, maxTime: 50 },
          ],
        ],
        [2 ** 33, [{ minTime: 1_700_000_000_000, maxTime: 1_700_000_000_001 }]],
      ]),
    );
  });

  it('reads the limits of int64 as the limits of a double', () => {
    // ref 1, mint -2^63, maxt 2^63-1 as Go's varints.
    const max = [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    const min = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    const body = Uint8Array.from([1, ...min, ...max]);
    const file = encodeTombstones(new Map());
    const whole = new Uint8Array([...file.subarray(0, 5), ...body, 0, 0, 0, 0]);
    expect(() => decodeTombstones(whole)).toThrow('checksum');
    const same = crcOf(body);
    whole.set(same, whole.length - 4);
    expect(decodeTombstones(whole).get(1)).toEqual([
      { minTime: Number.MIN_SAFE_INTEGER, maxTime: Number.MAX_SAFE_INTEGER },
    ]);
  });

  it('finds every flipped bit after the header', () => {
    const bytes = encodeTombstones(new Map([[16, [{ minTime: 1, maxTime: 9 }]]]));
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const bad = bytes.slice();
      bad[bit >> 3]! ^= 1 << (bit & 7);
      expect(() => decodeTombstones(bad), `bit ${bit}`).toThrow();
    }
  });

  it('drops the samples inside deleted intervals and keeps the others in place', () => {
    const columns = sampleColumns(8);
    for (const time of [1, 2, 3, 4, 5, 6, 7]) {
      columns.timestamps[columns.count] = time;
      columns.values[columns.count++] = time * 10;
    }
    dropDeleted(columns, 1, [
      { minTime: 0, maxTime: 2 },
      { minTime: 4, maxTime: 5 },
      { minTime: 7, maxTime: 99 },
    ]);
    expect([...columns.timestamps.subarray(0, columns.count)]).toEqual([1, 3, 6]);
    expect([...columns.values.subarray(0, columns.count)]).toEqual([10, 30, 60]);
  });
});

// CRC32C bit by bit, big-endian.
function crcOf(bytes: Uint8Array): Uint8Array {
  let crc = 0xffff_ffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let i = 0; i < 8; i++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f6_3b78 : crc >>> 1;
  }
  const sum = ~crc >>> 0;
  return Uint8Array.of(sum >>> 24, sum >>> 16, sum >>> 8, sum);
}
