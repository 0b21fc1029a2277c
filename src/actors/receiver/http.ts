// The write edge: POST /api/v1/write and /api/v1/receive, straight on node:http because a body's chunks go to one buffer and
// nothing else. Status codes and headers follow Prometheus's remote write handler (client_golang exp/api/remote).

import type { IncomingMessage, ServerResponse } from 'node:http';
import { asDomainError, DomainError, type ErrorCode } from '../../model/errors.ts';
import type { Config } from '../../platform/config.ts';
import type { RawHandler } from '../http-server.ts';
import type { ActorRef } from '../runtime.ts';
import { tenantOf } from '../tenant.ts';
import type { WriteProtocol } from './ingest/ingestor.ts';
import type { ReceiverMessages, WriteReply } from './messages.ts';

const PATHS = new Set(['/api/v1/write', '/api/v1/receive']);
const MEDIA_TYPE = 'application/x-protobuf';
const MESSAGES: Record<string, WriteProtocol> = {
  'prometheus.WriteRequest': 'v1',
  'io.prometheus.write.v2.Request': 'v2',
};

/** What the edge needs. */
export interface ReceiverEdge {
  readonly actor: ActorRef<ReceiverMessages>;
  readonly config: Config;
  /** Told of every answer's status. */
  readonly onAnswer: (status: number) => void;
}

/** Handles write requests, leaves every other to whoever is next. */
export function receiverHandler(edge: ReceiverEdge): RawHandler {
  const bodies: Bodies = { bytes: 0, bytesMax: edge.config.receiver.bodies_bytes_max };
  return (request, response) => {
    const path = (request.url ?? '').split('?', 1)[0]!;
    if (!PATHS.has(path)) return false;
    void answer(edge, bodies, request, response);
    return true;
  };
}

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers?: Readonly<Record<string, string>>;
}

async function answer(
  edge: ReceiverEdge,
  bodies: Bodies,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const written = { samples: 0, histograms: 0, exemplars: 0 };
  let protocol: WriteProtocol = 'v1';
  let outcome: Answer;
  if (request.method === 'OPTIONS') {
    response.writeHead(204, { vary: 'Accept-Encoding, Origin' }).end();
    return;
  }
  if (request.method !== 'POST')
    outcome = { status: 405, text: 'Method Not Allowed', headers: { allow: 'OPTIONS, POST' } };
  else
    try {
      protocol = protocolOf(request.headers['content-type'] ?? '');
      checkEncoding(request.headers['content-encoding']);
      const tenant = tenantOf((name) => request.headers[name] as string | undefined);
      const reply = await takeIn(edge, bodies, request, { tenant, protocol });
      written.samples = reply.samples;
      written.histograms = reply.histograms;
      written.exemplars = reply.exemplars;
      outcome = { status: reply.status, text: reply.text };
    } catch (error) {
      outcome = outcomeOf(error);
    }
  edge.onAnswer(outcome.status);
  if (response.destroyed) return;
  const headers: Record<string, string> = { ...outcome.headers };
  if (protocol === 'v2') {
    headers['x-prometheus-remote-write-samples-written'] = String(written.samples);
    headers['x-prometheus-remote-write-histograms-written'] = String(written.histograms);
    headers['x-prometheus-remote-write-exemplars-written'] = String(written.exemplars);
  }
  send(request, response, { ...outcome, headers });
}

function send(request: IncomingMessage, response: ServerResponse, { status, text, headers }: Answer): void {
  if (text === '') {
    response.writeHead(status, headers).end();
    return;
  }
  const body = Buffer.from(`${text}\n`);
  response.writeHead(status, {
    ...headers,
    'content-type': 'text/plain; charset=utf-8',
    'content-length': body.length,
    'x-content-type-options': 'nosniff',
  });
  if (request.complete) {
    response.end(body);
    return;
  }
  // Closing on a sender that still writes would take the answer from it: the rest of its body is read and thrown away first.
  response.write(body);
  const end = (): void => void response.end();
  let left = LEFTOVER_BYTES_MAX;
  request.on('data', (chunk: Buffer) => {
    left -= chunk.length;
    if (left < 0) end();
  });
  request.once('end', end);
  request.once('close', end);
}

/** Bytes that are read of a body nobody wants. */
const LEFTOVER_BYTES_MAX = 64 * 1024 * 1024;

