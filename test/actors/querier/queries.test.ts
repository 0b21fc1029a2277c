import { describe, expect, it } from 'vitest';
import { encodeReply } from '../../../src/query/exec/step-batch-codec.ts';
import { asking, startQueriers } from './rig.ts';

const INSTANT = { query: 'm', startMs: 60_000, endMs: 60_000, stepMs: 0 };
const ONE = { 'query.concurrency_max': '1', 'query.light_samples_max': '0' };

it('counts what shards reply, by kind', async () => {
  const { clock, processes, answer } = await startQueriers(['p']);
  const { actor, metrics } = processes.get('p')!;
  const asked = actor.ask('query', { ...asking('a'), ...INSTANT });
  await clock.advance(100);
  await answer('a', 1);
  await asked;
  const { length } = encodeReply({ kind: 'statistics', samplesRead: 7, samplesQueryable: 9, seriesSeen: 1 });
  const { text } = await metrics.expose();
  expect(text).toContain(`skein_query_reply_bytes_total{kind="statistics"} ${length}\n`);
});

describe('a query that waits for its turn', () => {
  it('is answered in turn with another tenant, and its wait is counted', async () => {
    const { clock, processes, answer, working } = await startQueriers(['p'], ONE);
    const { actor, metrics } = processes.get('p')!;
    const ask = (tenant: string) => actor.ask('query', { ...asking(tenant), ...INSTANT });
    const flood = Array.from({ length: 4 }, () => ask('a'));
    await clock.advance(100);
    const other = ask('b');
    await clock.advance(100);
    const { text } = await metrics.expose();
    expect(text).toContain('cortex_query_scheduler_queue_length{user="a"} 3\n');
    expect(text).toContain('prometheus_engine_queries 5\n');
    await answer('a');
    await answer('a');
    expect(working()).toEqual(['b']);
    await answer('b');
    expect((await other).queuedMs).toBe(100);
    expect((await flood[1]!).queuedMs).toBe(200);
    for (const _ of flood.slice(2)) await answer('a');
    await Promise.all(flood);
    const after = (await metrics.expose()).text;
    expect(after).toMatch(/duration_histogram_seconds_count\{slice="queue_time"\} 5\n/);
    expect(after).not.toContain('queue_length{');
  });

  it('counts its wait for its time limit, and leaves the queue when that is over, when it is killed and when nobody waits', async () => {
    const { clock, processes, answer, working } = await startQueriers(['p'], ONE);
    const { actor, metrics } = processes.get('p')!;
    const first = actor.ask('query', { ...asking('a'), ...INSTANT });
    await clock.advance(1);
    const ask = (more: object) =>
      actor.ask('query', { ...asking('a'), ...INSTANT, ...more }).catch((error) => error);
    const late = ask({ timeoutMs: 500 });
    const killed = ask({ query: 'killed' });
    const gone = asking('a');
    const left = ask(gone);
    await clock.advance(400);
    gone.controller.abort('the client went away');
    const { signal } = new AbortController();
    const { rows } = await actor.ask('active', { signal });
    const { id } = rows.find(({ query }) => query === 'killed')!;
    await actor.ask('kill', { id, by: 'me', signal });
    await clock.advance(100);
    expect(await late).toMatchObject({ code: 'timeout', message: 'query timed out in query queue' });
    expect(await killed).toMatchObject({ code: 'canceled', message: 'query was canceled: killed by me' });
    expect(await left).toMatchObject({ message: 'the client went away' });
    expect((await actor.ask('active', { signal })).rows).toHaveLength(1);
    await answer('a');
    await first;
    expect(working()).toEqual([]);
    expect((await metrics.expose()).text).toContain('prometheus_engine_queries 0\n');
  });

  it('is refused when too many of its tenant wait, while other tenants and lists go on', async () => {
    const flags = { ...ONE, 'query.tenant_queue_max': '2' };
    const { clock, processes, answer } = await startQueriers(['p'], flags);
    const { actor } = processes.get('p')!;
    const ask = (tenant: string) => actor.ask('query', { ...asking(tenant), ...INSTANT });
    const fine = [ask('a'), ask('a'), ask('a')];
    await expect(ask('a')).rejects.toMatchObject({
      code: 'limited',
      message: 'too many outstanding requests: 2 queries of tenant a wait (limit query.tenant_queue_max)',
    });
    const other = ask('b');
    const names = { what: 'names' as const, name: '', matcherSets: [], start: 0, end: 1, limit: 0 };
    expect((await actor.ask('series', { ...asking('a'), ...names })).rows).toEqual(['job']);
    await clock.advance(0);
    for (const tenant of ['a', 'a', 'b', 'a']) expect(await answer(tenant)).toBe(true);
    await Promise.all([...fine, other]);
  });
});
