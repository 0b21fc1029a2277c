// What was compiled is kept beside the packages, where that can be written: the next start takes a fraction of the time. Types are taken
// off and code is compiled once, for the main thread and for others, which each have to ask for it.
import module from 'node:module';
import { fileURLToPath } from 'node:url';

/** From now on modules of this thread come from the cache. Until then nothing in TypeScript may be loaded. */
export function useCompileCache() {
  module.enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/skein', import.meta.url)));
}
