// Puts a JSON body on the wire: gzip or deflate when the caller accepts it and it pays, one piece after another.

import { promisify } from 'node:util';
import { deflate, gzip } from 'node:zlib';

const COMPRESS_BYTES_MIN = 1024;
const gzipBytes = promisify(gzip);
const deflateBytes = promisify(deflate);

/** A JSON response from pieces of text or UTF-8 bytes. */
export async function respond(
  request: Request,
  pieces: readonly (string | Uint8Array)[],
  status: number,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  const all: Record<string, string> = { 'content-type': 'application/json', ...headers };
  const body = join(pieces);
  const accepted = request.headers.get('accept-encoding') ?? '';
  if (body.length >= COMPRESS_BYTES_MIN && /\bgzip\b|\bdeflate\b/.test(accepted)) {
    const viaGzip = /\bgzip\b/.test(accepted);
    const packed = viaGzip ? await gzipBytes(body, { level: 1 }) : await deflateBytes(body, { level: 1 });
    return new Response(new Uint8Array(packed), {
      status,
      headers: { ...all, 'content-encoding': viaGzip ? 'gzip' : 'deflate', vary: 'Accept-Encoding' },
    });
  }
  return new Response(body as Uint8Array<ArrayBuffer>, { status, headers: all });
}

function join(pieces: readonly (string | Uint8Array)[]): Uint8Array {
  if (pieces.length === 1) return typeof pieces[0] === 'string' ? Buffer.from(pieces[0]) : pieces[0]!;
  return Buffer.concat(pieces.map((piece) => (typeof piece === 'string' ? Buffer.from(piece) : piece)));
}
