// Puts JSON on the wire: with the CORS headers of Prometheus, compressed when the caller asks for it, and in pieces as the
// socket takes them when it is more than fits one.

import { Readable } from 'node:stream';
import { createDeflate, createGzip, deflateSync, gzipSync } from 'node:zlib';
import type { Pause } from '../../model/pause.ts';

/** A body up to this length is sent whole, with its Content-Length. */
const WHOLE_BYTES_MAX = 256 * 1024;
/** Below this compressing costs more than it saves. */
const COMPRESS_BYTES_MIN = 1024;
const LEVEL = { level: 1 };

type Packing = 'gzip' | 'deflate' | undefined;

/** What the pieces of an answer are made from: held until the last piece is made, or nobody wants more. */
export interface Hold {
  /** Aborts when the reader takes too long. */
  readonly signal: AbortSignal;
  /** To be called once or more. */
  readonly release: () => void;
  /** Called before each piece. */
  readonly pause: Pause;
}

/** A JSON response whose body is made piece by piece while it is sent. */
export function respond(
  request: Request,
  pieces: Iterable<string | Uint8Array<ArrayBuffer>>,
  status: number,
  headers: Readonly<Record<string, string>> = {},
  hold?: Hold,
): Response {
  const all: Record<string, string> = {
    'content-type': 'application/json',
    ...corsHeaders(request),
    ...headers,
  };
  const source = bytesOf(pieces);
  const { body, more } = beginning(source);
  const packing = body.length < COMPRESS_BYTES_MIN ? undefined : packingOf(request);
  if (packing !== undefined) all['content-encoding'] = packing;
  if (more) return new Response(streamBody(body, source, packing, hold), { status, headers: all });
  hold?.release();
  return new Response(wholeBody(body, packing), { status, headers: all });
}

/** 204 with the headers every answer has. */
export function respondNothing(request: Request): Response {
  return new Response(null, { status: 204, headers: corsHeaders(request) });
}

function corsHeaders(request: Request): Record<string, string> {
  const headers: Record<string, string> = { vary: 'Accept-Encoding, Origin' };
  const origin = request.headers.get('origin');
  if (!origin) return headers;
  headers['access-control-allow-origin'] = origin;
  headers['access-control-allow-methods'] = 'GET, POST, OPTIONS';
  headers['access-control-allow-headers'] = 'Accept, Authorization, Content-Type, Origin';
  headers['access-control-expose-headers'] = 'Date, X-Skein-Partial';
  return headers;
}

// The first of gzip and deflate that the caller names and does not weigh with 0.
function packingOf(request: Request): Packing {
  for (const item of (request.headers.get('accept-encoding') ?? '').split(',')) {
    const [name, weight = ''] = item.split(';').map((part) => part.trim());
    if ((name === 'gzip' || name === 'deflate') && !/^q=0(\.0*)?$/.test(weight)) return name;
  }
  return undefined;
}

function* bytesOf(pieces: Iterable<string | Uint8Array<ArrayBuffer>>): Generator<Uint8Array<ArrayBuffer>> {
  for (const piece of pieces) yield typeof piece === 'string' ? Buffer.from(piece) : piece;
}

type Bytes = Iterator<Uint8Array<ArrayBuffer>>;

function beginning(source: Bytes): { body: Uint8Array<ArrayBuffer>; more: boolean } {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  let more = true;
  while (length <= WHOLE_BYTES_MAX) {
    const next = source.next();
    if (next.done) {
      more = false;
      break;
    }
    parts.push(next.value);
    length += next.value.length;
  }
  return { body: parts.length === 1 ? parts[0]! : Buffer.concat(parts), more };
}

function wholeBody(body: Uint8Array<ArrayBuffer>, packing: Packing): Uint8Array<ArrayBuffer> {
  if (packing === undefined) return body;
  return packing === 'gzip' ? gzipSync(body, LEVEL) : deflateSync(body, LEVEL);
}

function streamBody(
  first: Uint8Array<ArrayBuffer>,
  source: Bytes,
  packing: Packing,
  hold: Hold | undefined,
): ReadableStream<Uint8Array> {
  if (packing === undefined) return plainStream(first, source, hold);
  const compressor = packing === 'gzip' ? createGzip(LEVEL) : createDeflate(LEVEL);
  const plain = Readable.from(buffers(first, source, hold), { objectMode: false });
  plain.on('error', (error) => compressor.destroy(error));
  plain.on('close', () => hold?.release());
  compressor.on('close', () => plain.destroy());
  hold?.signal.addEventListener('abort', () => compressor.destroy(hold.signal.reason));
  return Readable.toWeb(plain.pipe(compressor)) as ReadableStream<Uint8Array>;
}

async function* buffers(
  first: Uint8Array<ArrayBuffer>,
  source: Bytes,
  hold: Hold | undefined,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  yield first;
  for (;;) {
    await hold?.pause();
    const next = source.next();
    if (next.done) return;
    yield next.value;
  }
}

function plainStream(
  first: Uint8Array<ArrayBuffer>,
  source: Bytes,
  hold: Hold | undefined,
): ReadableStream<Uint8Array> {
  const parts = buffers(first, source, hold);
  return new ReadableStream(
    {
      start(controller) {
        hold?.signal.addEventListener('abort', () => controller.error(hold.signal.reason));
      },
      async pull(controller) {
        const next = await parts.next();
        if (!next.done) return controller.enqueue(next.value);
        hold?.release();
        controller.close();
      },
      cancel() {
        hold?.release();
      },
    },
    { highWaterMark: 1 },
  );
}
