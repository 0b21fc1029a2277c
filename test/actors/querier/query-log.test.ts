import { describe, expect, it } from 'vitest';
import { asking, type LogLine, startQueriers } from './rig.ts';

const RANGE = { query: 'rate(m[1m])', startMs: 60_000, endMs: 120_000, stepMs: 15_000 };
const { signal } = new AbortController();

const linesOf = (lines: readonly LogLine[]): Record<string, unknown>[] =>
  lines.filter(({ message }) => message === 'promql query logged').map(({ fields }) => fields);

async function setup(flags: Record<string, string>) {
  const rig = await startQueriers(['p'], flags);
  const { actor, lines } = rig.processes.get('p')!;
  const ask = (more: object = {}) =>
    actor.ask('query', { ...asking('a'), ...RANGE, ...more }).catch((error) => error);
  return { ...rig, actor, ask, lines };
}

describe('the query log', () => {
  it('has what Prometheus logs of a query that took longer than the setting says, and nothing of quicker ones', async () => {
    const { clock, ask, answer, lines } = await setup({ 'query.log_queries_longer_than': '1s' });
    const caller = { address: '10.0.0.7', method: 'POST', path: '/api/v1/query_range' };
    const quick = ask();
    await clock.advance(1000);
    await answer('a');
    await quick;
    expect(linesOf(lines)).toEqual([]);
    const slow = ask({ caller });
    await clock.advance(1001);
    await answer('a');
    await slow;
    const timings = { evalTotalTime: 1.001, innerEvalTime: 1.001, execQueueTime: 0, execTotalTime: 1.001 };
    expect(linesOf(lines)).toMatchObject([
      {
        params: {
          query: 'rate(m[1m])',
          start: '1970-01-01T00:01:00.000Z',
          end: '1970-01-01T00:02:00.000Z',
          step: 15,
        },
        stats: { timings, samples: { totalQueryableSamples: 9, samplesRead: 7, peakSamples: 0 } },
        httpRequest: { clientIP: '10.0.0.7', method: 'POST', path: '/api/v1/query_range' },
        tenant: 'a',
        outcome: 'answered',
      },
    ]);
    expect(linesOf(lines)[0]).not.toHaveProperty('error');
  });

  it('has every query that was refused, cut off, killed or left, with what it was told', async () => {
    const limits = {
      'query.concurrency_max': '1',
      'query.tenant_queue_max': '3',
      'query.light_samples_max': '0',
    };
    const { clock, actor, ask, answer, lines } = await setup({
      'query.log_queries_longer_than': '1h',
      ...limits,
    });
    const first = ask();
    const late = ask({ timeoutMs: 100 });
    const killed = ask({ query: 'killed' });
    const gone = asking('a');
    const left = ask(gone);
    const refused = ask();
    await refused;
    const { rows } = await actor.ask('active', { signal });
    await actor.ask('kill', { id: rows.find(({ query }) => query === 'killed')!.id, by: 'me', signal });
    gone.controller.abort(new Error('gone'));
    await clock.advance(100);
    await answer('a');
    await Promise.all([first, late, killed, left]);
    await ask({ query: 'a b' });
    expect(linesOf(lines).map(({ outcome, error }) => [outcome, error])).toEqual([
      ['refused', 'too many outstanding requests: 3 queries of tenant a wait (limit query.tenant_queue_max)'],
      ['killed', 'query was canceled: killed by me'],
      ['canceled', 'gone'],
      ['timeout', 'query timed out in query queue'],
    ]);
  });

  it('is empty unless it is switched on', async () => {
    const { clock, ask, lines } = await setup({});
    const late = ask({ timeoutMs: 100 });
    await clock.advance(100);
    expect(await late).toMatchObject({ code: 'timeout' });
    expect(linesOf(lines)).toEqual([]);
  });
});
