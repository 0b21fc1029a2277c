// Reads XOR2 chunks (encoding 4, tsdb/chunkenc/xor2.go): floats with start timestamps, as Prometheus 3.14 can write them. A joint
// prefix tells of time and value; staleness markers have no value of their own, the one before them stays the reference.

import { DomainError } from '../model/errors.ts';
import {
  detachColumns,
  growColumns,
  type SampleColumns,
  STALE_NAN_HIGH,
  STALE_NAN_LOW,
  startsOf,
} from '../model/samples.ts';
import { BitReader } from './bit-stream.ts';
import type { TimeSpan } from './chunk.ts';
import { readByteUvarint, readByteVarint, StartTimes } from './start-times.ts';
import { XorLanes } from './xor-value.ts';

const HEADER_BYTES = 3;
/** Bits of the difference of time differences by the ones in front. */
const DOD_BITS = [0, 0, 13, 20, 64];
const TWO_32 = 0x1_0000_0000;

/** Appends the samples of a chunk within `span` to `target`. Error: `corrupt`. */
export function readXor2(bytes: Uint8Array, span: TimeSpan, target: SampleColumns): void {
  if (bytes.length < HEADER_BYTES) return;
  const count = (bytes[0]! << 8) | bytes[1]!;
  if (count === 0) return;
  if (count > 8 * bytes.length) throw corrupt(`${count} samples in ${bytes.length} bytes`);
  if (bytes[2] !== 0) detachColumns(target); // start times have no place in kernels
  growColumns(target, target.count + count);
  const run = new Xor2Run(bytes);
  for (let i = 0; i < count; i++) {
    run.next();
    if (run.time > span.end) return;
    if (run.time >= span.start) run.push(target);
  }
}

class Xor2Run {
  time = 0;
  readonly #from: BitReader;
  readonly #starts: StartTimes;
  readonly #hasStarts: boolean;
  readonly #value = new XorLanes(1);
  #isStale = false;
  #timeDelta = 0;
  #read = 0;

  constructor(bytes: Uint8Array) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#from = new BitReader(view, HEADER_BYTES, bytes.length);
    this.#hasStarts = bytes[2] !== 0;
    this.#starts = new StartTimes(bytes[2]!);
  }

  next(): void {
    const from = this.#from;
    const before = this.time;
    this.#isStale = false;
    if (this.#read === 0) this.#first();
    else if (this.#read === 1) {
      this.#timeDelta = readByteUvarint(from);
      this.time += this.#timeDelta;
      this.#difference();
    } else this.#joint();
    this.#read++;
    this.#starts.next(from, { read: this.#read, time: this.time, before });
    if (from.overrun) throw corrupt(`it ends in sample ${this.#read}`);
  }

  // A staleness marker in front is no reference for what follows: that is 0.
  #first(): void {
    const from = this.#from;
    this.time = readByteVarint(from);
    const high = from.bits(32);
    const low = from.bits(32);
    this.#isStale = high === STALE_NAN_HIGH && low === STALE_NAN_LOW;
    this.#value.bits[0] = this.#isStale ? 0 : low;
    this.#value.bits[1] = this.#isStale ? 0 : high;
  }

  #joint(): void {
    const from = this.#from;
    let ones = 0;
    while (ones < 5 && from.bits(1) === 1) ones++;
    const dodBits = DOD_BITS[ones] ?? 0;
    if (dodBits > 0) this.#timeDelta += readSigned(from, dodBits);
    this.time += this.#timeDelta;
    if (dodBits > 0) this.#difference();
    else if (ones === 5) this.#isStale = true;
    else if (ones === 1) {
      if (from.bits(1) === 1) this.#value.readNewWindow(from, 0);
      else this.#value.readSameWindow(from, 0);
    }
  }

  #difference(): void {
    const from = this.#from;
    let ones = 0;
    while (ones < 3 && from.bits(1) === 1) ones++;
    if (ones === 1) this.#value.readSameWindow(from, 0);
    else if (ones === 2) this.#value.readNewWindow(from, 0);
    else if (ones === 3) this.#isStale = true;
  }

  push(target: SampleColumns): void {
    const at = target.count++;
    target.timestamps[at] = this.time;
    target.bits[2 * at] = this.#isStale ? STALE_NAN_LOW : this.#value.bits[0]!;
    target.bits[2 * at + 1] = this.#isStale ? STALE_NAN_HIGH : this.#value.bits[1]!;
    if (this.#hasStarts) startsOf(target)[at] = this.#starts.start;
    else if (target.starts !== undefined) target.starts[at] = 0;
  }
}

// Two's complement.
function readSigned(from: BitReader, count: number): number {
  if (count === 64) {
    const upper = from.bits(32) | 0;
    return upper * TWO_32 + from.bits(32);
  }
  const value = from.bits(count);
  return value >= 2 ** (count - 1) ? value - 2 ** count : value;
}

function corrupt(reason: string): DomainError {
  return new DomainError('corrupt', `cannot decode an XOR2 chunk: ${reason}`);
}
