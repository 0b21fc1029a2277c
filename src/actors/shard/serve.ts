// The bus edge of a shard: which requests it answers, and how answers become frames.

import type { RequestContext, Service } from '../../bus/bus.ts';
import { type RequestOf, serve, serveMany } from '../../bus/rpc.ts';
import { replicaSubject, shardSubject } from '../../bus/subjects.ts';
import { encodeEnvelope } from '../../codec/envelope.ts';
import { packLabelRows } from '../../codec/label-rows.ts';
import { QueryBudget } from '../../query/budget.ts';
import { runFragment } from '../../query/engine.ts';
import { encodeReply } from '../../query/exec/step-batch-codec.ts';
import type { SeriesSource } from '../../query/source.ts';
import { announceService } from '../service.ts';
import { listSeries, listTexts } from './rows.ts';
import type { ShardContext, ShardState } from './state.ts';
import type { TenantStore } from './tenant-store.ts';

type Send = (frame: Uint8Array) => Promise<void>;

const ROWS_PER_FRAME = 1000;
const NOTHING: SeriesSource = {
  async *select() {},
};

/** Registers the shard's endpoints; from now on it is asked. */
export async function serveShard(state: ShardState, context: ShardContext): Promise<Service> {
  const { prefix } = context.cluster;
  const service = await announceService(context, 'shard', 'Head and blocks of one partition', {
    partition: String(state.partition),
  });
  const subject = (verb: string): string => shardSubject(prefix, state.partition, verb);
  const reading = <T>(work: () => Promise<T>): Promise<T> => withReadHold(state, work);
  await serveMany<'shard.query'>(service, subject('query'), (message, send, request) =>
    reading(() => answerQuery(state, message, send, request, context)),
  );
  await serveMany<'shard.series'>(service, subject('series'), (message, send, request) =>
    reading(() => answerSeries(state, message, send, request)),
  );
  await serveMany<'shard.metadata'>(service, subject('metadata'), (message, send) =>
    send(
      encodeEnvelope({
        entries: storeOf(state, message.tenant)?.metadata(message.metric, message.limit) ?? [],
      }),
    ),
  );
  await serveMany<'shard.exemplars'>(service, subject('exemplars'), (message, send) =>
    send(
      encodeEnvelope({
        series:
          storeOf(state, message.tenant)?.exemplars(message.matcherSets, message.start, message.end) ?? [],
      }),
    ),
  );
  await serveMany<'shard.statistics'>(service, subject('statistics'), (message, send) =>
    send(encodeEnvelope(storeOf(state, message.tenant)?.statistics(message.limit) ?? EMPTY_STATISTICS)),
  );
  await serve<'replica.handover'>(
    service,
    replicaSubject(prefix, state.partition, context.identity.id, 'handover'),
    (message) => context.ask('handover', message),
  );
  return service;
}

const EMPTY_STATISTICS = {
  numSeries: 0,
  numLabelPairs: 0,
  chunkCount: 0,
  minTime: 0,
  maxTime: 0,
  seriesCountByMetricName: [],
  labelValueCountByLabelName: [],
  memoryInBytesByLabelName: [],
  seriesCountByLabelValuePair: [],
};

function storeOf(state: ShardState, tenant: string): TenantStore | undefined {
  return state.tenants.get(tenant);
}

async function withReadHold<T>(state: ShardState, work: () => Promise<T>): Promise<T> {
  const release = await state.lock.read();
  try {
    return await work();
  } finally {
    release();
  }
}

async function answerQuery(
  state: ShardState,
  message: RequestOf<'shard.query'>,
  send: Send,
  request: RequestContext,
  context: ShardContext,
): Promise<void> {
  const budget = new QueryBudget(message.limits, request.signal, context.clock);
  const source = storeOf(state, message.tenant)?.source() ?? NOTHING;
  for await (const reply of runFragment(message.fragment, source, budget)) await send(encodeReply(reply));
  if (state.damage.length > 0)
    await send(
      encodeReply({
        kind: 'notes',
        notes: state.damage.map((text) => ({ level: 'warning', text: `log damage: ${text}` })),
      }),
    );
}

async function answerSeries(
  state: ShardState,
  message: RequestOf<'shard.series'>,
  send: Send,
  request: RequestContext,
): Promise<void> {
  const store = storeOf(state, message.tenant);
  if (!store) return;
  if (message.what === 'series') {
    const rows = await listSeries(store, message, request.signal);
    for (let at = 0; at < rows.length; at += ROWS_PER_FRAME)
      await send(encodeEnvelope({ series: packLabelRows(rows.slice(at, at + ROWS_PER_FRAME)) }));
  } else {
    const texts = await listTexts(store, message, request.signal);
    for (let at = 0; at < texts.length; at += ROWS_PER_FRAME)
      await send(encodeEnvelope({ texts: texts.slice(at, at + ROWS_PER_FRAME) }));
  }
}
