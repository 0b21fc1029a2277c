// The durable logs of the simulation: one shared replicated log per partition that outlives every process, as JetStream keeps them:
// message ids with a window for duplicates, leaders that go away, a size at which it refuses. Appends go through the real append
// queue of the NATS adapter.

import type { Msg } from 'nats';
import type { DurableLog, DurableLogs, LogBounds, LogMessage } from '../../src/bus/durable-log.ts';
import { AppendQueue } from '../../src/bus/nats/append-queue.ts';
import type { MailboxHandler, NatsLink } from '../../src/bus/nats/connection.ts';
import { DomainError } from '../../src/model/errors.ts';
import { sleep } from '../../src/platform/clock.ts';
import { silentLogger } from '../../src/platform/log.ts';
import type { SimHost } from './host.ts';
import type { EventOwner } from './loop.ts';
import type { SimNetwork } from './network.ts';

const PAYLOAD_BYTES_MAX = 1024 * 1024;
const DUPLICATE_WINDOW_MS = 120_000;
const READ_TIMEOUTS_MS = [500, 1500, 3000];
const BATCH_MESSAGES = 64;
const LOST_NOTICE_MS = 1500;
const RETRY_MS = 250;
const RETRY_MS_MAX = 2000;
const encoder = new TextEncoder();

interface Feed {
  readonly host: SimHost;
  readonly reader: EventOwner;
  next: number;
  /** Messages on their way arrive in order. */
  lastArrival: number;
  readonly onBatch: (batch: readonly LogMessage[]) => void;
  readonly onEnd: (error: DomainError) => void;
}

interface StoredLog {
  readonly partition: number;
  first: number;
  bytes: number;
  readonly payloads: Uint8Array[];
  readonly ids: Map<string, { readonly sequence: number; readonly at: number }>;
  readonly feeds: Set<Feed>;
  /** No leader: nothing is answered. */
  isAway: boolean;
}

/** Who hears of what happens to a log: judges. */
export interface LogWatcher {
  onAppend(partition: number, sequence: number, payload: Uint8Array): void;
  onTrimSent(partition: number, host: SimHost): void;
  /** Messages before `first` are gone; those with sequence `was` and later were there before. */
  onTrim(partition: number, was: number, first: number): void;
}

/** The logs of all partitions. */
export class LogServer {
  bytesMax: number;
  readonly logs: Map<number, StoredLog> = new Map();
  readonly #network: SimNetwork;
  watcher: LogWatcher | undefined;
  nextWriter = 0;

  constructor(network: SimNetwork, bytesMax: number) {
    this.#network = network;
    this.bytesMax = bytesMax;
  }

  create(partition: number): void {
    if (this.logs.has(partition)) return;
    this.logs.set(partition, {
      partition,
      first: 1,
      bytes: 0,
      payloads: [],
      ids: new Map(),
      feeds: new Set(),
      isAway: false,
    });
  }

  need(partition: number): StoredLog {
    const log = this.logs.get(partition);
    if (log === undefined)
      throw new DomainError('not_found', `cannot open the log of partition ${partition}: it does not exist`);
    return log;
  }

  bounds(partition: number): LogBounds {
    const { first, payloads, bytes } = this.need(partition);
    return { first, last: first + payloads.length - 1, bytes };
  }

  /** The messages kept, as judges read them. */
  messages(partition: number): LogMessage[] {
    const { first, payloads } = this.need(partition);
    return payloads.map((payload, i) => ({ sequence: first + i, payload }));
  }

  /** Appends; the answer as JetStream's JSON. */
  publish(partition: number, id: string, payload: Uint8Array): object {
    const log = this.need(partition);
    const { loop } = this.#network;
    const known = log.ids.get(id);
    if (known !== undefined && loop.now - known.at < DUPLICATE_WINDOW_MS)
      return { seq: known.sequence, duplicate: true };
    if (log.bytes + payload.length > this.bytesMax)
      return { error: { code: 503, err_code: 10_077, description: 'maximum bytes exceeded' } };
    log.payloads.push(payload.slice());
    log.bytes += payload.length;
    const sequence = log.first + log.payloads.length - 1;
    log.ids.set(id, { sequence, at: loop.now });
    this.watcher?.onAppend(partition, sequence, payload);
    for (const feed of log.feeds) this.feed(log, feed);
    return { seq: sequence };
  }