// The body counts against the budget until its samples are in the log or refused.
async function takeIn(
  edge: ReceiverEdge,
  bodies: Bodies,
  request: IncomingMessage,
  to: { readonly tenant: string; readonly protocol: WriteProtocol },
): Promise<WriteReply> {
  const held = { bytes: 0 };
  try {
    const body = await readBody(request, edge.config.receiver.body_bytes_max, bodies, held);
    return await edge.actor.ask('write', { ...to, body });
  } finally {
    bodies.bytes -= held.bytes;
  }
}

function outcomeOf(error: unknown): Answer {
  if (error instanceof Unsupported) return { status: 415, text: error.message };
  const { code, message } = asDomainError(error);
  const status = STATUS[code];
  const later = status === 503 || status === 429;
  return { status, text: message, ...(later ? { headers: { 'retry-after': RETRY_SECONDS } } : {}) };
}

/** Seconds after which a sender that is turned away may come again. */
const RETRY_SECONDS = '5';

const STATUS: Record<ErrorCode, number> = {
  bad_data: 400,
  config: 400,
  corrupt: 400,
  execution: 400,
  too_large: 413,
  limited: 429,
  unavailable: 503,
  timeout: 503,
  full: 503,
  canceled: 503,
  not_found: 503,
  conflict: 503,
  internal: 500,
};

/** Answered with 415. */
class Unsupported extends Error {}

function protocolOf(header: string): WriteProtocol {
  const contentType = header.trim() === '' ? MEDIA_TYPE : header.trim();
  const [media, ...parameters] = contentType.split(';');
  if (media !== MEDIA_TYPE)
    throw new Unsupported(
      `expected ${MEDIA_TYPE} as the first (media) part, got ${contentType} content-type`,
    );
  for (const parameter of parameters) {
    const [name, value, ...more] = parameter.trim().split('=');
    if (value === undefined || more.length > 0)
      throw new Unsupported(
        `as per https://www.rfc-editor.org/rfc/rfc9110#parameter expected parameters to be key-values, got ${parameter} in ${contentType} content-type`,
      );
    if (name !== 'proto') continue;
    const protocol = MESSAGES[value];
    if (protocol === undefined)
      throw new Unsupported(
        `got ${contentType} content type; unknown type for remote write protobuf message ${value}, supported: ${Object.keys(MESSAGES).join(', ')}`,
      );
    return protocol;
  }
  return 'v1';
}

function checkEncoding(header: string | undefined): void {
  if (header === undefined || header === '' || header === 'snappy') return;
  throw new Unsupported(
    `${header} encoding (compression) is not accepted by this server; only snappy is acceptable`,
  );
}

/** Bytes of bodies in memory, of all requests. */
interface Bodies {
  bytes: number;
  readonly bytesMax: number;
}

// Not by `for await`: leaving that loop destroys the socket before the answer is out.
function readBody(
  request: IncomingMessage,
  bytesMax: number,
  bodies: Bodies,
  held: { bytes: number },
): Promise<Uint8Array> {
  const announced = Number(request.headers['content-length'] ?? 0);
  if (announced > bytesMax) return Promise.reject(tooLarge(announced, bytesMax));
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const fail = (error: DomainError): void => {
      request.removeAllListeners('data');
      chunks.length = 0;
      reject(error);
    };
    request.on('data', (chunk: Buffer) => {
      held.bytes += chunk.length;
      bodies.bytes += chunk.length;
      chunks.push(chunk);
      if (held.bytes > bytesMax) fail(tooLarge(held.bytes, bytesMax));
      else if (bodies.bytes > bodies.bytesMax) fail(tooBusy(bodies));
    });
    request.once('end', () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, held.bytes)));
    request.once('close', () => fail(new DomainError('canceled', 'the sender went away')));
    request.once('error', () => fail(new DomainError('canceled', 'the sender went away')));
  });
}

function tooLarge(bytes: number, bytesMax: number): DomainError {
  return new DomainError(
    'too_large',
    `request body of ${bytes} bytes is larger than the limit receiver.body_bytes_max of ${bytesMax} bytes`,
  );
}

function tooBusy({ bytes, bytesMax }: Bodies): DomainError {
  return new DomainError(
    'unavailable',
    `${bytes} bytes of request bodies are in memory (limit receiver.bodies_bytes_max ${bytesMax}); try again later`,
  );
}
