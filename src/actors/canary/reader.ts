// Reads back what was acknowledged: every interval the last two minutes, then a stretch that was never read whole or, once a minute,
// any stretch of the canary's memory, so that blocks and what becomes of them are read too. What a whole answer lacks is asked for again
// with strong consistency: only what that lacks is lost, the rest was late.

import type { Finding } from './findings.ts';
import { type Claim, judge, type SlotRange, type Verdict } from './judge.ts';
import type { WindowKind } from './metrics.ts';
import { readCount, readNewest, readSamples } from './queries.ts';
import { type CanaryContext, type CanaryState, settleUntil, TICK_MS } from './state.ts';

/** The time that lost_ratio is about. */
const RECENT_MS = 120_000;
/** Between two readings of older data. */
const OLDER_EVERY_MS = 60_000;

/** Reads what was acknowledged and judges it, when the next interval has come. */
export async function onRead(
  state: CanaryState,
  _message: undefined,
  context: CanaryContext,
): Promise<undefined> {
  const began = context.clock.monotonic();
  if (began < state.nextReadMs) return undefined;
  // Half a tick early, because a tick may be: the next one is meant.
  state.nextReadMs = began + state.settings.interval - TICK_MS / 2;
  state.readings++;
  settleUntil(state, began - state.settings.settle);
  state.findings.forgetBefore(state.ledger.first);
  await readFreshness(state, context);
  const recent = recentRange(state, context.clock.now());
  if (recent === undefined) return undefined;
  const older = olderRange(state, recent, context);
  await checkRecent(state, recent, context);
  if (older) await checkRange(state, older, 'older', context);
  return undefined;
}

async function readFreshness(state: CanaryState, context: CanaryContext): Promise<void> {
  const answer = await readNewest(state, context);
  if (answer?.data !== undefined) state.newest.timeMs = Math.max(state.newest.timeMs, answer.data);
}

/** The slots of the last two minutes that had time to settle, as far as the ledger knows them. */
function recentRange({ settings, ledger }: CanaryState, nowMs: number): SlotRange | undefined {
  const { interval, settle } = settings;
  const last = Math.min(Math.floor((nowMs - settle) / interval), ledger.newest);
  const first = Math.max(Math.ceil((nowMs - RECENT_MS) / interval), ledger.first);
  return last < first ? undefined : { first, count: last - first + 1 };
}

// What no reading covered when its time was (queries failed, answers were partial, the canary was away) comes first.
function olderRange(
  { settings, ledger, checkedThrough, readings }: CanaryState,
  recent: SlotRange,
  { random }: CanaryContext,
): SlotRange | undefined {
  const size = Math.ceil(RECENT_MS / settings.interval);
  const skipped = Math.max(checkedThrough + 1, ledger.first);
  if (skipped < recent.first) return { first: skipped, count: Math.min(size, recent.first - skipped) };
  const known = recent.first - ledger.first;
  const every = Math.max(1, Math.round(OLDER_EVERY_MS / settings.interval));
  if (known <= 0 || readings % every !== 0) return undefined;
  const first = ledger.first + random.integer(known);
  return { first, count: Math.min(size, recent.first - first) };
}

async function checkRecent(state: CanaryState, range: SlotRange, context: CanaryContext): Promise<void> {
  const verdict = await checkRange(state, range, 'recent', context);
  if (verdict) {
    state.metrics.lostRatio.set(verdict.owed === 0 ? 0 : verdict.missing.length / verdict.owed);
    state.metrics.lastCheck.set(context.clock.now() / 1000);
  }
  await checkCount(state, range, context);
}

/** Reads a range and counts what is wrong; the verdict of a whole answer, or undefined. */
async function checkRange(
  state: CanaryState,
  range: SlotRange,
  window: WindowKind,
  context: CanaryContext,
): Promise<Verdict | undefined> {
  const claim = claimOf(state, range);
  const first = await judgeRange(state, claim, false, context);
  if (first === undefined) return undefined;
  const last = first.missing.length === 0 ? first : await judgeRange(state, claim, true, context);
  if (last === undefined) return undefined;
  const { metrics } = state;
  const lost = new Set(last.missing);
  noteAll(
    state,
    claim,
    'late',
    first.missing.filter((position) => !lost.has(position)),
  );
  const fresh = noteAll(state, claim, 'lost', last.missing);
  metrics.lost.add(fresh, { window });
  if (fresh > 0) context.log.error('acknowledged samples of the canary are lost', lossOf(claim, last));
  metrics.checked.add(last.owed, { window });
  if (range.first <= state.checkedThrough + 1)
    state.checkedThrough = Math.max(state.checkedThrough, range.first + range.count - 1);
  return last;
}

function lossOf({ first, intervalMs, series }: Claim, { missing, owed }: Verdict): Record<string, number> {
  const timeOf = (position: number): number => (first + Math.floor(position / series)) * intervalMs;
  return { lost: missing.length, owed, fromMs: timeOf(missing[0]!), toMs: timeOf(missing.at(-1)!) };
}

function claimOf({ ledger, settings }: CanaryState, { first, count }: SlotRange): Claim {
  const owed = new Uint8Array(count);
  for (let offset = 0; offset < count; offset++) owed[offset] = ledger.isOwed(first + offset) ? 1 : 0;
  return { first, count, series: settings.series, intervalMs: settings.interval, owed };
}

// Values that are wrong are wrong in partial answers, too.
async function judgeRange(
  state: CanaryState,
  claim: Claim,
  strong: boolean,
  context: CanaryContext,
): Promise<Verdict | undefined> {
  const answer = await readSamples(state, claim, strong, context);
  if (answer === undefined) return undefined;
  const verdict = judge(claim, answer.data);
  noteAll(state, claim, 'wrong', verdict.wrong);
  noteAll(state, claim, 'doubled', verdict.doubled);
  withdrawLost(state, claim, verdict.seen);
  return answer.partial ? undefined : verdict;
}

/** Notes a finding about samples; gives how many are new, counted already but for lost ones. */
function noteAll(
  { findings, metrics }: CanaryState,
  claim: Claim,
  finding: Finding,
  positions: readonly number[],
): number {
  let fresh = 0;
  for (const position of positions) {
    const slot = claim.first + Math.floor(position / claim.series);
    if (findings.note(finding, slot, position % claim.series)) fresh++;
  }
  if (finding !== 'lost' && fresh > 0) metrics[finding].add(fresh);
  return fresh;
}

function withdrawLost({ findings, metrics }: CanaryState, claim: Claim, seen: Uint8Array): void {
  const { first, count, series } = claim;
  for (let offset = 0; offset < count; offset++) {
    if (!findings.has(first + offset)) continue;
    for (let number = 0; number < series; number++)
      if (seen[offset * series + number] === 1 && findings.withdraw('lost', first + offset, number))
        metrics.foundAgain.add();
  }
}

// The same range by an aggregation, which takes another way through the cluster.
async function checkCount(state: CanaryState, range: SlotRange, context: CanaryContext): Promise<void> {
  const { ledger, metrics, settings } = state;
  const slots = Array.from({ length: range.count }, (_, offset) => range.first + offset);
  const owed = slots.filter((slot) => ledger.isOwed(slot)).length * settings.series;
  const answer = await readCount(state, range, context);
  if (answer === undefined) return;
  const written = slots.filter((slot) => ledger.maySee(slot)).length * settings.series;
  if (answer.data > written || (answer.data < owed && !answer.partial)) {
    metrics.wrongCounts.add();
    context.log.error('a count of samples is wrong', { counted: answer.data, owed, written });
  }
}
