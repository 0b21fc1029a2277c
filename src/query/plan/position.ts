// Positions in messages: `line:col`, counted as Prometheus does it, in UTF-8 bytes from 1.

/** `line:col` of a UTF-16 offset into the query text. */
export function positionText(query: string, offset: number): string {
  const lineStart = query.lastIndexOf('\n', offset - 1) + 1;
  let line = 1;
  for (let i = 0; i < lineStart; i++) if (query.charCodeAt(i) === 10) line++;
  return `${line}:${Buffer.byteLength(query.slice(offset === 0 ? 0 : lineStart, offset)) + 1}`;
}
