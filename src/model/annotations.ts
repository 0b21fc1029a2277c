// Warnings and infos that a query's answer carries, as Prometheus's util/annotations.

/**
 * One note on an answer; `text` is the full sentence Prometheus prints, with its ` (line:col)` behind it where it has one. While a query
 * runs the place is ` (line:col~rank)`: where it was written and when Prometheus would have come there.
 */
export interface Annotation {
  readonly level: 'warning' | 'info';
  readonly text: string;
}

const PLACE = / \((\d+):(\d+)(?:~(\d+))?\)$/;
/** Notes that count what they are about: of several the place of the first is kept, of all others that of the last. */
const COUNTING = /needed to be fixed for monotonicity|start time that overlaps/;
/** The figures of a note on straightened buckets: bounds, largest fall, histograms, times. */
const FIGURES =
  /, from buckets (\S+) to (\S+), with a max diff of (\S+), over (\d+) samples from (\S+) to (\S+)(?= \()/;

/** Collects notes of one query. Of notes that differ in their place alone one is kept, by rank; figures are put together. */
export class Annotations {
  readonly #seen = new Map<string, Annotation>();

  /** Adds a note unless it is there already. */
  add(annotation: Annotation): void {
    const key = `${annotation.level}:${annotation.text.replace(FIGURES, '').replace(PLACE, '')}`;
    const known = this.#seen.get(key);
    this.#seen.set(key, known === undefined ? annotation : joined(known, annotation));
  }

  /** Adds all notes of an iterable. */
  addAll(annotations: Iterable<Annotation>): void {
    for (const annotation of annotations) this.add(annotation);
  }

  /** All notes in order of arrival. */
  all(): Annotation[] {
    return [...this.#seen.values()];
  }

  /** All notes as they are shown, without ranks. */
  shown(): Annotation[] {
    return this.all().map(({ level, text }) => ({ level, text: text.replace(PLACE, ' ($1:$2)') }));
  }
}

function joined(known: Annotation, added: Annotation): Annotation {
  const [first, last] = isBehind(added, known) ? [known, added] : [added, known];
  if (!COUNTING.test(known.text)) return last;
  const [a, b] = [FIGURES.exec(known.text), FIGURES.exec(added.text)];
  if (a === null || b === null) return first;
  return { level: known.level, text: first.text.replace(FIGURES, joinedFigures(a, b)) };
}

function joinedFigures(a: RegExpExecArray, b: RegExpExecArray): string {
  const [, fromA = '', toA = '', fallA = '', countA, sinceA = '', untilA = ''] = a;
  const [, fromB = '', toB = '', fallB = '', countB, sinceB = '', untilB = ''] = b;
  const from = numberOf(fromA) < numberOf(fromB) ? fromA : fromB;
  const to = numberOf(toA) > numberOf(toB) ? toA : toB;
  const fall = numberOf(fallA) > numberOf(fallB) ? fallA : fallB;
  const since = sinceA < sinceB ? sinceA : sinceB;
  const until = untilA > untilB ? untilA : untilB;
  const count = Number(countA) + Number(countB);
  return `, from buckets ${from} to ${to}, with a max diff of ${fall}, over ${count} samples from ${since} to ${until}`;
}

// A number as Go prints it.
function numberOf(text: string): number {
  return Number(text.replace('Inf', 'Infinity'));
}

// Without ranks the one further back in the query counts.
function isBehind(a: Annotation, b: Annotation): boolean {
  const [, line = '0', column = '0', rank = '0'] = PLACE.exec(a.text) ?? [];
  const [, otherLine = '0', otherColumn = '0', otherRank = '0'] = PLACE.exec(b.text) ?? [];
  if (rank !== otherRank) return Number(rank) > Number(otherRank);
  return line === otherLine ? Number(column) > Number(otherColumn) : Number(line) > Number(otherLine);
}
