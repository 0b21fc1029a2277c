// Which series of two vectors meet in a binary operation, and what the result's series are called (Prometheus
// promql/engine.go, VectorBinop and resultMetric). Signatures are computed once per series, not per step.

import { DomainError } from '../../model/errors.ts';
import {
  compareLabels,
  type Labels,
  labelsDrop,
  labelsKeep,
  labelsWith,
  labelValue,
} from '../../model/labels.ts';
import { type Pause, rowsBetweenPauses } from '../../model/pause.ts';
import type { VectorMatching } from '../parse/ast.ts';
import { goQuote } from '../parse/go-text.ts';
import { dropsName } from '../plan/names.ts';
import type { StepBatch } from '../source.ts';
import { GroupTable } from './grouping.ts';
import type { PairOperator } from './histograms/pairs.ts';
import { hasNameNote, noteNameKept, noteNameToGo, removeMetadataLabels } from './name-note.ts';

/** An operation whose result has values of its own. */
export interface PairOperation {
  readonly op: PairOperator;
  readonly returnBool: boolean;
  readonly matching: VectorMatching;
  /** `line:col`, for notes. */
  readonly where?: string | undefined;
}

/** The match group of every series of both sides. */
export interface Signatures {
  /** Group number of each left series, and of each right one. */
  readonly left: Int32Array;
  readonly right: Int32Array;
  /** Labels that make each group. */
  readonly groups: readonly Labels[];
}

/** Two vectors and the match groups of their series. */
export interface Matched {
  readonly left: StepBatch;
  readonly right: StepBatch;
  readonly signatures: Signatures;
}

/** Numbers the match groups of two vectors: by the labels of `on`, or by all but those of `ignoring` and the metric name. */
export async function matchSignatures(
  matching: Pick<VectorMatching, 'on' | 'labels'>,
  left: readonly Labels[],
  right: readonly Labels[],
  pause: Pause,
): Promise<Signatures> {
  const atOnce = rowsBetweenPauses(0);
  const table = new GroupTable({ grouping: matching.labels, without: !matching.on });
  const number = async (series: readonly Labels[]): Promise<Int32Array> => {
    const out = new Int32Array(series.length);
    for (let i = 0; i < series.length; i++) {
      if (i % atOnce === 0) await pause();
      out[i] = table.groupOf(series[i]!);
    }
    return out;
  };
  return { left: await number(left), right: await number(right), groups: table.labels };
}

/** The series of each group as rows, or -1 for none; undefined when a group has two. */
export function uniqueRows(signatures: Int32Array, groups: number): Int32Array | undefined {
  const rows = new Int32Array(groups).fill(-1);
  for (let row = 0; row < signatures.length; row++) {
    const group = signatures[row]!;
    if (rows[group] !== -1) return undefined;
    rows[group] = row;
  }
  return rows;
}

/** Labels of a result: those of the `many` side, shaped by the matching, with the included labels of the `one` side. */
export function resultLabels(many: Labels, one: Labels, operation: PairOperation): Labels {
  const { matching } = operation;
  let labels = hasNameNote(many)
    ? notedLabels(many, operation)
    : dropsName(operation)
      ? removeMetadataLabels(many)
      : many;
  if (matching.card === 'one-to-one') {
    const names = new Set(matching.labels);
    labels = matching.on ? labelsKeep(labels, names) : labelsDrop(labels, names);
  }
  for (const name of matching.include) labels = labelsWith(labels, name, labelValue(one, name));
  return labels;
}

// With delayed name removal arithmetic takes names off at once, and a filter keeps even those that were to go.
function notedLabels(labels: Labels, { op, returnBool }: PairOperation): Labels {
  if (dropsName({ op, returnBool: false })) return removeMetadataLabels(labels);
  return returnBool ? noteNameToGo(labels) : noteNameKept(labels);
}

/** Two series of one match group on the side that may have one; they are named in the order of their labels. */
export function duplicateSeries(
  group: Labels,
  side: 'left' | 'right',
  pair: readonly [Labels, Labels],
): DomainError {
  const [first, second] = pair.toSorted(compareLabels) as [Labels, Labels];
  return new DomainError(
    'execution',
    `found duplicate series for the match group ${labelSetText(group)} on the ${side} hand-side of the operation: ` +
      `[${labelSetText(first)}, ${labelSetText(second)}];many-to-many matching not allowed: ` +
      'matching labels must be unique on one side',
  );
}

/** Two series of one match group on the left of a one-to-one operation. */
export function implicitManyToOne(): DomainError {
  return new DomainError(
    'execution',
    'multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)',
  );
}

/** Two results of one match group with equal labels. */
export function ambiguousGrouping(): DomainError {
  return new DomainError(
    'execution',
    'multiple matches for labels: grouping labels must ensure unique matches',
  );
}

const PLAIN_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

/** `{__name__="a", b="c"}`: a label set as Prometheus's error messages show it. */
export function labelSetText(labels: Labels): string {
  const parts: string[] = [];
  for (let i = hasNameNote(labels) ? 2 : 0; i < labels.length; i += 2) {
    const name = labels[i]!;
    parts.push(`${PLAIN_NAME.test(name) ? name : goQuote(name)}=${goQuote(labels[i + 1]!)}`);
  }
  return `{${parts.join(', ')}}`;
}
