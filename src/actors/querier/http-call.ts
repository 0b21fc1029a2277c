// One call of the Prometheus HTTP API: its parameters, its tenant, and how its answer or error goes out.

import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import { errorJson, noteTexts, successJson } from '../../codec/prom-json.ts';
import type { RowPrinter } from '../../codec/row-printer.ts';
import { asDomainError, DomainError, type ErrorCode } from '../../model/errors.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Config } from '../../platform/config.ts';
import type { MemoryPool } from '../../platform/memory.ts';
import type { Turns } from '../../platform/turns.ts';
import type { ActorRef } from '../runtime.ts';
import { tenantOf } from '../tenant.ts';
import { type Form, readForm } from './http-params.ts';
import { respond } from './http-respond.ts';
import type { Asked, Caller, QuerierMessages } from './messages.ts';

/** What the edge needs to know of its process. */
export interface QuerierEdge {
  readonly actor: ActorRef<QuerierMessages>;
  readonly config: Config;
  readonly clock: Clock;
  /** Working memory of all queries of the process, in which answers count until they are sent, and what making them takes turns by. */
  readonly memory?: MemoryPool;
  readonly turns?: Turns;
  readonly processId: string;
  readonly version: string;
  readonly startedMs: number;
  /** Command-line flags as given, for status/flags. */
  readonly flags: Readonly<Record<string, string>>;
  readonly hostname: string;
  readonly folder: string;
  /** Prints results faster than the querier itself, where it is there. */
  readonly printer?: RowPrinter | undefined;
}

/** A request whose parameters are read. */
export interface Call extends Form {
  readonly asked: Asked;
  readonly request: Request;
  readonly http: Context;
}

/** What an answer says beside its data. */
export interface Notes {
  readonly warnings?: readonly string[];
  readonly partial?: boolean;
}

// Prometheus has 500 for `unavailable`; here it means that trying again soon will help, which is what 503 says.
const HTTP_STATUS: Record<ErrorCode, readonly [type: string, status: number]> = {
  bad_data: ['bad_data', 400],
  config: ['bad_data', 400],
  execution: ['execution', 422],
  too_large: ['execution', 422],
  limited: ['too_many_requests', 429], // as Mimir
  canceled: ['canceled', 499],
  timeout: ['timeout', 503],
  unavailable: ['unavailable', 503],
  full: ['unavailable', 503],
  not_found: ['not_found', 404],
  conflict: ['internal', 500],
  corrupt: ['internal', 500],
  internal: ['internal', 500],
};

/** Reads a call, answers it, translates what it throws. */
export async function answerCall(
  http: Context,
  answer: (call: Call) => Response | Promise<Response>,
): Promise<Response> {
  const request = http.req.raw;
  try {
    const form = await readForm(request);
    const partial = form.params.get('partial_response');
    const asked: Asked = {
      tenant: tenantOf((name) => request.headers.get(name)),
      signal: request.signal,
      ...callerOf(http),
      ...(partial === null ? {} : { partialResponse: partial === 'true' || partial === '1' }),
      ...consistencyOf(request.headers.get('x-read-consistency') ?? ''),
    };
    return await answer({ ...form, asked, request, http });
  } catch (error) {
    const { code, message } = asDomainError(error);
    const [errorType, status] = HTTP_STATUS[code];
    const retry = code === 'unavailable' || code === 'full' || code === 'limited';
    return respond(request, [errorJson(errorType, message)], status, retry ? { 'retry-after': '5' } : {});
  }
}

// The address is not there when a request did not come over a socket.
function callerOf({ env, req }: Context): { caller?: Caller } {
  const { incoming } = env as Partial<HttpBindings>;
  const address = incoming?.socket.remoteAddress;
  if (address === undefined) return {};
  return { caller: { address: address.replace(/^::ffff:/, ''), method: req.method, path: req.path } };
}

function consistencyOf(text: string): { strong?: boolean } {
  if (text === '' || text === 'bounded') return {};
  if (text === 'strong') return { strong: true };
  throw new DomainError(
    'bad_data',
    `X-Read-Consistency is "${text.slice(0, 50)}": allowed are strong and bounded`,
  );
}

/** A successful answer with data that is not large. */
export function success(call: Call, data: unknown, { warnings = [], partial = false }: Notes = {}): Response {
  const notes = noteTexts([], warnings);
  return respond(call.request, [successJson(JSON.stringify(data), notes)], 200, partialHeaders(partial));
}

/** Headers that tell that some partition is missing; caches must not keep such an answer. */
export function partialHeaders(partial: boolean): Record<string, string> {
  return partial ? { 'cache-control': 'no-store', 'x-skein-partial': 'true' } : {};
}
