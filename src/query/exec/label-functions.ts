// label_replace and label_join: new labels, same samples. Looks at each series once.

import { type CompiledRegex, compileRegex } from '../../codec/regex.ts';
import { DomainError } from '../../model/errors.ts';
import { type Labels, labelsWith, labelValue, METRIC_NAME } from '../../model/labels.ts';
import { type Pause, rowsBetweenPauses } from '../../model/pause.ts';
import type { StepBatch } from '../source.ts';
import { hasNameNote, noteNameKept } from './name-note.ts';
import { mergeEqualSeries } from './step-batch.ts';

/** label_replace's strings. */
export interface LabelReplacement {
  readonly target: string;
  readonly template: string;
  readonly source: string;
  readonly pattern: string;
}

/** Sets `target` to the filled template where the whole value of `source` matches; `execution` errors as Prometheus's. */
export async function replaceLabel(
  batch: StepBatch,
  replacement: LabelReplacement,
  pause: Pause,
): Promise<StepBatch> {
  const { target, template, source, pattern } = replacement;
  const regex = compile(pattern);
  checkName(target, 'destination', 'label_replace');
  const filled = new Map<string, string | undefined>();
  const relabel = (set: Labels): Labels => {
    const value = labelValue(set, source);
    if (!filled.has(value)) filled.set(value, regex.expand(value, template));
    const result = filled.get(value);
    return result === undefined ? set : withLabel(set, target, result);
  };
  return relabelled(batch, relabel, pause);
}

function compile(pattern: string): CompiledRegex {
  try {
    return compileRegex(pattern);
  } catch (cause) {
    throw new DomainError('execution', `invalid regular expression in label_replace(): ${pattern}`, {
      cause,
    });
  }
}

/** Sets `target` to the values of `sources` with `separator` between them. */
export async function joinLabels(
  batch: StepBatch,
  { target, separator, sources }: { target: string; separator: string; sources: readonly string[] },
  pause: Pause,
): Promise<StepBatch> {
  for (const source of sources) checkName(source, 'source', 'label_join');
  checkName(target, 'destination', 'label_join');
  const relabel = (set: Labels): Labels => {
    const values = sources.map((source) => labelValue(set, source));
    return withLabel(set, target, values.join(separator));
  };
  return relabelled(batch, relabel, pause);
}

// A name that a function gives is kept.
function withLabel(set: Labels, target: string, value: string): Labels {
  const labels = labelsWith(set, target, value);
  return target === METRIC_NAME && hasNameNote(labels) ? noteNameKept(labels) : labels;
}

function checkName(name: string, role: 'source' | 'destination', func: string): void {
  // U+FFFD is what malformed UTF-8 has become on the way here.
  if (name !== '' && name.isWellFormed() && !name.includes('\ufffd')) return;
  throw new DomainError('execution', `invalid ${role} label name in ${func}(): ${name}`);
}

async function relabelled(
  batch: StepBatch,
  relabel: (set: Labels) => Labels,
  pause: Pause,
): Promise<StepBatch> {
  const labels: Labels[] = [];
  const atOnce = rowsBetweenPauses(0);
  for (const [row, set] of batch.labels.entries()) {
    if (row % atOnce === 0) await pause();
    labels.push(relabel(set));
  }
  return mergeEqualSeries({ ...batch, labels }, pause);
}
