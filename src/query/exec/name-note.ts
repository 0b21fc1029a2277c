// Delayed name removal (Prometheus's feature promql-delayed-name-removal): functions that take the metric name off a series only
// note that it is to go, and it goes when the query is done; until then label_replace and `by (__name__)` see it. The note
// travels as a first label that no series can have.

import { type Labels, labelValue, METRIC_NAME } from '../../model/labels.ts';

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

/** The labels without note, and without name where it is to go. */
export function withoutNameNote(labels: Labels): Labels {
  if (!hasNameNote(labels)) return labels;
  const rest = labels.slice(2);
  if (labels[1] === KEPT || labelValue(rest, METRIC_NAME) === '') return rest;
  const at = rest.indexOf(METRIC_NAME);
  return [...rest.slice(0, at), ...rest.slice(at + 2)];
}
