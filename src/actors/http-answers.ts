// Answers that are the same at every edge: plain text as Go's http.Error writes it, and what a path says to methods it lacks.

import type { Context, Hono } from 'hono';

const PLAIN = 'text/plain; charset=utf-8';

/** A plain text answer. */
export function plainText(
  text: string,
  status: number,
  headers: Readonly<Record<string, string>> = {},
): Response {
  return new Response(text, { status, headers: { 'content-type': PLAIN, ...headers } });
}

/** 404 as Prometheus writes it. */
export function notFound(): Response {
  return plainText('404 page not found\n', 404, { 'x-content-type-options': 'nosniff' });
}

/** The Allow header of a path: its methods and OPTIONS. */
export function allowed(methods: readonly string[]): string {
  return [...methods, 'OPTIONS'].sort().join(', ');
}

/** Routes `path` to `answer` for exactly these methods; others get 405, OPTIONS what `options` says. */
export function route(
  app: Hono,
  path: string,
  methods: readonly string[],
  answer: (http: Context) => Response | Promise<Response>,
  options: (http: Context, allow: string) => Response,
): void {
  const allow = allowed(methods);
  app.all(path, (http) => {
    if (methods.includes(http.req.method)) return answer(http);
    if (http.req.method === 'OPTIONS') return options(http, allow);
    return plainText('Method Not Allowed\n', 405, { allow, 'x-content-type-options': 'nosniff' });
  });
}
