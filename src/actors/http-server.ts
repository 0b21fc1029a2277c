// The HTTP address of a process: one Hono app for all roles in it, listening sockets, connection limits, graceful stop.
// Role edges (`<role>/http.ts`) add their routes; what every process answers is here.

import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:http';
import type { Socket } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import type { Hono } from 'hono';
import { DomainError } from '../model/errors.ts';
import type { Clock } from '../platform/clock.ts';

/** A listening server. */
export interface HttpServer {
  /** HOST:PORT really listened on (the port when 0 was asked for). */
  readonly address: string;
  /** Stops accepting, lets requests under way finish up to the drain timeout, closes. */
  stop(drainMs: number): Promise<void>;
}

/** A request handled before Hono sees it; returns true when it took the request. Used by the write path only. */
export type RawHandler = (request: IncomingMessage, response: ServerResponse) => boolean;

/** Limits of a server. */
export interface HttpLimits {
  /** Connections at once; a request on one more is answered 503. */
  readonly connectionsMax: number;
  /** Longest time a request may take to arrive, ms. */
  readonly readTimeoutMs: number;
}

/** Long queries travel in the address: three bytes for each of query.text_bytes_max in the worst case is more than this. */
const HEADER_BYTES_MAX = 256 * 1024;
const KEEP_ALIVE_MS = 75_000;
/** Connections beyond the limit that are told so; still more are closed without a word. */
const REFUSED_MAX = 64;
const TIMEOUT_CHECK_MS_MAX = 10_000;

/** Starts listening. `config` error when the port is taken or the address not ours. */
export async function listen(
  address: string,
  app: Hono,
  options: HttpLimits & { readonly raw?: RawHandler; readonly clock: Clock },
): Promise<HttpServer> {
  const { host, port } = splitAddress(address);
  const { connectionsMax, readTimeoutMs } = options;
  const viaHono = getRequestListener(app.fetch);
  const extra = new WeakSet<Socket>();
  const server = createServer(
    {
      keepAliveTimeout: KEEP_ALIVE_MS,
      maxHeaderSize: HEADER_BYTES_MAX,
      headersTimeout: Math.min(readTimeoutMs, 60_000),
      requestTimeout: readTimeoutMs,
      connectionsCheckingInterval: Math.min(TIMEOUT_CHECK_MS_MAX, readTimeoutMs / 2),
    },
    (request, response) => {
      if (extra.has(request.socket)) refuse(response, connectionsMax);
      else if (!options.raw?.(request, response)) void viaHono(request, response);
    },
  );
  server.maxConnections = connectionsMax + REFUSED_MAX;
  let connections = 0;
  server.on('connection', (socket: Socket) => {
    if (++connections > connectionsMax) extra.add(socket);
    socket.once('close', () => connections--);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(explain(error, address)));
    server.listen(port, host, () => resolve());
  });
  const bound = server.address();
  const boundPort = typeof bound === 'object' && bound !== null ? bound.port : port;
  return {
    address: `${host.includes(':') ? `[${host}]` : host}:${boundPort}`,
    stop: (drainMs) => stopServer(server, drainMs, options.clock),
  };
}

function refuse(response: ServerResponse, connectionsMax: number): void {
  const headers = { 'content-type': 'text/plain; charset=utf-8', 'retry-after': '5', connection: 'close' };
  response
    .writeHead(503, headers)
    .end(
      `Service Unavailable: ${connectionsMax} connections are open, the limit limits.http_connections_max\n`,
    );
}

function splitAddress(address: string): { host: string; port: number } {
  const colon = address.lastIndexOf(':');
  const host = address.slice(0, colon).replace(/^\[|\]$/g, '');
  return { host: host === '' ? '0.0.0.0' : host, port: Number(address.slice(colon + 1)) };
}

function explain(error: NodeJS.ErrnoException, address: string): DomainError {
  if (error.code === 'EADDRINUSE')
    return new DomainError(
      'config',
      `cannot listen on ${address}: another process uses that port; stop it or choose another with --listen HOST:PORT`,
      { cause: error },
    );
  if (error.code === 'EACCES')
    return new DomainError(
      'config',
      `cannot listen on ${address}: this user may not open that port; choose one above 1023 with --listen HOST:PORT`,
      { cause: error },
    );
  return new DomainError('config', `cannot listen on ${address}: ${error.message}`, { cause: error });
}

async function stopServer(server: Server, drainMs: number, clock: Clock): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const idle = clock.every(100, () => server.closeIdleConnections());
  const hard = clock.after(drainMs, () => server.closeAllConnections());
  await closed;
  idle();
  hard();
}
