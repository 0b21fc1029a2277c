// Errors: programmer errors (invariant) end the actor; operating errors carry a code that edges translate once.

/** Every code an operating error can carry; the tables that map them to HTTP live beside the edges. */
export type ErrorCode =
  | 'bad_data' // the caller's request is wrong: never retried
  | 'execution' // the query is valid but cannot be evaluated
  | 'too_large' // a limit on a request was passed
  | 'limited' // a tenant limit was passed: retry later
  | 'unavailable' // a dependency or owner is away: retry later
  | 'timeout'
  | 'canceled'
  | 'not_found'
  | 'conflict' // somebody else did it first (fencing, compare-and-set)
  | 'corrupt' // stored bytes do not check
  | 'full' // no room in a log, a disk or a queue
  | 'config'
  | 'internal';

/** An operating error: expected to happen, has a code, says whether trying again can help. */
export class DomainError extends Error {
  readonly code: ErrorCode;
  readonly retryable: boolean;

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; retryable?: boolean } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'DomainError';
    this.code = code;
    this.retryable =
      options.retryable ??
      (code === 'unavailable' || code === 'timeout' || code === 'full' || code === 'limited');
  }
}

/** A broken assumption of the program itself. */
export class InvariantError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'InvariantError';
  }
}

/** Throws InvariantError with `message` unless `condition` holds; always on. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new InvariantError(message);
}

/** The message of anything thrown. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The error as a DomainError: itself, or wrapped as `internal`. */
export function asDomainError(error: unknown): DomainError {
  if (error instanceof DomainError) return error;
  return new DomainError('internal', errorText(error), { cause: error });
}
