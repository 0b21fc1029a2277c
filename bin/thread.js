// The entry of a worker thread.
import { useCompileCache } from './compile-cache.js';

useCompileCache();
await import('../src/embedded-thread.ts');
