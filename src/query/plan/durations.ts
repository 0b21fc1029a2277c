// Duration expressions (`[step() * 3]`, `offset (5m / 2)`): their value depends on the query's step and range, so they are
// computed when a plan is built. After Prometheus promql/durations.go, whose messages they keep.

import { DomainError } from '../../model/errors.ts';
import type { Expr, Position } from '../parse/ast.ts';
import type { StepRange } from '../source.ts';

/** Longest span of Go's time.Duration, seconds. */
const SECONDS_MAX = 2 ** 63 / 1e9;

/** Milliseconds of a duration expression, cut to whole ones; `bad_data` for what is no duration. */
export function durationMsOf(expr: Expr, grid: StepRange, allowNegative: boolean): number {
  const seconds = secondsOf(expr, grid);
  if (!Number.isFinite(seconds)) throw refused(expr, 'duration is NaN or infinite');
  if (seconds <= 0 && !allowNegative) throw refused(expr, 'duration must be greater than 0');
  if (Math.abs(seconds) > SECONDS_MAX) throw refused(expr, 'duration is out of range');
  return Math.trunc(seconds * 1000);
}

/** A duration that is none, and where it stands. */
export class DurationError extends DomainError {
  readonly position: Position;
  readonly reason: string;

  constructor({ position }: Expr, reason: string) {
    super('bad_data', `${position.start}:${position.end}: ${reason}`);
    this.position = position;
    this.reason = reason;
  }
}

/** The same error as Prometheus tells it: its place is counted in bytes of the query. */
export function durationErrorIn(query: string, { position, reason }: DurationError): DomainError {
  const bytes = (end: number): number => Buffer.byteLength(query.slice(0, end));
  return new DomainError('bad_data', `${bytes(position.start)}:${bytes(position.end)}: ${reason}`);
}

function refused(expr: Expr, reason: string): DomainError {
  return new DurationError(expr, reason);
}

// Depth is bounded by the parser.
function secondsOf(expr: Expr, grid: StepRange): number {
  if (expr.kind === 'number') return expr.value;
  if (expr.kind !== 'duration')
    throw new DomainError('internal', `cannot compute a duration from a ${expr.kind} expression`);
  const left = expr.left === undefined ? undefined : secondsOf(expr.left, grid);
  const right = expr.right === undefined ? 0 : secondsOf(expr.right, grid);
  switch (expr.op) {
    case 'step':
      return grid.step / 1000;
    case 'range':
      return (grid.end - grid.start) / 1000;
    case 'min_of':
      return Math.min(left ?? 0, right);
    case 'max_of':
      return Math.max(left ?? 0, right);
    case '+':
      return (left ?? 0) + right;
    case '-':
      return (left ?? 0) - right;
    case '*':
      return (left ?? 0) * right;
    case '/':
      if (right === 0) throw refused(expr, 'division by zero');
      return (left ?? 0) / right;
    case '%':
      if (right === 0) throw refused(expr, 'modulo by zero');
      return (left ?? 0) % right;
    default:
      return (left ?? 0) ** right;
  }
}
