// Queries that wait or run, seen and cut off through any querier of the cluster.

import { expect, it } from 'vitest';
import type { QuerierMessages } from '../../../src/actors/querier/messages.ts';
import type { ActorRef } from '../../../src/actors/runtime.ts';
import type { ActiveQuery } from '../../../src/model/active-query.ts';
import { asking, startQueriers } from './rig.ts';

const RANGE = { query: 'sum(rate(m[5m]))', startMs: 60_000, endMs: 120_000, stepMs: 15_000 };
const INSTANT = { query: 'm', startMs: 60_000, endMs: 60_000, stepMs: 0 };
const { signal } = new AbortController();

const list = async (actor: ActorRef<QuerierMessages>, tenant?: string): Promise<readonly ActiveQuery[]> =>
  (await actor.ask('active', { signal, ...(tenant === undefined ? {} : { tenant }) })).rows;

it('active queries of every process are listed by any, with what they are and how old', async () => {
  const { clock, processes, answer } = await startQueriers(['p-1', 'p2'], {
    'query.concurrency_max': '1',
    'query.light_samples_max': '0',
  });
  const { actor: first } = processes.get('p-1')!;
  const { actor: second, metrics } = processes.get('p2')!;
  const since = clock.now();
  const running = first.ask('query', { ...asking('a'), ...RANGE });
  await clock.advance(1500);
  const queued = first.ask('query', { ...asking('a'), ...INSTANT });
  const elsewhere = second.ask('query', { ...asking('b'), ...INSTANT });
  await clock.advance(500);
  for (const actor of [first, second])
    expect(await list(actor)).toMatchObject([
      {
        process: 'p-1',
        tenant: 'a',
        query: RANGE.query,
        kind: 'query_range',
        start: 60_000,
        end: 120_000,
        step: 15_000,
        state: 'running',
        since,
        ageMs: 2000,
        samples: 0,
        memoryBytes: 0,
      },
      { process: 'p-1', tenant: 'a', kind: 'query', state: 'queued', ageMs: 500 },
      { process: 'p2', tenant: 'b', kind: 'query', state: 'running', ageMs: 500 },
    ]);
  expect((await list(first, 'b')).map(({ process }) => process)).toEqual(['p2']);
  expect((await metrics.expose()).text).toContain('prometheus_engine_queries 1\n');
  for (const tenant of ['a', 'b', 'a']) expect(await answer(tenant)).toBe(true);
  await Promise.all([running, elsewhere, queued]);
  expect(await list(second)).toEqual([]);
});

it('a query is killed from another process at once, and its client learns by whom', async () => {
  const { clock, processes, working } = await startQueriers(['p-1', 'p2']);
  const { actor: first } = processes.get('p-1')!;
  const { actor: second, lines } = processes.get('p2')!;
  const victim = first.ask('query', { ...asking('a'), ...RANGE }).catch((error) => error);
  await clock.advance(10);
  expect(working()).toEqual(['a']);
  const [{ id } = { id: '' }] = await list(second);
  for (const [wrong, tenant] of [
    [id, 'b'],
    [`${id}0`, 'a'],
    ['p-3-x-1', 'a'],
    ['*', 'a'],
  ] as const)
    await expect(second.ask('kill', { id: wrong, tenant, by: 'me', signal })).rejects.toMatchObject({
      code: 'not_found',
    });
  expect(await second.ask('kill', { id, tenant: 'a', by: 'me', signal })).toMatchObject({ id });
  expect(await victim).toMatchObject({ code: 'canceled', message: 'query was canceled: killed by me' });
  await clock.advance(0);
  expect([working(), await list(first)]).toEqual([[], []]);
  expect(lines).toMatchObject([{ message: 'query killed', fields: { id, tenant: 'a', by: 'me' } }]);
});

it('a process that does not answer is named, and the queries of the others are listed', async () => {
  const { clock, processes } = await startQueriers(['p1', 'p2']);
  const { actor } = processes.get('p1')!;
  const running = actor.ask('query', { ...asking('a'), ...RANGE }).catch((error) => error);
  await processes.get('p2')!.actor.stop();
  const { rows, warnings, partial } = await actor.ask('active', { signal });
  expect([rows.length, partial, warnings.length]).toEqual([1, true, 1]);
  expect(warnings[0]).toMatch(/^the queries of process p2 are missing: /);
  await actor.ask('kill', { id: rows[0]!.id, by: 'me', signal });
  await clock.advance(0);
  expect(await running).toMatchObject({ code: 'canceled' });
});