  trim(partition: number, first: number): void {
    const log = this.need(partition);
    const was = log.first;
    const keep = Math.min(first, log.first + log.payloads.length);
    if (keep <= was) return;
    this.watcher?.onTrim(partition, was, keep);
    for (const payload of log.payloads.splice(0, keep - was)) log.bytes -= payload.length;
    log.first = keep;
  }

  attach(partition: number, feed: Feed): void {
    const log = this.need(partition);
    log.feeds.add(feed);
    this.feed(log, feed);
  }

  /** A leader change: who reads has to begin again. */
  dropFeeds(partition: number): void {
    for (const feed of [...this.need(partition).feeds]) this.#break(this.need(partition), feed);
  }

  /** Sends a reader what it does not have yet. */
  feed(log: StoredLog, feed: Feed): void {
    const network = this.#network;
    if (log.isAway) return;
    if (feed.next < log.first) {
      log.feeds.delete(feed);
      const gone = new DomainError(
        'not_found',
        `cannot read log ${log.partition} from ${feed.next}: messages ${feed.next} to ${log.first - 1} are not kept any more`,
      );
      network.loop.after(network.transit(), 'log feed ends', () => feed.onEnd(gone), feed.reader);
      return;
    }
    for (let last = log.first + log.payloads.length - 1; feed.next <= last; ) {
      const batch: LogMessage[] = [];
      for (; feed.next <= last && batch.length < BATCH_MESSAGES; feed.next++)
        batch.push({ sequence: feed.next, payload: log.payloads[feed.next - log.first]!.slice() });
      if (!network.arrives(feed.host, 'nats')) {
        this.#break(log, feed);
        return;
      }
      feed.lastArrival = Math.max(feed.lastArrival, network.loop.now + network.transit());
      const label = `log ${log.partition} feeds ${batch[0]!.sequence}+${batch.length}`;
      network.loop.after(feed.lastArrival - network.loop.now, label, () => feed.onBatch(batch), feed.reader);
      // Redelivery: the reader hears of the same messages once more.
      if (network.draw(network.rates.duplicate))
        network.loop.after(
          feed.lastArrival - network.loop.now,
          `${label} again`,
          () => feed.onBatch(batch),
          feed.reader,
        );
    }
  }

  #break(log: StoredLog, feed: Feed): void {
    log.feeds.delete(feed);
    const lost = new DomainError('unavailable', `the consumer of log ${log.partition} is gone`);
    this.#network.loop.after(LOST_NOTICE_MS, 'log feed breaks', () => feed.onEnd(lost), feed.reader);
  }
}

/** The logs as the process on `host` has them, for this life of it. */
export function openSimLogs(server: LogServer, network: SimNetwork, host: SimHost): DurableLogs {
  const queues = new Set<AppendQueue>();
  return {
    payloadBytesMax: PAYLOAD_BYTES_MAX,
    create: (partition) =>
      retried(server, network, host, partition, 'create', () => server.create(partition)),
    async open(partition) {
      await retried(server, network, host, partition, 'open', () => void server.need(partition));
      const queue = new AppendQueue(
        { link: appendLink(server, network, host, partition), clock: host.clock, log: silentLogger() },
        {
          stream: `wal_${partition}`,
          subject: String(partition),
          payloadBytesMax: PAYLOAD_BYTES_MAX,
          writer: `${host.name}.${host.life}.${server.nextWriter++}`,
        },
      );
      queues.add(queue);
      return simLog(server, network, host, partition, queue);
    },
    async close() {
      for (const queue of queues) queue.close();
      queues.clear();
    },
  };
}

function simLog(
  server: LogServer,
  network: SimNetwork,
  host: SimHost,
  partition: number,
  queue: AppendQueue,
): DurableLog {
  return {
    append: (payload, msMax) => queue.append(payload, msMax),
    read: (from, signal) => readLog(server, network, host, partition, from, signal),
    bounds: () => retried(server, network, host, partition, 'bounds', () => server.bounds(partition)),
    async trim(first) {
      server.watcher?.onTrimSent(partition, host);
      await callLog(server, network, host, partition, 'trim', 5000, () => server.trim(partition, first));
    },
  };
}

function callLog<T>(
  server: LogServer,
  network: SimNetwork,
  host: SimHost,
  partition: number,
  verb: string,
  timeoutMs: number,
  effect: () => T,
): Promise<T> {
  const isSilent = (): boolean => server.logs.get(partition)?.isAway === true;
  const label = `log ${partition} ${verb}`;
  return network.call(host, { label, timeoutMs, link: 'nats', isSilent }, effect);
}

