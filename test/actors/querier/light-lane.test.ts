import { describe, expect, it } from 'vitest';
import { lightLimits } from '../../../src/actors/querier/light-lane.ts';
import { asking, startQueriers } from './rig.ts';

const INSTANT = { query: 'm', startMs: 60_000, endMs: 60_000, stepMs: 0 };
const ONE = { 'query.concurrency_max': '1' };

describe('a query that finds all places taken', () => {
  it('is answered beside the others when it turns out to be light', async () => {
    const { clock, processes, answer, working } = await startQueriers(['p'], ONE);
    const { actor, metrics } = processes.get('p')!;
    const heavy = actor.ask('query', { ...asking('a'), ...INSTANT });
    await clock.advance(10);
    const light = actor.ask('query', { ...asking('b'), ...INSTANT });
    await clock.advance(10);
    expect(working()).toEqual(['a', 'b']);
    await answer('b', 1000);
    expect(await light).toMatchObject({ queuedMs: 0, partial: false });
    expect(working()).toEqual(['a']);
    await answer('a');
    await heavy;
    expect((await metrics.expose()).text).toContain('skein_query_light_total{outcome="answered"} 1\n');
  });

  it('waits for its turn when it is not light, has its own limits then, and leaves the lane to others', async () => {
    const { clock, processes, answer, working } = await startQueriers(['p'], ONE);
    const { actor, metrics } = processes.get('p')!;
    const ask = (tenant: string) => actor.ask('query', { ...asking(tenant), ...INSTANT });
    const first = ask('a');
    await clock.advance(10);
    const second = ask('b');
    await clock.advance(10);
    await answer('b', 1001);
    const { signal } = new AbortController();
    const states = (await actor.ask('active', { signal })).rows.map(({ state }) => state);
    expect([states, working()]).toEqual([['running', 'queued'], ['a']]);
    const light = ask('c');
    await clock.advance(10);
    await answer('c');
    await light;
    await answer('a');
    await first;
    await clock.advance(0);
    expect(working()).toEqual(['b']);
    await answer('b', 1001);
    expect((await second).queuedMs).toBeGreaterThan(0);
    expect((await metrics.expose()).text).toContain('skein_query_light_total{outcome="queued"} 1\n');
  });

  it('is not tried again when it was cut off', async () => {
    const { clock, processes, working, answer } = await startQueriers(['p'], ONE);
    const { actor } = processes.get('p')!;
    const first = actor.ask('query', { ...asking('a'), ...INSTANT });
    await clock.advance(10);
    const gone = asking('b');
    const left = actor.ask('query', { ...gone, ...INSTANT }).catch((error) => error);
    await clock.advance(10);
    gone.controller.abort('the client went away');
    await clock.advance(10);
    await left;
    expect(working()).toEqual(['a']);
    await answer('a');
    await first;
    expect((await actor.ask('active', { signal: gone.controller.signal })).rows).toEqual([]);
  });
});

describe('what a light query may use', () => {
  it('is fewer series the more steps it has, never none', () => {
    const seriesAt = (steps: number): number =>
      lightLimits({ startMs: 0, endMs: (steps - 1) * 1000, stepMs: 1000 }, 100_000).seriesMax;
    expect([1, 100, 200, 11_000, 1e6].map(seriesAt)).toEqual([1000, 1000, 500, 9, 1]);
    expect(lightLimits(INSTANT, 100_000).seriesMax).toBe(1000);
  });
});
