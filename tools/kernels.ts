// `npm run prepare`, which npm runs after an install: compiles the AssemblyScript of src/kernels/assembly to build/kernels.wasm. Where
// that is not possible, Skein runs the kernels' TypeScript twins, which give the same answers.

import path from 'node:path';
import asc from 'assemblyscript/asc';

const root = path.resolve(import.meta.dirname, '..');
const PAGES = 64; // of 64 KiB; layout.ts ends within
const { error, stderr } = await asc.main([
  'src/kernels/assembly/index.ts',
  ...['--baseDir', root],
  ...['--outFile', 'build/kernels.wasm'],
  ...['--runtime', 'stub', '--optimizeLevel', '3', '--shrinkLevel', '0', '--converge', '--noAssert'],
  ...['--enable', 'simd', '--initialMemory', String(PAGES), '--maximumMemory', String(PAGES)],
]);
if (error) {
  console.error(stderr.toString());
  process.exitCode = 1;
}
