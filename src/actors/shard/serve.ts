// The bus edge of a shard: which requests it answers, and how answers become frames.

import type { RequestContext, Service } from '../../bus/bus.ts';
import type { Kind } from '../../bus/contract.ts';
import { type RequestOf, serve, serveMany } from '../../bus/rpc.ts';
import { replicaSubject, shardSubject } from '../../bus/subjects.ts';
import { encodeEnvelope } from '../../codec/envelope.ts';
import { packLabelRows } from '../../codec/label-rows.ts';
import { QueryBudget } from '../../query/budget.ts';
import { runFragment } from '../../query/engine.ts';
import { encodeReply } from '../../query/exec/step-batch-codec.ts';
import { decodeFragment } from '../../query/plan/plan-codec.ts';
import { fragmentReach } from '../../query/plan/reach.ts';
import { BlockSet } from '../../storage/block/block-set.ts';
import { announceService } from '../service.ts';
import { caughtUp, freshEnough } from './catch-up.ts';
import { honestSource, Lacks, noteBehind, noteUnknown, noteUnreadable } from './honest-source.ts';
import { listSeries, listTexts, type RowSource } from './rows.ts';
import type { ShardContext, ShardState } from './state.ts';
import { sendSketches, sendStatistics } from './statistics.ts';
import type { TenantStore } from './tenant-store.ts';

type Send = (frame: Uint8Array) => Promise<void>;

const ROWS_PER_FRAME = 1000;
/** Bytes of an answer that the in-process bus lets wait for their reader. */
const UNDER_WAY_BYTES = 1024 * 1024;

/** A request as an answer needs it: `behind` is why this replica may not have what is newest. */
type Asked = RequestContext & { readonly behind: string | undefined };

type Answer<K extends Kind> = (message: RequestOf<K>, send: Send, request: Asked) => Promise<void>;

/** What a shard serves, and how it comes to be asked for the partition as a whole. */
export interface ShardService extends Service {
  /** Serves the subject that the complete replicas of the partition share, too. */
  share(): Promise<void>;
}

/**
 * Registers the shard's endpoints under this replica's own subject: from now on it can be asked, and is by who finds it in the directory.
 */
export async function serveShard(state: ShardState, context: ShardContext): Promise<ShardService> {
  const service = await announceService(context, 'shard', 'Head and blocks of one partition', {
    partition: String(state.partition),
  });
  const { prefix } = context.cluster;
  const replica = (verb: string): string =>
    replicaSubject(prefix, state.partition, context.identity.id, verb);
  const shared: (() => Promise<void>)[] = [];
  const answer = async <K extends Kind>(kind: K, verb: string, run: Answer<K>): Promise<void> => {
    const serveOn = (subject: string): Promise<void> =>
      serveMany(service, kind, subject, async (message, send, request) => {
        const { signal } = request;
        const strong = 'strong' in message && message.strong === true;
        const tenant = 'tenant' in message ? message.tenant : '';
        const wanted = { tenant, newest: () => newestOf(message) };
        const behind = strong
          ? await caughtUp(state, context, signal)
          : await freshEnough(state, context, wanted, signal);
        await withReadHold(state, () => run(message, send, { ...request, signal, behind }));
      });
    shared.push(() => serveOn(shardSubject(prefix, state.partition, verb)));
    await serveOn(replica(verb));
  };
  await answer('shard.query', 'query', (message, send, request) =>
    answerQuery(state, message, send, request, context),
  );
  await answer('shard.series', 'series', (message, send, request) =>
    answerSeries(state, message, send, request),
  );
  await answer('shard.metadata', 'metadata', (message, send) =>
    send(
      encodeEnvelope({
        entries: storeOf(state, message.tenant)?.metadata(message.metric, message.limit) ?? [],
      }),
    ),
  );
  await answer('shard.exemplars', 'exemplars', (message, send) =>
    send(
      encodeEnvelope({
        series:
          storeOf(state, message.tenant)?.exemplars(message.matcherSets, message.start, message.end) ?? [],
      }),
    ),
  );
  await answer('shard.statistics', 'statistics', (message, send) =>
    sendStatistics(storeOf(state, message.tenant), message.limit, send),
  );
  await answer('shard.cardinality', 'cardinality', (message, send) =>
    sendSketches(storeOf(state, message.tenant), message, send),
  );
  await answer('shard.refusals', 'refusals', async (message, send) => {
    const refusals = storeOf(state, message.tenant)?.refusals.list() ?? [];
    if (refusals.length > 0) await send(encodeEnvelope({ partition: state.partition, refusals }));
  });
  // Without a lease nothing is handed over, and nothing waits for the mailbox: that of a shard that opens stands still until it has
  // opened, and an opening that fails waits for the answers under way.
  await serve(service, 'replica.handover', replica('handover'), async (message) =>
    state.lease === undefined ? { released: false } : context.ask('handover', message),
  );
  return {
    serve: service.serve,
    serveMany: service.serveMany,
    stop: service.stop,
    async share() {
      for (const serveShared of shared) await serveShared();
    },
  };
}

