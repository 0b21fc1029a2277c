// Runs aggregations: series stream into the groups, so that memory is groups x steps, whatever the number of series. A merge
// takes the states that shards computed.

import { createHasher } from '../../codec/hash.ts';
import { DomainError, invariant } from '../../model/errors.ts';
import type { AggregateOperator } from '../parse/ast.ts';
import type { AggregateNode } from '../plan/nodes.ts';
import type { StepBatch, StepRange } from '../source.ts';
import { type Aggregation, createAggregation } from './aggregate.ts';
import type { ExecContext } from './context.ts';
import { noteNewNames } from './delayed-names.ts';
import { streamPartials } from './remote.ts';

const COLUMN_STATES: ReadonlySet<AggregateOperator> = new Set([
  'sum',
  'avg',
  'count',
  'min',
  'max',
  'group',
  'stddev',
  'stdvar',
]);

/** Streams an aggregation's groups. */
export async function* runAggregate(
  node: AggregateNode,
  grid: StepRange,
  context: ExecContext,
): AsyncGenerator<StepBatch> {
  invariant(node.stage !== 'partial', 'a partial aggregation is the root of a fragment');
  const aggregation = await openAggregation(node, grid, context);
  if (node.stage === 'merge') {
    invariant(node.input.kind === 'remote', 'a merging aggregation has a remote input');
    for await (const state of streamPartials(node.input, grid, context)) aggregation.addPartial(state);
  } else await feed(aggregation, node, grid, context);
  const result = await aggregation.finish(context.annotations, context.budget.pause);
  yield context.delayedNames === true && node.op === 'count_values' ? noteNewNames(result) : result;
}

/** The mergeable state of a partial aggregation, as its bytes. */
export async function runPartial(
  node: AggregateNode,
  grid: StepRange,
  context: ExecContext,
): Promise<Aggregation> {
  const aggregation = await openAggregation(node, grid, context);
  await feed(aggregation, node, grid, context);
  return aggregation;
}

async function feed(
  aggregation: Aggregation,
  node: AggregateNode,
  grid: StepRange,
  context: ExecContext,
): Promise<void> {
  // States of columns take their samples over at once; the others keep batches.
  const borrowed = COLUMN_STATES.has(node.op);
  for await (const batch of context.stream(node.input, grid, borrowed)) aggregation.add(batch);
}

async function openAggregation(
  node: AggregateNode,
  grid: StepRange,
  context: ExecContext,
): Promise<Aggregation> {
  const { op, grouping, without, param, where, histogramWhere } = node;
  const { budget, annotations } = context;
  const hasher = op === 'limit_ratio' ? (context.hasher ?? (await createHasher())) : undefined;
  const spec = {
    op,
    grouping,
    without,
    where,
    histogramWhere,
    annotations,
    budget,
    ...(hasher === undefined ? {} : { hasher }),
  };
  if (param === undefined) return createAggregation(spec, grid);
  if (op === 'count_values') {
    if (param.kind !== 'string')
      throw new DomainError('internal', 'cannot count values: the label is no string');
    return createAggregation({ ...spec, paramText: param.value }, grid);
  }
  const paramValues = await context.scalar(param, grid);
  try {
    return createAggregation({ ...spec, paramValues }, grid);
  } catch (error) {
    // What is wrong with the series is told before what is wrong with the parameter.
    if (node.input.kind !== 'remote') for await (const _ of context.stream(node.input, grid, true));
    throw error;
  }
}
