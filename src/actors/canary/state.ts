// State of a canary: the ledger of what is owed, what waits to be written, what was found. The ledger is kept on disk, so that a
// process that was killed looks for what was acknowledged before.

import type { Service } from '../../bus/bus.ts';
import { decodeEnvelope, encodeEnvelope } from '../../codec/envelope.ts';
import { asDomainError, DomainError, errorText } from '../../model/errors.ts';
import type { Config } from '../../platform/config.ts';
import type { HttpClient } from '../../platform/http-client.ts';
import type { ActorContext } from '../actor.ts';
import { announceService } from '../service.ts';
import { Findings } from './findings.ts';
import { Ledger, type LedgerRecord } from './ledger.ts';
import type { CanaryMessages } from './messages.ts';
import { type CanaryMetrics, canaryMetrics } from './metrics.ts';

/** The context of a canary. */
export type CanaryContext = ActorContext<CanaryMessages>;

/** What a canary is made of. */
export interface CanaryConfig {
  readonly settings: Config['canary'];
  readonly http: HttpClient;
  /** Roles of this process: without URLs it must take writes and answer queries itself. */
  readonly roles: ReadonlySet<string>;
}

/** What a canary holds. Slots are intervals by number (see Ledger). */
export interface CanaryState {
  readonly settings: Config['canary'];
  readonly http: HttpClient;
  readonly writeUrl: string;
  readonly queryUrl: string;
  /** Value of the label that tells the series of canaries apart. */
  readonly name: string;
  readonly ledger: Ledger;
  readonly findings: Findings;
  readonly metrics: CanaryMetrics;
  /** Shows the canary to `nats micro ls`. */
  readonly service: Service;
  /** Slots that wait to be acknowledged, oldest first. */
  readonly pending: number[];
  /** Slots acknowledged at a monotonic time, oldest first: owed once they had time to settle. */
  readonly settling: { readonly slot: number; readonly atMs: number }[];
  /** The newest slot that became due. */
  dueThrough: number;
  /** Monotonic time before which nothing is sent, and how long the next failure waits. */
  retryAtMs: number;
  backoffMs: number;
  /** What is owed of slots up to here was read whole once. */
  checkedThrough: number;
  /** Monotonic time of the next reading, and how many there were. */
  nextReadMs: number;
  readings: number;
  /** Time of the newest sample read. */
  readonly newest: { timeMs: number };
}

/** Where the ledger is kept. */
const LEDGER_FILE = 'canary-ledger';
const LEDGER_VERSION = 1;
/** Between two looks at the clock. */
export const TICK_MS = 1000;
/** The shortest wait before a write is tried again, as Prometheus's min_backoff. */
export const BACKOFF_MS_MIN = 30;

interface SavedLedger extends LedgerRecord {
  readonly version: number;
  /** What the ledger is about: with other settings it is worth nothing. */
  readonly about: string;
  readonly checkedThrough: number;
}

/** Opens a canary; `config` when it is not told where to write or read. */
export async function openCanary(config: CanaryConfig, context: CanaryContext): Promise<CanaryState> {
  const { settings, http, roles } = config;
  const own = `http://${context.identity.address}`;
  const name = context.identity.id;
  const writeUrl = urlOf('write_url', settings.write_url, roles.has('receiver'), `${own}/api/v1/write`);
  const queryUrl = urlOf('query_url', settings.query_url, roles.has('querier'), own);
  const now = Math.floor(context.clock.now() / settings.interval);
  const newest = { timeMs: context.clock.now() };
  const capacity = Math.ceil(settings.memory / settings.interval);
  const saved = await readLedger(aboutOf(settings, writeUrl, name), context);
  const ledger = saved ? Ledger.resume(capacity, saved, now) : new Ledger(capacity, now + 1);
  return {
    settings,
    http,
    writeUrl,
    queryUrl,
    name,
    ledger,
    findings: new Findings(settings.series),
    metrics: canaryMetrics(context.metrics, () => (context.clock.now() - newest.timeMs) / 1000),
    service: await announceService(context, 'canary', 'Writes sine waves and reads them back'),
    pending: [],
    settling: [],
    dueThrough: now,
    retryAtMs: 0,
    backoffMs: BACKOFF_MS_MIN,
    checkedThrough: saved?.checkedThrough ?? now,
    nextReadMs: 0,
    readings: 0,
    newest,
  };
}

function urlOf(key: string, given: string, isHere: boolean, own: string): string {
  if (given !== '') return given.replace(/\/+$/, '');
  if (isHere) return own;
  throw new DomainError(
    'config',
    `the canary of this process needs canary.${key}: the process has no ${key === 'write_url' ? 'receiver' : 'querier'} itself`,
  );
}

function aboutOf(settings: Config['canary'], writeUrl: string, name: string): string {
  return JSON.stringify([writeUrl, settings.tenant, settings.series, settings.interval, name]);
}

async function readLedger(about: string, context: CanaryContext): Promise<SavedLedger | undefined> {
  try {
    const saved = decodeEnvelope<SavedLedger>(await context.disk.readFile(LEDGER_FILE));
    const isUsable =
      saved.version === LEDGER_VERSION &&
      saved.about === about &&
      Number.isSafeInteger(saved.first) &&
      Number.isSafeInteger(saved.checkedThrough) &&
      saved.states instanceof Uint8Array;
    return isUsable ? saved : undefined;
  } catch (error) {
    if (asDomainError(error).code !== 'not_found')
      context.log.warn('the canary starts without its memory', { error: errorText(error) });
    return undefined;
  }
}

/** Takes into the ledger what was acknowledged until a monotonic time. */
export function settleUntil(state: CanaryState, untilMs: number): void {
  const { settling, ledger } = state;
  const kept = settling.findIndex(({ atMs }) => atMs > untilMs);
  for (const { slot } of settling.splice(0, kept < 0 ? settling.length : kept)) {
    ledger.acknowledge(slot);
    // An acknowledgement may come after its time was read.
    state.checkedThrough = Math.min(state.checkedThrough, slot - 1);
  }
}

/** Keeps the ledger on disk. */
export async function onSave(
  state: CanaryState,
  _message: undefined,
  context: CanaryContext,
): Promise<undefined> {
  const saved: SavedLedger = {
    version: LEDGER_VERSION,
    about: aboutOf(state.settings, state.writeUrl, state.name),
    checkedThrough: state.checkedThrough,
    ...state.ledger.record(),
  };
  await context.disk.writeFile(LEDGER_FILE, encodeEnvelope(saved));
  return undefined;
}

/** Remembers what it is owed; what waits to be written is given up. */
export async function closeCanary(state: CanaryState, context: CanaryContext): Promise<void> {
  await state.service.stop();
  settleUntil(state, Number.POSITIVE_INFINITY);
  await onSave(state, undefined, context).catch((error: unknown) =>
    context.log.warn('the canary cannot keep its memory', { error: errorText(error) }),
  );
}
