// Instant queries whose expression is a range vector: a range selector's raw samples, or a subquery's steps as samples.

import { DomainError } from '../../model/errors.ts';
import { compareLabels } from '../../model/labels.ts';
import { rowsBetweenPauses } from '../../model/pause.ts';
import { sortSliced } from '../../model/sliced-sort.ts';
import type { PlanNode, SubqueryNode } from '../plan/nodes.ts';
import { type RawColumns, type StepRange, stepCount } from '../source.ts';
import { checkGrid, collect, type ExecContext, release } from './context.ts';
import { removeNames } from './delayed-names.ts';
import { readRaw } from './fragment.ts';
import { subqueryGrid } from './range-function.ts';
import { rawBytes, rawSamples } from './raw-series.ts';
import { streamRaw } from './remote.ts';

/** The series of a range vector at the grid's start, sorted by labels. */
export async function readMatrix(
  node: PlanNode,
  grid: StepRange,
  context: ExecContext,
): Promise<RawColumns[]> {
  const series: RawColumns[] = [];
  const keep = (one: RawColumns): void => {
    context.budget.holdSamples(rawSamples(one));
    context.budget.holdBytes(rawBytes(one));
    series.push(one);
  };
  if (node.kind === 'range-select') for await (const one of readRaw(node, grid, context)) keep(one);
  else if (node.kind === 'remote') {
    for await (const part of streamRaw(node, grid, context)) part.forEach(keep);
  } else if (node.kind === 'subquery') series.push(...(await subqueryMatrix(node, grid, context)));
  else throw new DomainError('internal', `cannot evaluate a ${node.kind} as a range vector`);
  return sortSliced(series, (a, b) => compareLabels(a.labels, b.labels), context.budget.pause);
}

async function subqueryMatrix(
  node: SubqueryNode,
  grid: StepRange,
  context: ExecContext,
): Promise<RawColumns[]> {
  const inner = subqueryGrid(node, grid);
  if (inner === undefined) return [];
  checkGrid(inner, context.budget);
  const steps = stepCount(inner);
  const held = await collect(
    context.stream(node.input, { ...inner, weight: grid.weight ?? 1 }),
    steps,
    context.budget,
  );
  const whole = held.batch;
  const { labels, values, present, histograms } =
    context.delayedNames === true ? await removeNames(whole, context.budget.pause) : whole;
  const series: RawColumns[] = [];
  const atOnce = rowsBetweenPauses(steps);
  for (const [row, set] of labels.entries()) {
    if (row % atOnce === 0) await context.budget.pause();
    const indexes: number[] = [];
    for (let i = 0; i < steps; i++) if (present[row * steps + i] === 1) indexes.push(i);
    if (indexes.length === 0) continue;
    series.push({
      labels: set,
      timestamps: Float64Array.from(indexes, (i) => inner.start + i * inner.step),
      values: Float64Array.from(indexes, (i) => values[row * steps + i]!),
      histograms: histograms && {
        columns: histograms.columns,
        rows: Int32Array.from(indexes, (i) => histograms.rows[row * steps + i]!),
      },
    });
  }
  release(held, context.budget);
  return series;
}
