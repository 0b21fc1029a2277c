// How the canary asks: instant queries of the Prometheus HTTP API, as its tenant. A failure is counted and gives no answer.

import { asDomainError } from '../../model/errors.ts';
import { decodeAnswer, matrixOf, type QueryAnswer, singleValueOf } from './answers.ts';
import type { SeriesRead, SlotRange } from './judge.ts';
import type { CanaryContext, CanaryState } from './state.ts';
import { waveSelector } from './wave.ts';

const ANSWER_BYTES_MAX = 67_108_864;

/** A part of the data that may not be whole. */
export interface MaybePartial<T> {
  readonly partial: boolean;
  readonly data: T;
}

/** The raw samples of a range of slots. `strong` waits for what was in the log when the query came. */
export function readSamples(
  state: CanaryState,
  range: SlotRange,
  strong: boolean,
  context: CanaryContext,
): Promise<MaybePartial<SeriesRead[]> | undefined> {
  return ask(state, { kind: 'samples', query: rangeOf(state, range), range, strong }, matrixOf, context);
}

/** How many samples of a range of slots there are, counted where they are stored. */
export function readCount(
  state: CanaryState,
  range: SlotRange,
  context: CanaryContext,
): Promise<MaybePartial<number> | undefined> {
  const query = `sum(count_over_time(${rangeOf(state, range)}))`;
  const read = (answer: QueryAnswer): number => singleValueOf(answer) ?? 0;
  return ask(state, { kind: 'count', query, range, strong: true }, read, context);
}

/** The time of the newest sample, in ms; undefined as data when there is none within the lookback. */
export function readNewest(
  state: CanaryState,
  context: CanaryContext,
): Promise<MaybePartial<number | undefined> | undefined> {
  const query = `max(timestamp(${waveSelector(state.name)}))`;
  const read = (answer: QueryAnswer): number | undefined => {
    const seconds = singleValueOf(answer);
    return seconds === undefined ? undefined : seconds * 1000;
  };
  return ask(state, { kind: 'newest', query, range: undefined, strong: false }, read, context);
}

// One millisecond short of the whole, so that the slot before is outside whether the selector is left-open or closed.
function rangeOf({ name, settings }: CanaryState, { count }: SlotRange): string {
  return `${waveSelector(name)}[${count * settings.interval - 1}ms]`;
}

interface Question {
  readonly kind: 'samples' | 'count' | 'newest';
  readonly query: string;
  /** Evaluated at its last slot; now when undefined. */
  readonly range: SlotRange | undefined;
  readonly strong: boolean;
}

async function ask<T>(
  state: CanaryState,
  { kind, query, range, strong }: Question,
  read: (answer: QueryAnswer) => T,
  context: CanaryContext,
): Promise<MaybePartial<T> | undefined> {
  const { settings, metrics } = state;
  const { interval, tenant, timeout } = settings;
  const timeMs = range ? (range.first + range.count - 1) * interval : context.clock.now();
  const parameters = new URLSearchParams({ query, time: (timeMs / 1000).toFixed(3) });
  const began = context.clock.monotonic();
  try {
    const { status, header, body } = await state.http.send({
      method: 'GET',
      url: `${state.queryUrl}/api/v1/query?${parameters}`,
      headers: {
        'user-agent': 'skein-canary',
        'thanos-tenant': tenant,
        'x-scope-orgid': tenant,
        ...(strong ? { 'x-read-consistency': 'strong' } : {}),
      },
      timeoutMs: timeout,
      bytesMax: ANSWER_BYTES_MAX,
      signal: context.stopping,
    });
    metrics.querySeconds.observe((context.clock.monotonic() - began) / 1000, { query: kind });
    if (status !== 200) {
      metrics.queryFailures.add(1, { reason: String(status) });
      return undefined;
    }
    const answer = decodeAnswer(body, header('x-skein-partial'));
    if (answer.partial) metrics.partial.add();
    return { partial: answer.partial, data: read(answer) };
  } catch (error) {
    const failure = asDomainError(error);
    if (failure.code === 'internal') throw error;
    if (failure.code === 'canceled') return undefined;
    metrics.queryFailures.add(1, { reason: failure.code });
    context.log.debug('a query of the canary failed', { query, error: failure.message });
    return undefined;
  }
}
