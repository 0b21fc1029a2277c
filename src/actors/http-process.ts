// What every process answers over HTTP whatever its roles: health, readiness, metrics, version, the status page.

import { Hono } from 'hono';
import { errorText } from '../model/errors.ts';
import type { Metrics } from '../platform/metrics.ts';
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
  app.on(['GET', 'HEAD'], '/-/healthy', (http) => http.text('Skein is Healthy.\n'));
  app.on(['GET', 'HEAD'], '/-/ready', (http) => {
    const reason = edge.unready();
    return reason === undefined
      ? http.text('Skein is Ready.\n')
      : http.text(`Service Unavailable: ${reason}\n`, 503);
  });
  app.get('/metrics', async (http) => {
    const { contentType, text } = await edge.metrics.expose();
    return http.body(text, 200, { 'content-type': contentType });
  });
  app.get('/-/targets', async (http) => http.json(await edge.targets()));
  app.get('/version', (http) => http.json({ version: edge.version }));
  app.get('/', async (http) => {
    try {
      return http.html(statusPage(await edge.status(new URL(http.req.url).origin)));
    } catch (error) {
      return http.text(`cannot show the status: ${errorText(error)}\n`, 503);
    }
  });
  return app;
}
