// The HTTP application of a process: one address for all roles. It can listen before the roles are there; until then every
// request is answered 503 "starting".

import { Hono } from 'hono';
import type { Clock } from '../platform/clock.ts';
import { notFound, plainText } from './http-answers.ts';
import { type HttpLimits, type HttpServer, listen, type RawHandler } from './http-server.ts';

/** An HTTP address whose routes are filled in once the process is up. */
export interface HttpApp {
  readonly server: HttpServer;
  /** Puts routes in place, in order; may be called once. */
  mount(routes: readonly { readonly path: string; readonly app: Hono }[], raw?: RawHandler): void;
}

/** Listens at once and answers 503 until routes are mounted. */
export async function openHttpApp(address: string, limits: HttpLimits, clock: Clock): Promise<HttpApp> {
  const state: { app: Hono | undefined; raw: RawHandler | undefined } = { app: undefined, raw: undefined };
  const front = new Hono();
  front.all('*', (http) =>
    state.app
      ? state.app.fetch(http.req.raw, http.env)
      : plainText('Service Unavailable: Skein is starting\n', 503, { 'retry-after': '1' }),
  );
  const server = await listen(address, front, {
    ...limits,
    clock,
    raw: (request, response) => state.raw?.(request, response) ?? false,
  });
  return {
    server,
    mount(routes, raw) {
      const app = new Hono();
      for (const { path, app: part } of routes) app.route(path, part);
      app.notFound(() => notFound());
      state.app = app;
      state.raw = raw;
    },
  };
}
