// Where things lie in the kernels' memory. The host sees the same places through the exported globals. Nothing here outlives one
// series: the host writes a chunk, calls, and copies or uses the result before the next call.

/** Samples that TIMES and VALUES hold. */
export const SAMPLES_MAX: i32 = 65_536;
/** Steps that FROM, TO, OUTPUT and PRESENT hold. */
export const STEPS_MAX: i32 = 16_384;
/** Bytes of a chunk's bits; two words more may be read. */
export const CHUNK_BYTES: i32 = 16_384;

/** The bits of a chunk as 64-bit words, first bit highest. */
export const CHUNK: usize = 1024;
export const TIMES: usize = CHUNK + CHUNK_BYTES + 64;
export const VALUES: usize = TIMES + SAMPLES_MAX * 8;
export const RESETS: usize = VALUES + SAMPLES_MAX * 8;
export const FROM: usize = RESETS + SAMPLES_MAX * 4;
export const TO: usize = FROM + STEPS_MAX * 4;
export const OUTPUT: usize = TO + STEPS_MAX * 4;
export const PRESENT: usize = OUTPUT + STEPS_MAX * 8;

// For printing. STAMPS, STARTS and POWERS stay what the host last wrote to them.

/** Bytes that STAMPS holds. */
export const STAMP_BYTES: i32 = 524_288;
export const STAMPS: usize = PRESENT + STEPS_MAX;
/** Where the stamp of each step begins in STAMPS, and where that of the last ends. */
export const STARTS: usize = STAMPS + STAMP_BYTES;
/** Powers of ten from 10^-292 to 10^324, 128 bits each, high half first. */
export const POWERS: usize = STARTS + (STEPS_MAX + 4) * 4;
export const DIGITS: usize = POWERS + 617 * 16;
export const TEXT: usize = DIGITS + 32;
