// What the contract suites share: waiting for something that happens soon, and expecting an error by its code. Contracts run on
// real clocks, because NATS does.

import { expect } from 'vitest';
import { DomainError, type ErrorCode } from '../../src/model/errors.ts';

/** Pauses for `ms` of real time. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Waits until `check` is true; fails the test, naming `what`, after `withinMs`. */
export async function eventually(what: string, check: () => boolean, withinMs = 5_000): Promise<void> {
  const end = performance.now() + withinMs;
  while (!check()) {
    if (performance.now() > end) expect.fail(`did not happen within ${withinMs} ms: ${what}`);
    await pause(5);
  }
}

/** Waits until `read()` has not changed for `quietMs`, and returns it. */
export async function steady<T>(read: () => T, quietMs = 250): Promise<T> {
  let last = read();
  let since = performance.now();
  while (performance.now() - since < quietMs) {
    await pause(10);
    const now = read();
    if (now !== last) {
      last = now;
      since = performance.now();
    }
  }
  return last;
}

/** The DomainError a promise rejects with; fails the test when it resolves or has another code. */
export async function failure(promise: Promise<unknown>, code: ErrorCode): Promise<DomainError> {
  const outcome = await promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if (!('error' in outcome)) return expect.fail(`expected the error ${code}, got a result`);
  expect(outcome.error).toBeInstanceOf(DomainError);
  const error = outcome.error as DomainError;
  expect(error.code, error.message).toBe(code);
  return error;
}
