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

/** Collects notes of one query. Of notes that differ in their place alone that of the highest rank is kept. */
export class Annotations {
  readonly #seen = new Map<string, Annotation>();

  /** Adds a note unless it is there already. */
  add(annotation: Annotation): void {
    const key = `${annotation.level}:${annotation.text.replace(PLACE, '')}`;
    const known = this.#seen.get(key);
    if (known === undefined || isBehind(annotation, known)) this.#seen.set(key, annotation);
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

// Without ranks the one further back in the query counts.
function isBehind(a: Annotation, b: Annotation): boolean {
  const [, line = '0', column = '0', rank = '0'] = PLACE.exec(a.text) ?? [];
  const [, otherLine = '0', otherColumn = '0', otherRank = '0'] = PLACE.exec(b.text) ?? [];
  if (rank !== otherRank) return Number(rank) > Number(otherRank);
  return line === otherLine ? Number(column) > Number(otherColumn) : Number(line) > Number(otherLine);
}
