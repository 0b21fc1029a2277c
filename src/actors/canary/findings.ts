// What was found about single samples, so that a sample that is looked at again and again is counted once. Memory is taken only
// for slots with findings.

/** Kinds of findings, as bits. */
export const FINDING = { lost: 1, late: 2, wrong: 4, doubled: 8 } as const;
/** A kind of finding. */
export type Finding = keyof typeof FINDING;

/** Findings by slot and series. */
export class Findings {
  readonly #series: number;
  readonly #bySlot: Map<number, Uint8Array> = new Map();

  constructor(series: number) {
    this.#series = series;
  }

  /** Notes a finding; true when it is new. */
  note(finding: Finding, slot: number, series: number): boolean {
    let marks = this.#bySlot.get(slot);
    if (marks === undefined) {
      marks = new Uint8Array(this.#series);
      this.#bySlot.set(slot, marks);
    }
    const isNew = (marks[series]! & FINDING[finding]) === 0;
    marks[series]! |= FINDING[finding];
    return isNew;
  }

  /** Takes a finding back; true when there was one. */
  withdraw(finding: Finding, slot: number, series: number): boolean {
    const marks = this.#bySlot.get(slot);
    if (marks === undefined || (marks[series]! & FINDING[finding]) === 0) return false;
    marks[series]! &= ~FINDING[finding];
    return true;
  }

  /** Whether anything was found about a slot. */
  has(slot: number): boolean {
    return this.#bySlot.has(slot);
  }

  /** Forgets slots before `first`. */
  forgetBefore(first: number): void {
    for (const slot of this.#bySlot.keys()) if (slot < first) this.#bySlot.delete(slot);
  }
}
