// Exemplars of one tenant: the newest of all series in one ring of fixed size, by series in time order (Prometheus's
// CircularExemplarStorage). Series are known by labels, because exemplars outlive the samples of a head.

import type { CompiledMatcher } from '../../codec/regex.ts';
import type { Exemplar } from '../../model/exemplar.ts';
import { compareLabels, type Labels, labelsKey, labelValue } from '../../model/labels.ts';

/** Most characters of an exemplar's label names and values together, as OpenMetrics allows. */
export const EXEMPLAR_LABELS_LENGTH_MAX = 128;

/** What became of an exemplar. */
export type ExemplarOutcome = 'added' | 'duplicate' | 'outOfOrder' | 'tooLong' | 'disabled';

/** A series with its exemplars in time order. */
export interface SeriesExemplars {
  readonly labels: Labels;
  readonly exemplars: readonly Exemplar[];
}

interface Entry {
  readonly key: string;
  readonly exemplar: Exemplar;
}

/** The ring. */
export class ExemplarRing {
  readonly #limit: number;
  readonly #windowMs: number;
  readonly #ring: Entry[] = [];
  #next = 0;
  readonly #series = new Map<string, { readonly labels: Labels; readonly exemplars: Exemplar[] }>();

  /** Keeps at most `limit` exemplars (0: none); within a series they may be out of order by `windowMs`. */
  constructor(limit: number, windowMs: number) {
    this.#limit = limit;
    this.#windowMs = windowMs;
  }

  /** Number of exemplars kept. */
  get count(): number {
    return this.#ring.length;
  }

  /** Estimate of the memory held. */
  get bytes(): number {
    return this.#ring.length * 250 + this.#series.size * 500;
  }

  /** Adds an exemplar of the series; the oldest of the ring makes room. */
  add(labels: Labels, exemplar: Exemplar): ExemplarOutcome {
    if (this.#limit <= 0) return 'disabled';
    if (labelLength(exemplar.labels) > EXEMPLAR_LABELS_LENGTH_MAX) return 'tooLong';
    const key = labelsKey(labels);
    const verdict = this.#judge(key, exemplar);
    if (verdict !== 'added') return verdict;
    if (this.#ring.length === this.#limit) this.#drop(this.#ring[this.#next]!);
    this.#put(key, labels, exemplar);
    return 'added';
  }

  /** Exemplars with start <= t <= end of series that one of the matcher sets accepts, series in label order. */
  select(
    matcherSets: readonly (readonly CompiledMatcher[])[],
    start: number,
    end: number,
  ): SeriesExemplars[] {
    const out: SeriesExemplars[] = [];
    for (const { labels, exemplars } of this.#series.values()) {
      const accepts = (set: readonly CompiledMatcher[]): boolean =>
        set.every((m) => m.matches(labelValue(labels, m.matcher.name)));
      if (!matcherSets.some(accepts)) continue;
      const inside = exemplars.filter((one) => one.timestamp >= start && one.timestamp <= end);
      if (inside.length > 0) out.push({ labels, exemplars: inside });
    }
    return out.sort((a, b) => compareLabels(a.labels, b.labels));
  }

  /** Everything in order of arrival, oldest first: adding it again to an empty ring gives this one. */
  *entries(): Generator<{ readonly labels: Labels; readonly exemplar: Exemplar }> {
    const full = this.#ring.length === this.#limit;
    for (let i = 0; i < this.#ring.length; i++) {
      const entry = this.#ring[full ? (this.#next + i) % this.#limit : i]!;
      yield { labels: this.#series.get(entry.key)!.labels, exemplar: entry.exemplar };
    }
  }

  /** Puts back an entry of `entries()`, which was judged when it first came. */
  restore(labels: Labels, exemplar: Exemplar): void {
    if (this.#limit <= 0) return;
    const key = labelsKey(labels);
    if (this.#ring.length === this.#limit) this.#drop(this.#ring[this.#next]!);
    this.#put(key, labels, exemplar);
  }

  #put(key: string, labels: Labels, exemplar: Exemplar): void {
    this.#ring[this.#next] = { key, exemplar };
    this.#next = (this.#next + 1) % this.#limit;
    const list = this.#series.get(key)?.exemplars;
    if (list === undefined) {
      this.#series.set(key, { labels, exemplars: [exemplar] });
      return;
    }
    let at = list.length;
    while (at > 0 && list[at - 1]!.timestamp > exemplar.timestamp) at--;
    list.splice(at, 0, exemplar);
  }

  #judge(key: string, exemplar: Exemplar): ExemplarOutcome {
    const list = this.#series.get(key)?.exemplars;
    const newest = list?.[list.length - 1];
    if (list === undefined || newest === undefined) return 'added';
    const later = exemplar.timestamp - newest.timestamp;
    if (later > 0) return 'added';
    if (later === 0) {
      const order = exemplar.value - newest.value || compareLabels(exemplar.labels, newest.labels);
      return order === 0 ? 'duplicate' : order < 0 ? 'outOfOrder' : 'added';
    }
    if (later <= -this.#windowMs) return 'outOfOrder';
    return list.some((one) => one.timestamp === exemplar.timestamp) ? 'duplicate' : 'added';
  }

  #drop(entry: Entry): void {
    const list = this.#series.get(entry.key)?.exemplars;
    if (list === undefined) return;
    const at = list.indexOf(entry.exemplar);
    if (at >= 0) list.splice(at, 1);
    if (list.length === 0) this.#series.delete(entry.key);
  }
}

function labelLength(labels: Labels): number {
  let length = 0;
  for (const text of labels) for (const _ of text) length++;
  return length;
}