async function retried<T>(
  server: LogServer,
  network: SimNetwork,
  host: SimHost,
  partition: number,
  verb: string,
  effect: () => T,
): Promise<T> {
  let failure: unknown;
  for (const timeoutMs of READ_TIMEOUTS_MS)
    try {
      return await callLog(server, network, host, partition, verb, timeoutMs, effect);
    } catch (error) {
      failure = error;
      if (!(error instanceof DomainError) || error.code !== 'unavailable' || !host.isConnected) throw error;
    }
  throw failure;
}

// As much of a connection as the append queue uses.
function appendLink(server: LogServer, network: SimNetwork, host: SimHost, partition: number): NatsLink {
  const mailboxes = new Map<string, { handler: MailboxHandler; off: () => void }>();
  let count = 0;
  const writer = host.present;
  const link: Pick<NatsLink, 'connected' | 'openMailbox' | 'send'> = {
    connected: () => host.isConnected,
    openMailbox(handler) {
      const subject = `inbox.${count++}`;
      const off = host.onLink((isUp) => {
        if (!isUp) handler.onDisconnect();
      });
      mailboxes.set(subject, { handler, off });
      return {
        subject,
        close() {
          off();
          mailboxes.delete(subject);
        },
      };
    },
    send(_subject, payload, { reply = '', headers } = {}) {
      if (!host.isConnected) throw new DomainError('unavailable', 'no connection to NATS');
      if (!network.arrives(host, 'nats')) return;
      // The connection and the stream keep order; only what is lost and sent again may be overtaken.
      arrival = Math.max(arrival, network.loop.now + network.transit());
      network.loop.after(arrival - network.loop.now, `log ${partition} append`, () => {
        if (server.need(partition).isAway) return;
        const json = server.publish(partition, headers!.get('Nats-Msg-Id'), payload);
        if (!network.arrives(host, 'nats')) return;
        const message = { data: encoder.encode(JSON.stringify(json)) } as Msg;
        network.loop.after(
          network.transit(),
          `log ${partition} acknowledges`,
          () => mailboxes.get(reply)?.handler.onMessage(message),
          writer,
        );
      });
    },
  };
  let arrival = 0;
  return link as NatsLink;
}

// As the JetStream consumer: begins again after the last message handed out, whatever breaks.
async function* readLog(
  server: LogServer,
  network: SimNetwork,
  host: SimHost,
  partition: number,
  from: number,
  signal: AbortSignal,
): AsyncGenerator<readonly LogMessage[], void, undefined> {
  let next = from;
  let failures = 0;
  while (!signal.aborted) {
    const inbox: (readonly LogMessage[])[] = [];
    let end: DomainError | undefined;
    let wake = (): void => {};
    const feed: Feed = {
      host,
      reader: host.present,
      next,
      lastArrival: 0,
      onBatch(batch) {
        inbox.push(batch);
        wake();
      },
      onEnd(error) {
        end ??= error;
        wake();
      },
    };
    const onAbort = (): void => wake();
    const offLink = host.onLink((isUp) => {
      if (!isUp) feed.onEnd(new DomainError('unavailable', 'the connection to NATS broke'));
    });
    signal.addEventListener('abort', onAbort);
    const offEnd = host.atEnd(() => server.logs.get(partition)?.feeds.delete(feed));
    try {
      await callLog(server, network, host, partition, `read ${next}`, 2000, () =>
        server.attach(partition, feed),
      );
      while (!signal.aborted) {
        const batch = inbox.shift()?.filter(({ sequence }) => sequence >= next);
        if (batch === undefined) {
          if (end !== undefined) throw end;
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        } else if (batch.length > 0) {
          if (batch[0]!.sequence !== next) break;
          next += batch.length;
          failures = 0;
          yield batch;
        }
      }
    } catch (error) {
      if (!(error instanceof DomainError) || error.code !== 'unavailable') throw error;
    } finally {
      offLink();
      offEnd();
      signal.removeEventListener('abort', onAbort);
      server.logs.get(partition)?.feeds.delete(feed);
    }
    const delayMs = Math.min(RETRY_MS_MAX, RETRY_MS * 2 ** failures++);
    await sleep(host.clock, delayMs, signal).catch(() => undefined);
  }
}
