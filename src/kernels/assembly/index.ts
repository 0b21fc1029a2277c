// What the host sees of the kernels. Compiled by `npm run prepare` (tools/kernels.js) to build/kernels.wasm.

export {
  CHUNK,
  CHUNK_BYTES,
  FROM,
  OUTPUT,
  POWERS,
  PRESENT,
  SAMPLES_MAX,
  STAMP_BYTES,
  STAMPS,
  STARTS,
  STEPS_MAX,
  TEXT,
  TIMES,
  TO,
  VALUES,
} from './layout';
export { printRow } from './print';
export { extrapolate, findWindows } from './range';
export { decodeXor } from './xor';
