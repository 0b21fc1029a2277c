// What requests and their answers look like on NATS. A plain reply has no headers at all, so `nats req` works with any endpoint.
//
//   request            Skein-Deadline: ms   Skein-Window: bytes (asks for frames)          reply: requester's mailbox
//   frame n of many    Skein-Frame: n                                                      reply: responder's mailbox
//   still at it        Skein-Beat: frames sent so far (every pulse, so both learn of death) reply: responder's mailbox
//   end of frames      Skein-End: frames sent
//   error              Skein-Error: code, Skein-Retryable, message as payload; Skein-End as well when frames were asked for
//   credit             Skein-Credit: bytes consumed so far                                 to the responder's mailbox
//   cancel             Skein-Cancel                                                        to the responder's mailbox
//   probe              Skein-Probe: is anybody there? To the responder's mailbox, or to the subject while it is not known. Who is at it
//                      lets its beats speak; without a listener the server sends a 503
//   gone               Skein-Gone: not known here (a closed mailbox; a probe of a request that is not being answered) to the sender's mailbox

import type { Msg, MsgHdrs } from 'nats';
import { DomainError, type ErrorCode } from '../../model/errors.ts';
import { headersOf } from './connection.ts';

/** Header names. */
export const wire = {
  deadline: 'Skein-Deadline',
  window: 'Skein-Window',
  frame: 'Skein-Frame',
  beat: 'Skein-Beat',
  end: 'Skein-End',
  error: 'Skein-Error',
  retryable: 'Skein-Retryable',
  credit: 'Skein-Credit',
  cancel: 'Skein-Cancel',
  probe: 'Skein-Probe',
} as const;

/** Milliseconds between beats. */
export const pulseMs = 250;
/** Bytes kept free below the server's max_payload for headers. */
export const headroomBytes = 4_096;
/** What a frame costs of the window besides its payload. */
export const frameOverheadBytes = 64;

const serviceErrorCodes: Readonly<Record<ErrorCode, number>> = {
  bad_data: 400,
  execution: 422,
  too_large: 413,
  limited: 429,
  unavailable: 503,
  timeout: 504,
  canceled: 499,
  not_found: 404,
  conflict: 409,
  corrupt: 500,
  full: 507,
  config: 500,
  internal: 500,
};

const errorTextCharactersMax = 500;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(serviceErrorCodes, code);
}

/** Headers and payload that carry an error; the micro API's own headers are set too, for other tools. */
export function encodeError(
  error: DomainError,
  pairs: Readonly<Record<string, string>> = {},
): { headers: MsgHdrs; payload: Uint8Array } {
  const headers = headersOf({
    ...pairs,
    [wire.error]: error.code,
    [wire.retryable]: String(error.retryable),
    'Nats-Service-Error-Code': String(serviceErrorCodes[error.code]),
    'Nats-Service-Error': error.message.slice(0, errorTextCharactersMax).replaceAll(/[^ -~]/g, ' '),
  });
  return { headers, payload: encoder.encode(error.message.slice(0, headroomBytes)) };
}

/** The error a message carries, or undefined. */
export function decodeError(message: Msg): DomainError | undefined {
  const headers = message.headers;
  if (!headers) return undefined;
  const code = headers.get(wire.error);
  if (code === '') {
    const foreign = headers.get('Nats-Service-Error');
    return foreign === '' ? undefined : new DomainError('internal', foreign);
  }
  const text = decoder.decode(message.data);
  if (!isErrorCode(code)) return new DomainError('internal', `${text} (code ${code})`);
  return new DomainError(code, text, { retryable: headers.get(wire.retryable) === 'true' });
}

/** A header as a non-negative whole number, or undefined when it is absent or something else. */
export function numberHeader(headers: MsgHdrs | undefined, name: string): number | undefined {
  const text = headers?.get(name) ?? '';
  if (!/^\d{1,15}$/.test(text)) return undefined;
  return Number(text);
}
