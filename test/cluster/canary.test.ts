// The canary against real processes: nothing is lost where nothing is, whoever is killed; an acknowledgement without a write is found out.

import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { rawRequest } from '../helpers/raw-http.ts';
import { type SkeinServer, startSkein } from '../helpers/skein-server.ts';
import { until } from './rig.ts';

const QUICK = ['--canary.interval', '1s', '--canary.settle', '2s'];
const LOST = 'skein_canary_lost_samples_total{window="recent"}';
const LOST_OLDER = 'skein_canary_lost_samples_total{window="older"}';
const CHECKED = 'skein_canary_checked_samples_total{window="recent"}';
const NOTHING_WRONG = {
  [LOST]: 0,
  [LOST_OLDER]: 0,
  skein_canary_lost_ratio: 0,
  skein_canary_wrong_samples_total: 0,
  skein_canary_doubled_samples_total: 0,
  skein_canary_wrong_counts_total: 0,
  skein_canary_found_again_samples_total: 0,
};

const undo: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

async function start(flags: readonly string[]): Promise<SkeinServer> {
  const server = await startSkein(flags);
  undo.push(() => server.dispose());
  return server;
}

async function metrics(server: SkeinServer): Promise<Record<string, number>> {
  const { body } = await rawRequest(server.url, { path: '/metrics' });
  const lines = body.toString().match(/^skein_canary_\S+ \S+$/gm) ?? [];
  return Object.fromEntries(
    lines.map((line) => line.split(' ')).map(([name, value]) => [name, Number(value)]),
  );
}

/** Waits until a metric is at least `value`. */
async function reached(server: SkeinServer, name: string, value: number): Promise<void> {
  let last: Record<string, number> = {};
  await until(
    60_000,
    async () => ((last = await metrics(server))[name] ?? 0) >= value,
    () => JSON.stringify(last),
  );
}

/** A receiver that acknowledges everything and keeps nothing. */
async function liar(): Promise<string> {
  const server: Server = createServer((request, response) => {
    request.resume().on('end', () => response.writeHead(204).end());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  undo.push(async () => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1/write`;
}

describe('a canary', () => {
  it('finds nothing wrong with the process it is in, before and after kill -9', async () => {
    const server = await start(['--canary.enabled', 'true', ...QUICK]);
    // 15 intervals of 100 series at least, each looked at several times.
    await reached(server, 'skein_canary_acknowledged_samples_total', 1500);
    await reached(server, CHECKED, 5000);
    const before = await metrics(server);
    expect(before).toMatchObject(NOTHING_WRONG);
    expect(before['skein_canary_freshness_seconds']).toBeLessThan(5);
    const page = (await rawRequest(server.url, { path: '/' })).body.toString();
    expect(page).toContain('receiver, shard, querier, canary');
    await server.kill();
    await server.start();
    await reached(server, CHECKED, 1000);
    expect(await metrics(server)).toMatchObject(NOTHING_WRONG);
  });

  it('watches another process from outside, through a kill of it', async () => {
    const watched = await start([]);
    const urls = ['--canary.write_url', `${watched.url}/api/v1/write`, '--canary.query_url', watched.url];
    const canary = await start(['--roles', 'canary', ...urls, ...QUICK]);
    await reached(canary, CHECKED, 1000);
    await watched.kill();
    await reached(canary, 'skein_canary_write_failures_total{reason="unavailable"}', 2);
    await watched.start();
    const { skein_canary_acknowledged_samples_total: acknowledged } = await metrics(canary);
    await reached(canary, 'skein_canary_acknowledged_samples_total', acknowledged! + 1000);
    const { [CHECKED]: checked } = await metrics(canary);
    await reached(canary, CHECKED, checked! + 10_000);
    expect(await metrics(canary)).toMatchObject(NOTHING_WRONG);
  });

  it('says so when what was acknowledged is not there', async () => {
    const watched = await start([]);
    const urls = ['--canary.write_url', await liar(), '--canary.query_url', watched.url];
    const canary = await start(['--roles', 'canary', ...urls, ...QUICK]);
    await reached(canary, LOST, 100);
    expect(await metrics(canary)).toMatchObject({ skein_canary_lost_ratio: 1 });
  });
});
