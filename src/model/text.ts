// Order of strings as Prometheus (Go) sees it: by UTF-8 bytes, which differs from JavaScript's UTF-16 order
// only where surrogate pairs meet code units from U+E000 on.

/** Compares two strings by their UTF-8 bytes; negative, 0 or positive. */
export function compareText(a: string, b: string): number {
  if (a === b) return 0;
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x !== y) return x >= 0xd800 && y >= 0xd800 ? rank(x) - rank(y) : x - y;
  }
  return a.length - b.length;
}

// Surrogates encode code points above U+FFFF, which sort after every other code unit.
function rank(codeUnit: number): number {
  return codeUnit >= 0xd800 && codeUnit <= 0xdfff ? codeUnit + 0x10000 : codeUnit;
}
