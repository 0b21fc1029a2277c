// Delayed name removal (Prometheus's feature promql-delayed-name-removal): functions that take the metric name off a series only
// note that it is to go, and it goes when the query is done; until then label_replace and `by (__name__)` see it. The note
// travels as a first label that no series can have.

import { type Labels, METRIC_NAME } from '../../model/labels.ts';

/** Name of the note; sorts before every label. */
export const NAME_NOTE = '\u0000name';
const KEPT = 'kept';
const TO_GO = 'to go';

/** Whether the series carries a note. */
export function hasNameNote(labels: Labels): boolean {
  return labels[0] === NAME_NOTE;
}

/** A series as a selector found it, with a note that its name is kept. */
export function noteName(labels: Labels): Labels {
  return [NAME_NOTE, KEPT, ...labels];
}

/** Labels with a note, changed to say that the name is to go. */
export function noteNameToGo(labels: Labels): Labels {
  return [NAME_NOTE, TO_GO, ...labels.slice(2)];
}

/** Labels with a note, changed to say that the name is kept. */
export function noteNameKept(labels: Labels): Labels {
  return [NAME_NOTE, KEPT, ...labels.slice(2)];
}

/** The labels of a group by `__name__` with the note of one more of its series: the name goes when it goes from one. */
export function joinNameNotes(group: Labels, series: Labels): Labels {
  if (!hasNameNote(series)) return group;
  if (!hasNameNote(group)) return [NAME_NOTE, series[1]!, ...group];
  return series[1] === TO_GO && group[1] === KEPT ? noteNameToGo(group) : group;
}

/** The labels without note, and without name, type and unit where they are to go. */
export function withoutNameNote(labels: Labels): Labels {
  if (!hasNameNote(labels)) return labels;
  const rest = labels.slice(2);
  return labels[1] === KEPT ? rest : removeMetadataLabels(rest);
}

/** The labels without metric name, `__type__` and `__unit__` (same array when it has none), or with a note that they are to go. */
export function dropMetadataLabels(labels: Labels): Labels {
  return hasNameNote(labels) ? noteNameToGo(labels) : removeMetadataLabels(labels);
}

/** The labels without metric name, `__type__` and `__unit__`; the same array when it has none. */
export function removeMetadataLabels(labels: Labels): Labels {
  for (let i = 0; i < labels.length; i += 2) {
    if (!isMetadata(labels[i]!)) continue;
    const kept: string[] = [];
    for (let k = 0; k < labels.length; k += 2)
      if (!isMetadata(labels[k]!)) kept.push(labels[k]!, labels[k + 1]!);
    return kept;
  }
  return labels;
}

function isMetadata(name: string): boolean {
  return name === METRIC_NAME || name === '__type__' || name === '__unit__';
}
