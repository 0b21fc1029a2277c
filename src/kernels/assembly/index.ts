// What the host sees of the kernels. Compiled by `npm run prepare` (tools/kernels.ts) to build/kernels.wasm.

export {
  CHUNK,
  CHUNK_BYTES,
  FROM,
  OUTPUT,
  PRESENT,
  SAMPLES_MAX,
  STEPS_MAX,
  TIMES,
  TO,
  VALUES,
} from './layout';
export { extrapolate, findWindows } from './range';
export { decodeXor } from './xor';
