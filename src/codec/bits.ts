// Bit strings, most significant bit first, as Prometheus's chunks are written. Positions count bits from the start of a view.
// Plain functions over a DataView: they are inlined into the chunk kernels.

/** Bytes behind the last written bit that a write may set to zero; whoever owns the memory leaves them free. */
export const WRITE_SLACK_BYTES = 4;

/**
 * Writes the low `count` (1..32) bits of `value` at bit `position` and returns the position behind them. Bits before
 * `position` stay, up to WRITE_SLACK_BYTES behind the last bit become zero: a string is written from front to back.
 */
export function writeBits(view: DataView, position: number, value: number, count: number): number {
  const at = position >>> 3;
  const used = position & 7;
  const top = value << (32 - count);
  const before = used === 0 ? 0 : (view.getUint8(at) & (0xff00 >> used)) << 24;
  view.setUint32(at, before | (top >>> used));
  if (used + count > 32) view.setUint8(at + 4, (top << (32 - used)) >>> 24);
  return position + count;
}

/**
 * The 32 bits from `position` on, as a signed integer whose top bit is the first; zeros stand for what lies at or behind byte
 * `end` of the view. The caller compares positions with `end` to see whether it read too far.
 */
export function peekBits(view: DataView, position: number, end: number): number {
  const at = position >>> 3;
  const shift = position & 7;
  if (at + 5 <= end) {
    const word = view.getUint32(at);
    return shift === 0 ? word | 0 : (word << shift) | (view.getUint8(at + 4) >>> (8 - shift));
  }
  return peekAtEnd(view, at, shift, end);
}

function peekAtEnd(view: DataView, at: number, shift: number, end: number): number {
  let word = 0;
  for (let i = 0; i < 4; i++) word = (word << 8) | (at + i < end ? view.getUint8(at + i) : 0);
  const last = at + 4 < end ? view.getUint8(at + 4) : 0;
  return shift === 0 ? word : (word << shift) | (last >>> (8 - shift));
}
