// Writes the wave as Prometheus's queue manager would: in order, everything due since the last time, again after 429, 5xx or a broken
// connection, never again after another answer.

import { asDomainError } from '../../model/errors.ts';
import type { HttpAnswer } from '../../platform/http-client.ts';
import { BACKOFF_MS_MIN, type CanaryContext, type CanaryState } from './state.ts';
import { waveBody } from './wave.ts';

/** Samples are given up after this time; Skein takes none older than an hour (shard.out_of_order_window). */
const PENDING_MS_MAX = 600_000;
/** As Prometheus's max_samples_per_send. */
const BATCH_SAMPLES_MAX = 2000;
/** As Prometheus's max_backoff. */
const BACKOFF_MS_MAX = 5000;
/** The longest Retry-After that is obeyed. */
const RETRY_AFTER_MS_MAX = 60_000;
const ANSWER_BYTES_MAX = 65_536;

type Outcome =
  | { readonly kind: 'acknowledged' | 'refused' | 'unwanted' }
  | { readonly kind: 'again'; readonly afterMs: number };

/** Sends the samples that are due and those not acknowledged yet. */
export async function onWrite(
  state: CanaryState,
  _message: undefined,
  context: CanaryContext,
): Promise<undefined> {
  queueDue(state, context.clock.now());
  const { pending, settling, settings, ledger, metrics } = state;
  while (pending.length > 0 && context.clock.monotonic() >= state.retryAtMs) {
    const batch = pending.slice(0, Math.max(1, Math.floor(BATCH_SAMPLES_MAX / settings.series)));
    const samples = batch.length * settings.series;
    for (const slot of batch) ledger.send(slot);
    const outcome = await send(state, batch, context);
    if (outcome.kind === 'unwanted') break;
    if (outcome.kind === 'again') {
      state.retryAtMs = context.clock.monotonic() + Math.max(outcome.afterMs, state.backoffMs);
      state.backoffMs = Math.min(2 * state.backoffMs, BACKOFF_MS_MAX);
      break;
    }
    pending.splice(0, batch.length);
    state.backoffMs = BACKOFF_MS_MIN;
    if (outcome.kind === 'refused') {
      metrics.dropped.add(samples, { reason: 'refused' });
      continue;
    }
    const atMs = context.clock.monotonic();
    for (const slot of batch) settling.push({ slot, atMs });
    metrics.acknowledged.add(samples);
    metrics.lastWrite.set(context.clock.now() / 1000);
  }
  return undefined;
}

// Intervals that passed while a write took long are due too, as scrapes go on whatever the queue does.
function queueDue(state: CanaryState, nowMs: number): void {
  const { pending, settings, metrics } = state;
  const now = Math.floor(nowMs / settings.interval);
  const oldest = now - Math.floor(PENDING_MS_MAX / settings.interval) + 1;
  for (let slot = Math.max(state.dueThrough + 1, oldest); slot <= now; slot++) pending.push(slot);
  state.dueThrough = Math.max(state.dueThrough, now);
  const kept = pending.findIndex((slot) => slot >= oldest);
  const expired = pending.splice(0, kept < 0 ? pending.length : kept).length;
  if (expired > 0) metrics.dropped.add(expired * settings.series, { reason: 'expired' });
}

async function send(state: CanaryState, slots: readonly number[], context: CanaryContext): Promise<Outcome> {
  const { settings, metrics } = state;
  const { tenant, series, interval } = settings;
  const times = slots.map((slot) => slot * interval);
  const began = context.clock.monotonic();
  try {
    const answer = await state.http.send({
      method: 'POST',
      url: state.writeUrl,
      headers: {
        'content-type': 'application/x-protobuf',
        'content-encoding': 'snappy',
        'x-prometheus-remote-write-version': '0.1.0',
        'user-agent': 'skein-canary',
        'thanos-tenant': tenant,
        'x-scope-orgid': tenant,
      },
      body: waveBody(state.name, series, times),
      timeoutMs: settings.timeout,
      bytesMax: ANSWER_BYTES_MAX,
      signal: context.stopping,
    });
    metrics.writeSeconds.observe((context.clock.monotonic() - began) / 1000);
    return outcomeOf(state, answer, context);
  } catch (error) {
    const { code, message } = asDomainError(error);
    if (code === 'internal') throw error;
    if (code === 'canceled') return { kind: 'unwanted' };
    metrics.writeFailures.add(1, { reason: code });
    context.log.debug('a write of the canary failed', { error: message });
    return { kind: 'again', afterMs: 0 };
  }
}

function outcomeOf(
  { metrics }: CanaryState,
  { status, header, body }: HttpAnswer,
  context: CanaryContext,
): Outcome {
  if (status >= 200 && status < 300) return { kind: 'acknowledged' };
  metrics.writeFailures.add(1, { reason: String(status) });
  if (status === 429 || status >= 500)
    return { kind: 'again', afterMs: retryAfterMs(header('retry-after'), context.clock.now()) };
  const text = Buffer.from(body.subarray(0, 200)).toString();
  context.log.warn('a write of the canary is refused', { status, text });
  return { kind: 'refused' };
}

// Seconds or an HTTP date.
function retryAfterMs(text: string | undefined, nowMs: number): number {
  if (text === undefined) return 0;
  const waitMs = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - nowMs;
  return Number.isFinite(waitMs) ? Math.min(Math.max(waitMs, 0), RETRY_AFTER_MS_MAX) : 0;
}
