// What happens when all places for queries are taken: whether a query is light is known as soon as its series are, so it is tried at once
// under the limits of a light one, and waits in the queue only when it passes them. What the trial of a query that is not light costs is
// little: it ends when a shard has found too many series.

import { asDomainError } from '../../model/errors.ts';
import type { QueryLimits } from '../../query/budget.ts';
import { stepCount } from '../../query/source.ts';
import type { QueryLife } from './active-queries.ts';
import type { QueryRequest } from './messages.ts';
import type { QuerierState } from './state.ts';

/** What finding a series and opening its samples costs, in samples. */
const STEPS_MIN = 100;
/** A window of five minutes at a sample every 15 s sees as many samples at each step. */
const SAMPLES_PER_STEP = 20;
/** Most vectors that a light query holds at once. */
const VECTORS = 4;
const BYTES_PER_SAMPLE = 32;

/** Runs `work` when the query's turn comes, or beside the others when it is light. `limits` are those it must keep then. */
export async function runInTurn<T>(
  state: QuerierState,
  life: QueryLife,
  work: (limits: QueryLimits | undefined) => Promise<T>,
): Promise<T> {
  const { queue, lightLane, metrics, config } = state;
  const { tenant } = life.request;
  const samplesMax = config.query.light_samples_max;
  if (samplesMax === 0 || queue.hasPlace(tenant))
    return queue.run(tenant, life.signal, () => work(undefined));
  try {
    const limits = lightLimits(life.request, samplesMax);
    const result = await lightLane.run(tenant, life.signal, () => work(limits));
    metrics.light.add(1, { outcome: 'answered' });
    return result;
  } catch (error) {
    if (life.signal.aborted || !isTooMuch(error)) throw error;
  }
  metrics.light.add(1, { outcome: 'queued' });
  life.requeue();
  return queue.run(tenant, life.signal, () => work(undefined));
}

// A query that fails for another reason of this kind fails again when its turn comes.
function isTooMuch(error: unknown): boolean {
  const { code } = asDomainError(error);
  return code === 'execution' || code === 'full';
}

/** What a query may use and still be light, in a partition; never more than any query may. */
export function lightLimits(
  { startMs: start, endMs: end, stepMs: step }: Pick<QueryRequest, 'startMs' | 'endMs' | 'stepMs'>,
  samplesMax: number,
): QueryLimits {
  const steps = Math.max(STEPS_MIN, stepCount({ start, end, step }));
  return {
    seriesMax: Math.max(1, Math.floor(samplesMax / steps)),
    samplesMax: samplesMax * VECTORS,
    samplesSeenMax: samplesMax * SAMPLES_PER_STEP,
    memoryBytesMax: samplesMax * VECTORS * BYTES_PER_SAMPLE,
  };
}
