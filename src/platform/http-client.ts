// Outgoing HTTP: the port for actors that speak to an HTTP address as any user would, and its real implementation on fetch.

import { DomainError, errorText } from '../model/errors.ts';
import { linkedController } from './abort.ts';
import type { Clock } from './clock.ts';

/** A request to make. */
export interface HttpRequest {
  readonly method: 'GET' | 'POST';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
  /** Longest wait for the whole answer. */
  readonly timeoutMs: number;
  /** Longest answer. */
  readonly bytesMax: number;
  readonly signal: AbortSignal;
}

/** An answer, whatever its status. */
export interface HttpAnswer {
  readonly status: number;
  /** Value of a header, by its name in lower case. */
  readonly header: (name: string) => string | undefined;
  readonly body: Uint8Array;
}

/** Makes requests. Errors: `timeout`, `too_large`, `canceled` (the signal), `unavailable` (no connection, or it broke). */
export interface HttpClient {
  send(request: HttpRequest): Promise<HttpAnswer>;
}

const TOO_LATE = 'too late';

/** HTTP through the network. A redirect is an answer like any other. */
export function realHttpClient(clock: Clock): HttpClient {
  return {
    async send(request) {
      const work = linkedController(request.signal);
      const cancel = clock.after(request.timeoutMs, () => work.abort(TOO_LATE));
      try {
        const response = await fetch(request.url, {
          method: request.method,
          headers: request.headers,
          redirect: 'manual',
          signal: work.signal,
          ...(request.body === undefined ? {} : { body: request.body as Uint8Array<ArrayBuffer> }),
        });
        const body = await readBody(response, request);
        const header = (name: string): string | undefined => response.headers.get(name) ?? undefined;
        return { status: response.status, header, body };
      } catch (error) {
        throw translate(error, request, work.signal.reason === TOO_LATE);
      } finally {
        cancel();
        work.unlink();
      }
    },
  };
}

async function readBody(response: Response, { url, bytesMax }: HttpRequest): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > bytesMax)
      throw new DomainError(
        'too_large',
        `cannot read the answer of ${url}: it is longer than ${bytesMax} bytes`,
      );
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length);
}

function translate(error: unknown, { url, timeoutMs, signal }: HttpRequest, tooLate: boolean): DomainError {
  if (error instanceof DomainError) return error;
  const options = { cause: error };
  if (signal.aborted)
    return new DomainError('canceled', `the request to ${url} is not wanted any more`, options);
  if (tooLate)
    return new DomainError('timeout', `cannot reach ${url}: no whole answer within ${timeoutMs} ms`, options);
  // fetch says "fetch failed"; what failed is its cause.
  const reason = error instanceof Error && error.cause !== undefined ? error.cause : error;
  return new DomainError('unavailable', `cannot reach ${url}: ${errorText(reason)}`, options);
}
