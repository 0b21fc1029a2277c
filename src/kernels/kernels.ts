// The WebAssembly kernels (src/kernels/assembly) as the host sees them: columns and windows of one series in the module's memory, and
// calls that work on them. Each has a twin in TypeScript with the same results, which runs where the module is not there.

import type { RowPrinter, Stamps } from '../codec/row-printer.ts';
import { DomainError } from '../model/errors.ts';
import type { SampleKernels } from '../model/samples.ts';

// The part of the host's API that is used; TypeScript has it with the types of browsers only.
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: Record<string, unknown> };
};

interface Exports extends Pick<SampleKernels, 'findWindows' | 'extrapolate'> {
  readonly memory: { readonly buffer: ArrayBuffer };
  decodeXor(count: number, bitsEnd: number, start: number, end: number, at: number): number;
  printRow(first: number, steps: number, skip: number): number;
}

type Place =
  | 'CHUNK'
  | 'TIMES'
  | 'VALUES'
  | 'FROM'
  | 'TO'
  | 'OUTPUT'
  | 'PRESENT'
  | 'STAMPS'
  | 'STARTS'
  | 'POWERS'
  | 'TEXT';
type Size = 'CHUNK_BYTES' | 'SAMPLES_MAX' | 'STEPS_MAX' | 'STAMP_BYTES';

/** All that a thread's module does. */
export type Kernels = SampleKernels & RowPrinter;

/** Instantiates the module of `wasm`: 4 MiB at most, of one thread, for whoever is reading or printing a series. Errors: `corrupt` for what is no such module. */
export function openKernels(wasm: Uint8Array<ArrayBuffer>): Kernels {
  const { exports } = instantiate(wasm);
  const calls = exports as unknown as Exports;
  const numberOf = (name: Place | Size): number => Number((exports[name] as { value: number }).value);
  const { buffer } = calls.memory;
  const samplesMax = numberOf('SAMPLES_MAX');
  const stepsMax = numberOf('STEPS_MAX');
  const chunkBytesMax = numberOf('CHUNK_BYTES');
  // Two words more than a chunk has may be read.
  const chunk = new Uint32Array(buffer, numberOf('CHUNK'), chunkBytesMax / 4 + 4);
  const values = new Float64Array(buffer, numberOf('VALUES'), samplesMax);
  const output = new Float64Array(buffer, numberOf('OUTPUT'), stepsMax);
  const present = new Uint8Array(buffer, numberOf('PRESENT'), stepsMax);
  const stampBytes = new Uint8Array(buffer, numberOf('STAMPS'), numberOf('STAMP_BYTES'));
  const stampStarts = new Uint32Array(buffer, numberOf('STARTS'), stepsMax + 1);
  const text = new Uint8Array(buffer, numberOf('TEXT'));
  writePowers(new DataView(buffer, numberOf('POWERS')));
  let loaded: Stamps | undefined;
  return {
    timestamps: new Float64Array(buffer, numberOf('TIMES'), samplesMax),
    values,
    bits: new Uint32Array(buffer, values.byteOffset, 2 * samplesMax),
    from: new Int32Array(buffer, numberOf('FROM'), stepsMax),
    to: new Int32Array(buffer, numberOf('TO'), stepsMax),
    output,
    present,
    decodeXor(view, from, to, count, start, end, at) {
      if (to - from > chunkBytesMax) return -1;
      copyWords(view, from, to, chunk);
      return calls.decodeXor(count, (to - from) * 8, start, end, at);
    },
    findWindows: calls.findWindows,
    extrapolate: calls.extrapolate,
    printRow(row, from, first, stamps, skip) {
      const { steps } = row;
      if (steps > stepsMax || stamps.bytes.byteLength > stampBytes.length) return undefined;
      if (loaded !== stamps) {
        const { buffer: source, byteOffset, byteLength } = stamps.bytes;
        stampBytes.set(new Uint8Array(source, byteOffset, byteLength));
        stampStarts.set(stamps.starts);
        loaded = stamps;
      }
      output.set(row.values.subarray(from, from + steps));
      present.set(row.present.subarray(from, from + steps));
      return text.subarray(0, calls.printRow(first, steps, skip));
    },
  };
}

function instantiate(wasm: Uint8Array<ArrayBuffer>): { readonly exports: Record<string, unknown> } {
  try {
    return new WebAssembly.Instance(new WebAssembly.Module(wasm), {
      env: {
        abort() {
          throw new DomainError('internal', 'a kernel gave up');
        },
      },
    });
  } catch (error) {
    throw new DomainError('corrupt', `cannot open the kernels: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

const POWER_MIN = -292;
const POWER_MAX = 324;

// 10^k as the 128 bits behind its leading one and that one, rounded up: high half, low half.
function writePowers(view: DataView): void {
  for (let k = POWER_MIN; k <= POWER_MAX; k++) {
    const shift = 127 - ((k * 1_741_647) >> 19);
    const [numerator, divisor] = k < 0 ? [1n, 10n ** BigInt(-k)] : [10n ** BigInt(k), 1n];
    const scaled = shift < 0 ? numerator : numerator << BigInt(shift);
    const whole = shift < 0 ? divisor << BigInt(-shift) : divisor;
    const power = (scaled + whole - 1n) / whole;
    view.setBigUint64(16 * (k - POWER_MIN), power >> 64n, true);
    view.setBigUint64(16 * (k - POWER_MIN) + 8, BigInt.asUintN(64, power), true);
  }
}

// Bytes [from, to) as 64-bit words, first byte highest, and two words of what follows or zero.
function copyWords(view: DataView, from: number, to: number, words: Uint32Array): void {
  const whole = view.byteLength - 8;
  let at = from;
  let word = 0;
  for (; at < to && at <= whole; at += 8, word += 2) {
    words[word + 1] = view.getUint32(at);
    words[word] = view.getUint32(at + 4);
  }
  for (const end = word + 4; word < end; word += 2, at += 8) {
    words[word + 1] = fourBytes(view, at);
    words[word] = fourBytes(view, at + 4);
  }
}

function fourBytes(view: DataView, at: number): number {
  let value = 0;
  for (let i = at; i < at + 4; i++) value = (value << 8) | (i < view.byteLength ? view.getUint8(i) : 0);
  return value;
}
