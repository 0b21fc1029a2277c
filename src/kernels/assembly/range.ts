// Windows over the samples in TIMES and VALUES, and the extrapolating functions; the twins of src/query/kernels/{window,rate}.ts,
// where they are described. Float operations stand in the same order there and here: results have the same bits.

import { FROM, OUTPUT, PRESENT, RESETS, TIMES, TO, VALUES } from './layout';

const STALE: u64 = 0x7ff0000000000002;
const BORDER_FACTOR: f64 = 1.1;
const NEARLY: f64 = 1.000001;

/** Removes staleness markers of `count` samples in place; returns the samples left. */
function dropStale(count: i32): i32 {
  let kept = 0;
  while (kept < count && load<u64>(VALUES + ((<usize>kept) << 3)) != STALE) kept++;
  for (let i = kept + 1; i < count; i++) {
    const from = (<usize>i) << 3;
    const value = load<u64>(VALUES + from);
    if (value == STALE) continue;
    const to = (<usize>kept) << 3;
    store<u64>(VALUES + to, value);
    store<f64>(TIMES + to, load<f64>(TIMES + from));
    kept++;
  }
  return kept;
}

/**
 * Removes staleness markers and fills FROM and TO with the windows of `steps` steps: (end - range, end] of the first, `step` on for
 * each. Returns the samples left.
 */
export function findWindows(count: i32, steps: i32, end: f64, step: f64, range: f64): i32 {
  const kept = dropStale(count);
  let low = 0;
  let high = 0;
  for (let i = 0; i < steps; i++) {
    while (high < kept && load<f64>(TIMES + ((<usize>high) << 3)) <= end) high++;
    const open = end - range;
    while (low < high && load<f64>(TIMES + ((<usize>low) << 3)) <= open) low++;
    store<i32>(FROM + ((<usize>i) << 2), low);
    store<i32>(TO + ((<usize>i) << 2), high);
    end += step;
  }
  return kept;
}

// Indexes i in [1, count) with a value below the one before, to RESETS; returns how many.
function findResets(count: i32): i32 {
  let found = 0;
  let before = load<f64>(VALUES);
  for (let i = 1; i < count; i++) {
    const value = load<f64>(VALUES + ((<usize>i) << 3));
    if (value < before) {
      store<i32>(RESETS + ((<usize>found) << 2), i);
      found++;
    }
    before = value;
  }
  return found;
}

/** rate, increase and delta of the windows in FROM and TO, to OUTPUT and PRESENT. */
export function extrapolate(
  steps: i32,
  end: f64,
  step: f64,
  range: f64,
  isCounter: bool,
  isRate: bool,
): void {
  const rangeSeconds = range / 1000;
  const resets = isCounter && steps > 0 ? findResets(load<i32>(TO + ((<usize>(steps - 1)) << 2))) : 0;
  let resetLow = 0;
  for (let i = 0; i < steps; i++, end += step) {
    const first = load<i32>(FROM + ((<usize>i) << 2));
    const last = load<i32>(TO + ((<usize>i) << 2)) - 1;
    if (last <= first) {
      store<u8>(PRESENT + <usize>i, 0);
      continue;
    }
    const firstValue = load<f64>(VALUES + ((<usize>first) << 3));
    let result = load<f64>(VALUES + ((<usize>last) << 3)) - firstValue;
    if (resets > 0) {
      while (resetLow < resets && load<i32>(RESETS + ((<usize>resetLow) << 2)) <= first) resetLow++;
      for (let r = resetLow; r < resets; r++) {
        const index = load<i32>(RESETS + ((<usize>r) << 2));
        if (index > last) break;
        result += load<f64>(VALUES + ((<usize>(index - 1)) << 3));
      }
    }
    const firstTime = load<f64>(TIMES + ((<usize>first) << 3));
    const lastTime = load<f64>(TIMES + ((<usize>last) << 3));
    const sampled = (lastTime - firstTime) / 1000;
    const average = sampled / <f64>(last - first);
    const threshold = average * BORDER_FACTOR;
    let toStart = (firstTime - (end - range)) / 1000;
    let toEnd = (end - lastTime) / 1000;
    if (toStart >= threshold) toStart = average / 2;
    if (isCounter && result > 0 && firstValue >= 0 && sampled * firstValue < result * toStart * NEARLY) {
      const toZero = sampled * (firstValue / result);
      if (toZero < toStart) toStart = toZero;
    }
    if (toEnd >= threshold) toEnd = average / 2;
    let factor: f64 = 1;
    if (sampled != 0) factor = (sampled + toStart + toEnd) / sampled;
    if (isRate) factor /= rangeSeconds;
    store<f64>(OUTPUT + ((<usize>i) << 3), result * factor);
    store<u8>(PRESENT + <usize>i, 1);
  }
}
