// The WebAssembly kernels (src/kernels/assembly) as the host sees them: columns and windows of one series in the module's memory, and
// calls that work on them. Each has a twin in TypeScript with the same results, which runs where the module is not there.

import { DomainError } from '../model/errors.ts';
import type { SampleKernels } from '../model/samples.ts';

// The part of the host's API that is used; TypeScript has it with the types of browsers only.
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: Record<string, unknown> };
};

interface Exports {
  readonly memory: { readonly buffer: ArrayBuffer };
  decodeXor(count: number, bitsEnd: number, start: number, end: number, at: number): number;
  findWindows(count: number, steps: number, end: number, step: number, range: number): number;
  extrapolate(
    steps: number,
    end: number,
    step: number,
    range: number,
    isCounter: boolean,
    isRate: boolean,
  ): void;
}

type Place = 'CHUNK' | 'TIMES' | 'VALUES' | 'FROM' | 'TO' | 'OUTPUT' | 'PRESENT';
type Size = 'CHUNK_BYTES' | 'SAMPLES_MAX' | 'STEPS_MAX';

/** Instantiates the module of `wasm`: 2 MiB, of one thread, for whoever is reading a series. Errors: `corrupt` for what is no such module. */
export function openKernels(wasm: Uint8Array<ArrayBuffer>): SampleKernels {
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
  return {
    timestamps: new Float64Array(buffer, numberOf('TIMES'), samplesMax),
    values,
    bits: new Uint32Array(buffer, values.byteOffset, 2 * samplesMax),
    from: new Int32Array(buffer, numberOf('FROM'), stepsMax),
    to: new Int32Array(buffer, numberOf('TO'), stepsMax),
    output: new Float64Array(buffer, numberOf('OUTPUT'), stepsMax),
    present: new Uint8Array(buffer, numberOf('PRESENT'), stepsMax),
    decodeXor(view, from, to, count, start, end, at) {
      if (to - from > chunkBytesMax) return -1;
      copyWords(view, from, to, chunk);
      return calls.decodeXor(count, (to - from) * 8, start, end, at);
    },
    findWindows: calls.findWindows,
    extrapolate: calls.extrapolate,
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
