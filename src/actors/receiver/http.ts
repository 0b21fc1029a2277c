// The write edge: POST /api/v1/write and /api/v1/receive, straight on node:http because a body's chunks go to one buffer and
// nothing else. Status codes and headers follow Prometheus's remote write handler (client_golang exp/api/remote).

import type { IncomingMessage, ServerResponse } from 'node:http';
import { asDomainError, DomainError, type ErrorCode } from '../../model/errors.ts';
import type { Config } from '../../platform/config.ts';
import type { RawHandler } from '../http-server.ts';
import type { ActorRef } from '../runtime.ts';
import { tenantOf } from '../tenant.ts';
import type { WriteProtocol } from './ingest/ingestor.ts';
import type { ReceiverMessages } from './messages.ts';

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
  return (request, response) => {
    const path = (request.url ?? '').split('?', 1)[0]!;
    if (!PATHS.has(path)) return false;
    void answer(edge, request, response);
    return true;
  };
}

async function answer(edge: ReceiverEdge, request: IncomingMessage, response: ServerResponse): Promise<void> {
  let written = { samples: 0, exemplars: 0 };
  let protocol: WriteProtocol = 'v1';
  const finish = (status: number, text: string, extra: Record<string, string> = {}): void => {
    edge.onAnswer(status);
    if (response.destroyed) return;
    const headers: Record<string, string> = { ...extra };
    if (text !== '') headers['content-type'] = 'text/plain; charset=utf-8';
    if (protocol === 'v2') {
      headers['x-prometheus-remote-write-samples-written'] = String(written.samples);
      headers['x-prometheus-remote-write-histograms-written'] = '0';
      headers['x-prometheus-remote-write-exemplars-written'] = String(written.exemplars);
    }
    response.writeHead(status, headers).end(text === '' ? undefined : `${text}\n`);
    // What is left of a body nobody reads would be taken for the next request.
    if (!request.complete) request.destroy();
  };
  if (request.method !== 'POST') return finish(405, 'Method not allowed', { allow: 'POST' });
  try {
    protocol = protocolOf(request.headers['content-type'] ?? '');
    const encoding = request.headers['content-encoding'] ?? 'snappy';
    if (encoding !== 'snappy')
      throw new Unsupported(
        `${encoding} encoding (compression) is not accepted by this server; only snappy is acceptable`,
      );
    const tenant = tenantOf((name) => request.headers[name] as string | undefined);
    const body = await readBody(request, edge.config.receiver.body_bytes_max);
    const reply = await edge.actor.ask('write', { tenant, protocol, body });
    written = reply;
    finish(reply.status, reply.text);
  } catch (error) {
    if (error instanceof Unsupported) return finish(415, error.message);
    const failure = asDomainError(error);
    const status = STATUS[failure.code];
    finish(status, failure.message, status === 503 || status === 429 ? { 'retry-after': '5' } : {});
  }
}

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

async function readBody(request: IncomingMessage, bytesMax: number): Promise<Uint8Array> {
  const tooLarge = (bytes: number): DomainError =>
    new DomainError(
      'too_large',
      `request body of ${bytes} bytes is larger than the limit receiver.body_bytes_max of ${bytesMax} bytes`,
    );
  const announced = Number(request.headers['content-length'] ?? 0);
  if (announced > bytesMax) throw tooLarge(announced);
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > bytesMax) throw tooLarge(length);
    chunks.push(chunk);
  }
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, length);
}
