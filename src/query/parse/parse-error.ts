// Errors of the parser and the positions they name, worded as Prometheus words them.

import { DomainError } from '../../model/errors.ts';
import type { Position } from './ast.ts';

/** A query that cannot be parsed: code `bad_data`, message `line:column: parse error: reason`. */
export class ParseError extends DomainError {
  /** Where the offending part stands, in UTF-16 offsets of the query. */
  readonly position: Position;
  /** The message without its place. */
  readonly reason: string;

  constructor(query: string, position: Position, reason: string) {
    super('bad_data', `${lineColumn(query, position.start)}: parse error: ${reason}`);
    this.name = 'ParseError';
    this.position = position;
    this.reason = reason;
  }
}

/**
 * `line:column` of an offset, both from 1. Columns count UTF-8 bytes, as Prometheus's do; an empty query has no place.
 */
export function lineColumn(text: string, offset: number): string {
  if (text === '') return 'unknown position';
  if (offset < 0 || offset > text.length) return 'invalid position';
  let line = 1;
  let lineStart = 0;
  for (let at = text.indexOf('\n'); at >= 0 && at < offset; at = text.indexOf('\n', at + 1)) {
    line++;
    lineStart = at + 1;
  }
  return `${line}:${Buffer.byteLength(text.slice(lineStart, offset)) + 1}`;
}