// The newest time a request may look at.
function newestOf(message: object): number {
  if ('fragment' in message) return fragmentReach(decodeFragment(message.fragment as Uint8Array));
  return 'end' in message ? Number(message.end) : Number.POSITIVE_INFINITY;
}

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
  request: Asked,
  context: ShardContext,
): Promise<void> {
  const budget = new QueryBudget(message.limits, request.signal, context);
  const lacks = new Lacks();
  const source = { ...honestSource(state, message.tenant, request.behind, lacks), kernels: context.kernels };
  try {
    let bytes = 0;
    for await (const reply of runFragment(message.fragment, source, budget)) {
      const where = { partition: state.partition, process: context.identity.id, bytes };
      const told =
        reply.kind === 'analysis' ? { ...reply, operator: { ...reply.operator, ...where } } : reply;
      const frame = encodeReply(told);
      // As much of what was sent last may not have been taken yet.
      budget.holdBytes(Math.max(0, Math.min(frame.length, UNDER_WAY_BYTES - bytes)));
      bytes += frame.length;
      await send(frame);
    }
  } finally {
    budget.close();
  }
  const warnings = [...lacks.texts(state.partition), ...state.damage.map((text) => `log damage: ${text}`)];
  if (warnings.length === 0) return;
  const notes = warnings.map((text) => ({ level: 'warning' as const, text }));
  await send(encodeReply({ kind: 'notes', notes }));
}

async function answerSeries(
  state: ShardState,
  message: RequestOf<'shard.series'>,
  send: Send,
  request: Asked,
): Promise<void> {
  const store = storeOf(state, message.tenant);
  const lacks = new Lacks();
  noteUnknown(state, store, message, lacks);
  noteBehind(request.behind, store, message, lacks);
  if (store) await sendRows(store, message, send, request.signal, lacks);
  const texts = lacks.texts(state.partition);
  if (texts.length > 0) await send(encodeEnvelope({ lacks: texts }));
}

async function sendRows(
  store: TenantStore,
  message: RequestOf<'shard.series'>,
  send: Send,
  signal: AbortSignal,
  lacks: Lacks,
): Promise<void> {
  const { head, matchers } = store;
  const readable = <T>(list: (source: RowSource) => Promise<readonly T[]>): Promise<readonly T[]> =>
    list(store).catch((error) => {
      noteUnreadable(store, message, error, lacks);
      return list({ head, matchers, blocks: new BlockSet() });
    });
  if (message.what === 'series') {
    const rows = await readable((source) => listSeries(source, message, signal));
    for (let at = 0; at < rows.length; at += ROWS_PER_FRAME)
      await send(encodeEnvelope({ series: packLabelRows(rows.slice(at, at + ROWS_PER_FRAME)) }));
  } else {
    const texts = await readable((source) => listTexts(source, message, signal));
    for (let at = 0; at < texts.length; at += ROWS_PER_FRAME)
      await send(encodeEnvelope({ texts: texts.slice(at, at + ROWS_PER_FRAME) }));
  }
}
