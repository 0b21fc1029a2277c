// The queries of one querier that wait or run: who can be told of them, and how one is cut off.

import type { ActiveQuery } from '../../model/active-query.ts';
import { DomainError } from '../../model/errors.ts';
import { type LinkedController, linkedController } from '../../platform/abort.ts';
import type { Clock } from '../../platform/clock.ts';
import type { GaugeMetric } from '../../platform/metrics.ts';
import type { QueryAccount } from '../../query/budget.ts';
import type { QueryRequest, QueryTimes } from './messages.ts';

/** One query from its arrival to its answer. */
export class QueryLife {
  readonly id: string;
  readonly request: QueryRequest;
  /** Wall and monotonic time of its arrival, ms. */
  readonly since: number;
  readonly askedAt: number;
  /** What it has used; absent until it runs. */
  account: QueryAccount | undefined;
  readonly #clock: Clock;
  readonly #controller: LinkedController;
  #startedAt: number | undefined;
  #cause: DomainError | undefined;

  constructor(id: string, request: QueryRequest, clock: Clock) {
    this.#clock = clock;
    this.id = id;
    this.request = request;
    this.since = clock.now();
    this.askedAt = clock.monotonic();
    this.#controller = linkedController(request.signal);
  }

  /** Aborts when the query is cut off, or nobody waits for its answer any more. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Why it was cut off, if it was. */
  get cause(): DomainError | undefined {
    return this.#cause;
  }

  get state(): ActiveQuery['state'] {
    return this.#startedAt === undefined ? 'queued' : 'running';
  }

  /** Its turn has come. */
  start(): void {
    this.#startedAt = this.#clock.monotonic();
  }

  /** It waits again. */
  requeue(): void {
    this.#startedAt = undefined;
  }

  /** How long it has waited and run up to now. */
  times(): QueryTimes {
    const now = this.#clock.monotonic();
    const started = this.#startedAt ?? now;
    return { queuedMs: started - this.askedAt, evaluatedMs: now - started };
  }

  /** Ends it with an error; the first one counts. */
  cutOff(cause: DomainError): void {
    if (this.signal.aborted) return;
    this.#cause = cause;
    this.#controller.abort(cause);
  }

  /** Stops following the request's signal. */
  end(): void {
    this.#controller.unlink();
  }
}

/** Where the queries of a process are kept. */
export interface ActiveQueriesOptions {
  readonly processId: string;
  readonly clock: Clock;
  /** Shows how many there are. */
  readonly gauge: GaugeMetric;
}

/** The queries of one life of a querier. */
export class ActiveQueries {
  readonly #options: ActiveQueriesOptions;
  readonly #prefix: string;
  readonly #queries = new Map<string, QueryLife>();
  #begun = 0;

  constructor(options: ActiveQueriesOptions) {
    this.#options = options;
    // Two lives of a process begin at different times.
    this.#prefix = `${options.processId}-${options.clock.now().toString(36)}-`;
    options.gauge.set(0);
  }

  /** Takes in a query, queued at first. */
  begin(request: QueryRequest): QueryLife {
    const query = new QueryLife(
      `${this.#prefix}${(++this.#begun).toString(36)}`,
      request,
      this.#options.clock,
    );
    this.#queries.set(query.id, query);
    this.#options.gauge.set(this.#queries.size);
    return query;
  }

  /** Forgets a query that is answered. */
  end(query: QueryLife): void {
    query.end();
    this.#queries.delete(query.id);
    this.#options.gauge.set(this.#queries.size);
  }

  /** Queries of a tenant, or of all of them, the oldest first. */
  list(tenant: string | undefined): ActiveQuery[] {
    const found = [...this.#queries.values()];
    return found.filter((query) => isOf(query, tenant)).map((query) => this.#facts(query));
  }

  /** Cuts a query off: its client is told `canceled` and by whom. Undefined when there is none of this id and tenant. */
  kill(id: string, tenant: string | undefined, by: string): ActiveQuery | undefined {
    const query = this.#queries.get(id);
    if (query === undefined || !isOf(query, tenant)) return undefined;
    const facts = this.#facts(query);
    query.cutOff(new DomainError('canceled', `query was canceled: killed by ${by}`));
    return facts;
  }

  #facts({ id, request, since, askedAt, state, account }: QueryLife): ActiveQuery {
    const { tenant, query, startMs, endMs, stepMs } = request;
    const { processId, clock } = this.#options;
    return {
      id,
      process: processId,
      tenant,
      query,
      kind: stepMs === 0 ? 'query' : 'query_range',
      start: startMs,
      end: endMs,
      step: stepMs,
      state,
      since,
      ageMs: clock.monotonic() - askedAt,
      samples: account?.samplesRead ?? 0,
      memoryBytes: account?.bytesNow ?? 0,
    };
  }
}

/** The process of a query's id. */
export function processOf(id: string): string {
  return id.split('-').slice(0, -2).join('-');
}

function isOf({ request }: QueryLife, tenant: string | undefined): boolean {
  return tenant === undefined || tenant === request.tenant;
}
