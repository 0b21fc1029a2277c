// One connection to NATS per process: reconnects for ever, says when it is down, and owns the reply inbox. The inbox is one
// wildcard subscription for everything that comes back to this process (replies, frames, credit, publish acknowledgements);
// whoever waits for something opens a mailbox in it. When the connection breaks every mailbox hears of it at once, because
// what was on its way is lost, and nobody has to wait for a deadline to learn that.

import {
  connect,
  createInbox,
  type Msg,
  type MsgHdrs,
  type NatsConnection,
  headers as natsHeaders,
  type PublishOptions,
} from 'nats';
import { DomainError, errorText } from '../../model/errors.ts';
import { type Clock, sleep } from '../../platform/clock.ts';
import type { Logger } from '../../platform/log.ts';

/** Where NATS is and who we are there. */
export interface NatsConfig {
  readonly servers: readonly string[];
  /** Shown by the server's monitoring. */
  readonly name: string;
  /** Absent or empty: none. */
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  readonly token?: string | undefined;
  /** PEM files; an empty object means TLS with the system's authorities. */
  readonly tls?: { readonly caFile?: string; readonly certFile?: string; readonly keyFile?: string };
  /** Milliseconds to go on trying for the first connection before `unavailable`; default 30 s. */
  readonly startMsMax?: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** A place in the inbox. */
export interface Mailbox {
  /** Reply subject that reaches it. */
  readonly subject: string;
  close(): void;
}

/** What a mailbox does with what arrives. */
export interface MailboxHandler {
  onMessage(message: Msg): void;
  /** The connection broke: nothing sent before may be waited for. */
  onDisconnect(): void;
}

/** A live connection; lives as long as the process. */
export interface NatsLink {
  readonly connection: NatsConnection;
  /** The server's max_payload, in bytes. */
  readonly serverPayloadBytesMax: number;
  connected(): boolean;
  openMailbox(handler: MailboxHandler): Mailbox;
  /** Sends, or throws `unavailable` while the connection is down: nothing is queued for later. */
  send(subject: string, payload: Uint8Array, options?: { reply?: string; headers?: MsgHdrs }): void;
  /** Calls `listener` each time the connection broke or came back. Returns what stops it. */
  onStatus(listener: (up: boolean) => void): () => void;
  close(): Promise<void>;
}

/** Oldest server with what we rely on: expiry per key with markers. 2.12.3 or newer is what operators should run. */
const serverVersionMin = [2, 11, 0] as const;
const startMsMaxDefault = 30_000;
const connectTimeoutMs = 5_000;
const retryMs = 1_000;
const reconnectMs = 250;
const pingMs = 10_000;

/** Headers from plain pairs. */
export function headersOf(pairs: Readonly<Record<string, string>>): MsgHdrs {
  const headers = natsHeaders();
  for (const [name, value] of Object.entries(pairs)) headers.append(name, value);
  return headers;
}

/** Whether a message is the server's word that nobody listens on the subject. */
export function isNoResponders(message: Msg): boolean {
  return message.data.length === 0 && message.headers?.code === 503;
}

function connectionDown(subject: string): DomainError {
  return new DomainError('unavailable', `cannot send to ${subject}: the connection to NATS is down`);
}

function versionOf(text: string): number[] {
  return text.split(/[.-]/, 3).map((part) => Number.parseInt(part, 10) || 0);
}

function checkVersion(version: string): void {
  const have = versionOf(version);
  for (let i = 0; i < serverVersionMin.length; i++) {
    const difference = (have[i] ?? 0) - serverVersionMin[i]!;
    if (difference > 0) return;
    if (difference < 0)
      throw new DomainError(
        'config',
        `cannot use nats-server ${version}: ${serverVersionMin.join('.')} or newer is needed (2.12.3 or newer advised)`,
      );
  }
}

async function dial(config: NatsConfig): Promise<NatsConnection> {
  const { caFile, certFile, keyFile } = config.tls ?? {};
  return connect({
    servers: [...config.servers],
    name: config.name,
    timeout: connectTimeoutMs,
    maxReconnectAttempts: -1,
    reconnectTimeWait: reconnectMs,
    reconnectJitter: reconnectMs,
    pingInterval: pingMs,
    maxPingOut: 2,
    ignoreAuthErrorAbort: true,
    noAsyncTraces: true,
    ...(config.user ? { user: config.user } : {}),
    ...(config.password ? { pass: config.password } : {}),
    ...(config.token ? { token: config.token } : {}),
    ...(config.tls === undefined
      ? {}
      : {
          tls: {
            ...(caFile === undefined ? {} : { caFile }),
            ...(certFile === undefined ? {} : { certFile }),
            ...(keyFile === undefined ? {} : { keyFile }),
          },
        }),
  });
}

async function firstConnection(config: NatsConfig): Promise<NatsConnection> {
  const { clock, log } = config;
  const end = clock.monotonic() + (config.startMsMax ?? startMsMaxDefault);
  for (;;) {
    try {
      return await dial(config);
    } catch (error) {
      const left = end - clock.monotonic();
      const fields = { servers: config.servers, error: errorText(error) };
      if (left <= 0)
        throw new DomainError(
          'unavailable',
          `cannot connect to NATS at ${config.servers.join(', ')}: ${errorText(error)}; is nats-server running there?`,
          { cause: error },
        );
      log.warn('cannot reach NATS yet, trying again', fields);
      await sleep(clock, Math.min(retryMs, left));
    }
  }
}

/** Connects, trying for `startMsMax`; afterwards reconnects for ever. Errors: `unavailable`, `config` (server too old). */
export async function connectNats(config: NatsConfig): Promise<NatsLink> {
  const connection = await firstConnection(config);
  const info = connection.info;
  try {
    checkVersion(info?.version ?? '0');
    if (info?.headers !== true)
      throw new DomainError('config', 'cannot use this NATS: its servers have headers switched off');
  } catch (error) {
    await connection.close();
    throw error;
  }
  return makeLink(connection, info.max_payload, config);
}

function makeLink(
  connection: NatsConnection,
  serverPayloadBytesMax: number,
  { log, servers }: NatsConfig,
): NatsLink {
  const inbox = createInbox();
  const mailboxes = new Map<string, MailboxHandler>();
  const listeners = new Set<(up: boolean) => void>();
  const state = { up: true, closed: false, next: 0 };

  const report = (what: string, error: unknown): void => log.error(what, { error: errorText(error) });
  const guarded = (run: () => void): void => {
    try {
      run();
    } catch (error) {
      report('a NATS reply could not be handled', error);
    }
  };
  connection.subscribe(`${inbox}.*`, {
    callback: (error, message) => {
      if (error) {
        report('the NATS reply inbox failed', error);
        return;
      }
      const handler = mailboxes.get(message.subject);
      if (handler) guarded(() => handler.onMessage(message));
      else if (message.reply) tellGone(connection, message);
    },
  });
  const onDown = (): void => {
    if (!state.up) return;
    state.up = false;
    for (const handler of [...mailboxes.values()]) guarded(() => handler.onDisconnect());
    for (const listener of [...listeners]) guarded(() => listener(false));
  };
  void connection.closed().then((error) => {
    if (!state.closed) report('the connection to NATS is closed for good', error ?? 'no reason given');
    onDown();
  });
  void followStatus(connection, {
    onDown() {
      log.warn('the connection to NATS is down', { servers });
      onDown();
    },
    onUp() {
      state.up = true;
      log.info('the connection to NATS is up again', { server: connection.getServer() });
      for (const listener of [...listeners]) guarded(() => listener(true));
    },
    onTrouble: (what) => log.warn('NATS reports trouble', { what }),
  }).catch((error) => report('the NATS status could not be followed', error));

  const link: NatsLink = {
    connection,
    serverPayloadBytesMax,
    connected: () => state.up && !connection.isClosed(),
    openMailbox(handler) {
      const subject = `${inbox}.${(state.next++).toString(36)}`;
      mailboxes.set(subject, handler);
      return { subject, close: () => void mailboxes.delete(subject) };
    },
    send(subject, payload, options) {
      if (!link.connected()) throw connectionDown(subject);
      connection.publish(subject, payload, options);
    },
    onStatus(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    async close() {
      if (state.closed) return;
      if (state.up) await connection.flush().catch(() => undefined);
      state.closed = true;
      await connection.close();
      onDown();
    },
  };
  return link;
}

/** Header of messages about a mailbox rather than for it. */
export const goneHeader = 'Skein-Gone';

/** How a message is published that says: what you write about is not known here any more. */
export function goneMessage(): PublishOptions {
  return { headers: headersOf({ [goneHeader]: '1' }) };
}

/** Answers whoever still writes to a closed mailbox, so that it stops. */
function tellGone(connection: NatsConnection, message: Msg): void {
  const reply = message.reply ?? '';
  if (!reply.startsWith('_INBOX.') || message.headers?.has(goneHeader)) return;
  connection.publish(reply, undefined, goneMessage());
}

async function followStatus(
  connection: NatsConnection,
  on: { onDown: () => void; onUp: () => void; onTrouble: (what: string) => void },
): Promise<void> {
  for await (const status of connection.status()) {
    if (status.type === 'disconnect') on.onDown();
    else if (status.type === 'reconnect') on.onUp();
    else if (status.type === 'error' || status.type === 'ldm') on.onTrouble(`${status.type} ${status.data}`);
  }
}
