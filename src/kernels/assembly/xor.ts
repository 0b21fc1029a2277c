// Prometheus's XOR chunks; the twin of decodeXorAt in src/codec/xor-chunk.ts, where the format is described.

import { CHUNK, TIMES, VALUES } from './layout';

// 64 bits from bit `position` on.
// @ts-expect-error: decorator
@inline
function bitsAt(position: u32): u64 {
  const at = CHUNK + ((position >> 6) << 3);
  const shift = <u64>(position & 63);
  return (load<u64>(at) << shift) | ((load<u64>(at, 8) >> 1) >> (63 - shift));
}

/**
 * Decodes samples with start <= t <= end of the `count` in CHUNK, whose bits end at `bitsEnd`, to TIMES and VALUES from index `at` on.
 * Returns the index behind the last one written; -1 where the bits end early or make no sense.
 */
export function decodeXor(count: i32, bitsEnd: u32, start: f64, end: f64, at: i32): i32 {
  let position: u32 = 0;
  let raw: u64 = 0;
  let shift: u64 = 0;
  for (;;) {
    const byte = bitsAt(position) >> 56;
    position += 8;
    raw |= (byte & 0x7f) << shift;
    if (byte < 0x80) break;
    shift += 7;
    if (shift > 63 || position > bitsEnd) return -1;
  }
  let time = <i64>(raw >> 1) ^ -(<i64>(raw & 1));
  let value = bitsAt(position);
  position += 64;
  let delta: i64 = 0;
  if (count > 1) {
    shift = 0;
    for (;;) {
      const byte = bitsAt(position) >> 56;
      position += 8;
      delta |= <i64>((byte & 0x7f) << shift);
      if (byte < 0x80) break;
      shift += 7;
      if (shift > 63 || position > bitsEnd) return -1;
    }
  }
  if (position > bitsEnd) return -1;
  let trailing: u64 = 0;
  let significant: u64 = 64;
  for (let index = 1; ; index++) {
    const ms = <f64>time;
    if (ms > end) break;
    if (ms >= start) {
      const to = <usize>at << 3;
      store<f64>(TIMES + to, ms);
      store<u64>(VALUES + to, value);
      at++;
    }
    if (index >= count) break;
    let word = bitsAt(position);
    if (index > 1) {
      if (<i64>word >= 0) {
        position += 1;
        word <<= 1;
      } else if (word >> 62 == 0b10) {
        const dod = <i64>((word << 2) >> 50);
        delta += dod > 8192 ? dod - 16384 : dod;
        position += 16;
        word <<= 16;
      } else if (word >> 61 == 0b110) {
        const dod = <i64>((word << 3) >> 47);
        delta += dod > 65536 ? dod - 131072 : dod;
        position += 20;
        word <<= 20;
      } else if (word >> 60 == 0b1110) {
        const dod = <i64>((word << 4) >> 44);
        delta += dod > 524288 ? dod - 1048576 : dod;
        position += 24;
        word <<= 24;
      } else {
        delta += <i64>bitsAt(position + 4);
        position += 68;
        word = bitsAt(position);
      }
    }
    time += delta;
    if (<i64>word >= 0) {
      position += 1;
      continue;
    }
    if (word >> 62 == 0b11) {
      const leading = (word >> 57) & 31;
      significant = (word >> 51) & 63;
      if (significant == 0) significant = 64;
      if (leading + significant > 64) return -1;
      trailing = 64 - leading - significant;
      position += 13;
    } else position += 2;
    value ^= (bitsAt(position) >> (64 - significant)) << trailing;
    position += <u32>significant;
    // Nothing is read farther than a sample behind the end.
    if (position > bitsEnd) return -1;
  }
  return position > bitsEnd ? -1 : at;
}
