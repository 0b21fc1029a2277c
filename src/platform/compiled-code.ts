// The code V8 has compiled, kept on disk for the next start (bin/skein.js says where).

import { flushCompileCache } from 'node:module';

/** Writes it now rather than when the process ends, which may be by kill -9. Takes a moment, and only where it is not there yet. */
export function keepCompiledCode(): void {
  flushCompileCache();
}
