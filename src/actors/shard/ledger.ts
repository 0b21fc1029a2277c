// The ledger of one partition's log: which stretches still hold samples that are in no block, and which epochs define the
// series of which frames. From it comes the one number that matters: from where on the log must be kept. Pure.

const STRETCH_MESSAGES = 16;

/** A run of messages of one tenant, with the newest sample time in it. */
interface Stretch {
  first: number;
  last: number;
  maxTime: number;
  /** Holds samples of a range that had been cut already: covered only by the next cut pass. */
  late: boolean;
}

/** First and last message of one epoch of one writer. */
interface EpochSpan {
  first: number;
  last: number;
  /** Wall time until which the writer may still send frames of it. */
  openUntil: number;
}

/** The ledger as plain data, for snapshots. */
export interface LedgerFacts {
  readonly stretches: readonly (readonly [tenant: string, stretches: readonly Stretch[]])[];
  readonly epochs: readonly (readonly [writerEpoch: string, span: EpochSpan])[];
}

/** Keeps the ledger of one partition. */
export class LogLedger {
  readonly #stretches = new Map<string, Stretch[]>();
  readonly #epochs = new Map<string, EpochSpan>();

  /**
   * Notes a message: its tenant, the newest sample in it, whether it held late samples, the epoch that defines its series, and
   * until when (wall ms) that epoch may still get frames.
   */
  note(
    sequence: number,
    tenant: string,
    maxTime: number,
    late: boolean,
    writerEpoch: string,
    openUntil: number,
  ): void {
    const span = this.#epochs.get(writerEpoch);
    if (span) span.last = sequence;
    else this.#epochs.set(writerEpoch, { first: sequence, last: sequence, openUntil });
    let list = this.#stretches.get(tenant);
    if (!list) this.#stretches.set(tenant, (list = []));
    const open = list[list.length - 1];
    if (open && sequence - open.first < STRETCH_MESSAGES) {
      open.last = sequence;
      open.maxTime = Math.max(open.maxTime, maxTime);
      open.late ||= late;
    } else list.push({ first: sequence, last: sequence, maxTime, late });
  }

  /** A cut pass made when `applied` was the last message seen put every sample of the tenant older than `end` into blocks. */
  cut(tenant: string, end: number, applied: number): void {
    const list = this.#stretches.get(tenant);
    if (!list) return;
    const kept = list.filter((stretch) => stretch.last > applied || stretch.maxTime >= end);
    for (const stretch of kept) if (stretch.last <= applied) stretch.late = false;
    if (kept.length === 0) this.#stretches.delete(tenant);
    else this.#stretches.set(tenant, kept);
  }

  /**
   * The first message that must be kept, given the last one applied and the wall time. The epoch of every kept message, and of
   * every message still to come, begins at or after it.
   */
  keepFrom(applied: number, nowMs: number): number {
    let from = applied + 1;
    for (const list of this.#stretches.values()) if (list.length > 0) from = Math.min(from, list[0]!.first);
    for (let moved = true; moved; ) {
      moved = false;
      for (const span of this.#epochs.values())
        if (span.first < from && (span.last >= from || span.openUntil > nowMs)) {
          from = span.first;
          moved = true;
        }
    }
    return from;
  }

  /** Forgets epochs of which nothing is kept (the log begins at `first` now). */
  trimmed(first: number, nowMs: number): void {
    for (const [key, span] of this.#epochs)
      if (span.last < first && span.openUntil <= nowMs) this.#epochs.delete(key);
  }

  /** Plain data of the ledger. */
  facts(): LedgerFacts {
    return {
      stretches: [...this.#stretches].map(
        ([tenant, list]) => [tenant, list.map((stretch) => ({ ...stretch }))] as const,
      ),
      epochs: [...this.#epochs].map(([key, span]) => [key, { ...span }] as const),
    };
  }

  /** A ledger from plain data. */
  static from(facts: LedgerFacts): LogLedger {
    const ledger = new LogLedger();
    for (const [tenant, list] of facts.stretches)
      ledger.#stretches.set(
        tenant,
        list.map((stretch) => ({ ...stretch })),
      );
    for (const [key, span] of facts.epochs) ledger.#epochs.set(key, { ...span });
    return ledger;
  }
}
