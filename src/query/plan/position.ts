// Positions in messages: `line:col`, counted as Prometheus does it, in UTF-8 bytes from 1. In plans they have a rank behind them,
// `line:col~rank`, which grows in the order in which Prometheus evaluates: of notes that differ in their place alone it keeps the last.

/** `line:col` of a UTF-16 offset into the query text. */
export function positionText(query: string, offset: number): string {
  const lineStart = offset === 0 ? 0 : query.lastIndexOf('\n', offset - 1) + 1;
  let line = 1;
  for (let i = 0; i < lineStart; i++) if (query.charCodeAt(i) === 10) line++;
  return `${line}:${Buffer.byteLength(query.slice(lineStart, offset)) + 1}`;
}

/** Gives the places of one query their ranks. */
export class PlaceRanks {
  #last = 0;

  /** `line:col~rank` of an offset; its rank is above all given before. */
  place(query: string, offset: number): string {
    return `${positionText(query, offset)}~${++this.#last}`;
  }
}
