// A row of samples as JSON. Float64s get the shortest digits that read back as the same number, the nearest of those: the method is
// Schubfach (R. Giulietti, "The Schubfach way to render doubles"), the form that of formatSampleValue in src/codec/float-text.ts.

import { DIGITS, OUTPUT, POWERS, PRESENT, STAMPS, STARTS, TEXT } from './layout';

const POWER_MIN: i32 = -292;
const HIDDEN: u64 = 1 << 52;
const DIGITS_MAX: i32 = 20;

/**
 * Writes the present ones of steps [first, steps) of OUTPUT to TEXT, each after its stamp, of which the first `skip` bytes are left out
 * before the first value. Returns the bytes written.
 */
export function printRow(first: i32, steps: i32, skip: i32): i32 {
  let to = TEXT;
  let left = <usize>skip;
  for (let i = first; i < steps; i++) {
    if (load<u8>(PRESENT + <usize>i) == 0) continue;
    const starts = STARTS + (<usize>i << 2);
    const begin = <usize>load<u32>(starts) + left;
    const bytes = <usize>load<u32>(starts, 4) - begin;
    memory.copy(to, STAMPS + begin, bytes);
    to = print(to + bytes, load<u64>(OUTPUT + (<usize>i << 3)));
    left = 0;
  }
  return <i32>(to - TEXT);
}

// Writes the number with these bits; returns the place behind it.
function print(to: usize, bits: u64): usize {
  const fraction = bits & (HIDDEN - 1);
  const exponent = <i32>((bits >> 52) & 0x7ff);
  const isNegative = <i64>bits < 0;
  if (exponent == 0x7ff) {
    if (fraction != 0) {
      store<u16>(to, 0x614e); // Na
      store<u8>(to, 0x4e, 2);
      return to + 3;
    }
    store<u8>(to, isNegative ? 0x2d : 0x2b);
    store<u16>(to, 0x6e49, 1); // In
    store<u8>(to, 0x66, 3);
    return to + 4;
  }
  if (isNegative) store<u8>(to++, 0x2d);
  if ((bits << 1) == 0) {
    store<u8>(to, 0x30);
    return to + 1;
  }
  return shortest(to, fraction, exponent);
}

// The high half of x * y.
// @ts-ignore: decorator
@inline
function highProduct(x: u64, y: u64): u64 {
  const x0 = x & 0xffffffff;
  const x1 = x >> 32;
  const y0 = y & 0xffffffff;
  const y1 = y >> 32;
  const middle = x1 * y0 + ((x0 * y0) >> 32);
  const other = x0 * y1 + (middle & 0xffffffff);
  return x1 * y1 + (middle >> 32) + (other >> 32);
}

// The product by a power, its last bit one when anything was cut off.
// @ts-ignore: decorator
@inline
function roundToOdd(high: u64, low: u64, factor: u64): u64 {
  const carried = highProduct(low, factor);
  const y0 = high * factor + carried;
  const y1 = highProduct(high, factor) + u64(y0 < carried);
  return y1 | u64(y0 > 1);
}

function shortest(to: usize, fraction: u64, exponent: i32): usize {
  let c = fraction;
  let q = 1 - 1075;
  if (exponent != 0) {
    c |= HIDDEN;
    q = exponent - 1075;
    if (q <= 0 && q > -53 && (c & ((<u64>1 << <u64>-q) - 1)) == 0) return decimal(to, c >> <u64>-q, 0);
  }
  const isEven = (c & 1) == 0;
  const isNear = fraction == 0 && exponent > 1;
  const k = (q * 1262611 - (isNear ? 524031 : 0)) >> 22;
  const h = <u64>(q + ((-k * 1741647) >> 19) + 1);
  const power = POWERS + (<usize>(-k - POWER_MIN) << 4);
  const high = load<u64>(power);
  const low = load<u64>(power, 8);
  const below = roundToOdd(high, low, (4 * c - 2 + u64(isNear)) << h) + u64(!isEven);
  const value = roundToOdd(high, low, (4 * c) << h);
  const above = roundToOdd(high, low, (4 * c + 2) << h) - u64(!isEven);
  const s = value >> 2;
  if (s >= 10) {
    const tenth = s / 10;
    const isLower = below <= 40 * tenth;
    const isUpper = 40 * tenth + 40 <= above;
    if (isLower != isUpper) return decimal(to, tenth + u64(isUpper), k + 1);
  }
  const isLower = below <= 4 * s;
  const isUpper = 4 * s + 4 <= above;
  if (isLower != isUpper) return decimal(to, s + u64(isUpper), k);
  const middle = 4 * s + 2;
  return decimal(to, s + u64(value > middle || (value == middle && (s & 1) != 0)), k);
}

// Writes digits * 10^exponent; digits > 0.
function decimal(to: usize, digits: u64, exponent: i32): usize {
  // From the back; in 32 bits, eight at a time while they are more.
  let at = DIGITS + DIGITS_MAX;
  while (digits >= 100_000_000) {
    const rest = digits / 100_000_000;
    let part = <u32>(digits - rest * 100_000_000);
    for (let i = 0; i < 8; i++) {
      const next = part / 10;
      store<u8>(--at, <u8>(0x30 + part - next * 10));
      part = next;
    }
    digits = rest;
  }
  for (let part = <u32>digits; part > 0; ) {
    const next = part / 10;
    store<u8>(--at, <u8>(0x30 + part - next * 10));
    part = next;
  }
  let end = DIGITS + DIGITS_MAX;
  while (load<u8>(end - 1) == 0x30) {
    end--;
    exponent++;
  }
  const count = <i32>(end - at);
  const point = count + exponent;
  if (point > 21 || point < -5) return scientific(to, at, count, point - 1);
  if (point <= 0) {
    store<u16>(to, 0x2e30); // 0.
    to += 2;
    memory.fill(to, 0x30, <usize>-point);
    to += <usize>-point;
    copyDigits(to, at, count);
    return to + <usize>count;
  }
  if (point >= count) {
    copyDigits(to, at, count);
    memory.fill(to + <usize>count, 0x30, <usize>(point - count));
    return to + <usize>point;
  }
  copyDigits(to, at, point);
  store<u8>(to + <usize>point, 0x2e);
  copyDigits(to + <usize>point + 1, at + <usize>point, count - point);
  return to + <usize>count + 1;
}

// Three words, of which `count` bytes count; room behind them is there.
// @ts-ignore: decorator
@inline
function copyDigits(to: usize, from: usize, count: i32): void {
  store<u64>(to, load<u64>(from));
  if (count <= 8) return;
  store<u64>(to, load<u64>(from, 8), 8);
  if (count > 16) store<u32>(to, load<u32>(from, 16), 16);
}

function scientific(to: usize, at: usize, count: i32, exponent: i32): usize {
  store<u8>(to++, load<u8>(at));
  if (count > 1) {
    store<u8>(to++, 0x2e);
    copyDigits(to, at + 1, count - 1);
    to += <usize>(count - 1);
  }
  store<u8>(to++, 0x65);
  store<u8>(to++, exponent < 0 ? 0x2d : 0x2b);
  const magnitude = exponent < 0 ? -exponent : exponent;
  if (magnitude >= 100) store<u8>(to++, <u8>(0x30 + magnitude / 100));
  store<u8>(to++, <u8>(0x30 + (magnitude / 10) % 10));
  store<u8>(to++, <u8>(0x30 + (magnitude % 10)));
  return to;
}
