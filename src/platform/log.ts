// Logs: the port and its pino implementation (logfmt would need a format of our own; JSON lines are what collectors read).

import { pino } from 'pino';

/** Levels in order of weight. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** Structured logging; `fields` are plain data. */
export interface Logger {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, fields?: Record<string, unknown>): void;
  /** A logger that adds `fields` to every line. */
  with(fields: Record<string, unknown>): Logger;
}

/** A logger that writes JSON lines to stderr. */
export function realLogger(level: LogLevel): Logger {
  return wrap(pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination(2)));
}

/** A logger that says nothing, for tests. */
export function silentLogger(): Logger {
  const silent: Logger = { debug() {}, info() {}, warn() {}, error() {}, with: () => silent };
  return silent;
}

function wrap(inner: pino.Logger): Logger {
  return {
    debug: (message, fields) => inner.debug(fields ?? {}, message),
    info: (message, fields) => inner.info(fields ?? {}, message),
    warn: (message, fields) => inner.warn(fields ?? {}, message),
    error: (message, fields) => inner.error(fields ?? {}, message),
    with: (fields) => wrap(inner.child(fields)),
  };
}
