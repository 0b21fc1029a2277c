// What every process answers over HTTP whatever its roles: health, readiness, metrics, version, the status page.

import { type Context, Hono } from 'hono';
import { errorText } from '../model/errors.ts';
import type { Metrics } from '../platform/metrics.ts';
import { plainText, route } from './http-answers.ts';
import type { StatusFacts } from './status-page.ts';
import { statusPage } from './status-page.ts';

/** What the process-wide routes need. */
export interface ProcessEdge {
  readonly metrics: Metrics;
  readonly version: string;
  /** undefined when ready; else what is missing, as a sentence. */
  readonly unready: () => string | undefined;
  readonly status: (url: string) => Promise<StatusFacts>;
  /** Every process of the cluster, for Prometheus's HTTP service discovery. */
  readonly targets: () => Promise<
    readonly { readonly targets: readonly string[]; readonly labels: Record<string, string> }[]
  >;
}

/** The routes outside /api/v1. */
export function processRoutes(edge: ProcessEdge): Hono {
  const app = new Hono();
  const at = (
    path: string,
    methods: readonly string[],
    answer: (http: Context) => Response | Promise<Response>,
  ): void => {
    route(
      app,
      path,
      methods,
      answer,
      (_http, allow) => new Response(null, { status: 200, headers: { allow } }),
    );
  };
  at('/-/healthy', ['GET', 'HEAD'], () => plainText('Skein is Healthy.\n', 200));
  at('/-/ready', ['GET', 'HEAD'], () => {
    const reason = edge.unready();
    return reason === undefined
      ? plainText('Skein is Ready.\n', 200)
      : plainText(`Service Unavailable: ${reason}\n`, 503);
  });
  at('/metrics', ['GET'], async (http) => {
    const { contentType, text } = await edge.metrics.expose();
    return http.body(text, 200, { 'content-type': contentType });
  });
  at('/-/targets', ['GET'], async (http) => http.json(await edge.targets()));
  at('/-/cluster', ['GET'], async (http) => http.json(await edge.status(new URL(http.req.url).origin)));
  at('/version', ['GET'], (http) => http.json(versionInfo(edge.version)));
  at('/', ['GET', 'HEAD'], async (http) => {
    try {
      return http.html(statusPage(await edge.status(new URL(http.req.url).origin)));
    } catch (error) {
      return plainText(`cannot show the status: ${errorText(error)}\n`, 503);
    }
  });
  return app;
}

function versionInfo(version: string): Record<string, string> {
  return {
    version,
    revision: '',
    branch: '',
    buildUser: '',
    buildDate: '',
    goVersion: `node ${process.version}`,
  };
}
