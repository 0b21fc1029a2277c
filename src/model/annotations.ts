// Warnings and infos that a query's answer carries, as Prometheus's util/annotations.

/** One note on an answer; `text` is the full sentence Prometheus prints, with its `(line:col)` suffix where it has one. */
export interface Annotation {
  readonly level: 'warning' | 'info';
  readonly text: string;
}

/** Collects notes of one query; equal texts are kept once. */
export class Annotations {
  readonly #seen = new Map<string, Annotation>();

  /** Adds a note unless an equal one is there. */
  add(annotation: Annotation): void {
    const key = `${annotation.level}:${annotation.text}`;
    if (!this.#seen.has(key)) this.#seen.set(key, annotation);
  }

  /** Adds all notes of an iterable. */
  addAll(annotations: Iterable<Annotation>): void {
    for (const annotation of annotations) this.add(annotation);
  }

  /** All notes in order of arrival. */
  all(): Annotation[] {
    return [...this.#seen.values()];
  }
}
