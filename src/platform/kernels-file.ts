// The compiled kernels, which lie beside the sources (`npm run prepare` makes them).

import { readFileSync } from 'node:fs';

const FILE = new URL('../../build/kernels.wasm', import.meta.url);

/** The module's bytes; undefined where it was not made. */
export function readKernelsFile(): Uint8Array<ArrayBuffer> | undefined {
  try {
    return new Uint8Array(readFileSync(FILE));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
