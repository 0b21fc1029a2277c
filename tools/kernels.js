// `npm run prepare`, which npm runs after an install: compiles the AssemblyScript of src/kernels/assembly to build/kernels.wasm. Where
// that is not possible, because its compiler was left out (--omit=dev) or fails, the installation is whole all the same: Skein runs the
// kernels' TypeScript twins, which give the same answers. JavaScript, for any Node that npm runs on.

import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const PAGES = '64'; // of 64 KiB; layout.ts ends within

async function compile() {
  const { default: asc } = await import('assemblyscript/asc');
  const { error, stderr } = await asc.main([
    'src/kernels/assembly/index.ts',
    ...['--baseDir', root, '--outFile', 'build/kernels.wasm'],
    ...['--runtime', 'stub', '--optimizeLevel', '3', '--shrinkLevel', '0', '--converge', '--noAssert'],
    ...['--enable', 'simd', '--initialMemory', PAGES, '--maximumMemory', PAGES],
  ]);
  if (error) throw new Error(stderr.toString() || error.message);
}

try {
  await compile();
} catch (error) {
  console.warn(
    `The WebAssembly kernels were not compiled; queries run without them, slower: ${error.message}`,
  );
}
