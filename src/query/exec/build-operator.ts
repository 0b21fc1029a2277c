// The one place that says how each plan node runs: one switch for vectors, one for scalars.

import type { Hasher } from '../../codec/hash.ts';
import type { Annotations } from '../../model/annotations.ts';
import { DomainError } from '../../model/errors.ts';
import type { QueryBudget } from '../budget.ts';
import type { EvalModes } from '../modes.ts';
import type { PlanNode } from '../plan/nodes.ts';
import {
  type FragmentRunner,
  type SeriesSource,
  type StepBatch,
  type StepRange,
  stepCount,
} from '../source.ts';
import { runAggregate } from './aggregate-operator.ts';
import { scalarCall, streamCall } from './call-operator.ts';
import { checkGrid, collect, type ExecContext, oneStep } from './context.ts';
import { streamInfo } from './info.ts';
import {
  scalarBinary,
  streamAbsent,
  streamBinary,
  streamInvariant,
  streamNegate,
} from './plain-operators.ts';
import type { Profile } from './profile.ts';
import { streamRangeFunction } from './range-function.ts';
import { streamRemote } from './remote.ts';
import { streamSelect } from './select.ts';

/** What an evaluation is made from. */
export interface ExecOptions extends EvalModes {
  readonly source?: SeriesSource;
  readonly fragments?: FragmentRunner;
  readonly budget: QueryBudget;
  readonly annotations: Annotations;
  readonly lookbackMs: number;
  readonly profile?: Profile;
  readonly hasher?: Hasher;
}

/** Opens an evaluation; `plan` is looked through once for parts that occur more than once and then run once. */
export function openExecution(options: ExecOptions, shared: ReadonlySet<PlanNode>): ExecContext {
  const results = new Map<PlanNode, Map<string, Promise<StepBatch>>>();
  const context: ExecContext = {
    ...options,
    stream(node, grid, borrowed = false) {
      checkGrid(grid, options.budget);
      if (!shared.has(node)) return runNode(node, grid, context, borrowed);
      const byGrid = results.get(node) ?? new Map<string, Promise<StepBatch>>();
      results.set(node, byGrid);
      return streamShared(node, grid, context, byGrid);
    },
    scalar(node, grid) {
      const values = scalarNode(node, grid, context);
      return options.profile?.time(node, values) ?? values;
    },
  };
  return context;
}

// Runs a shared node once per grid and hands copies on, because a batch belongs to whoever receives it.
async function* streamShared(
  node: PlanNode,
  grid: StepRange,
  context: ExecContext,
  results: Map<string, Promise<StepBatch>>,
): AsyncGenerator<StepBatch> {
  const key = `${grid.start}/${grid.end}/${grid.step}`;
  const steps = stepCount(grid);
  let result = results.get(key);
  if (result === undefined) {
    result = collect(runNode(node, grid, context, false), steps, context.budget).then(({ batch }) => batch);
    results.set(key, result);
  }
  const batch = await result;
  yield { ...batch, values: batch.values.slice(), present: batch.present.slice() };
}

// What a remote node gets is measured where it comes in.
function runNode(
  node: PlanNode,
  grid: StepRange,
  context: ExecContext,
  borrowed: boolean,
): AsyncIterable<StepBatch> {
  const batches = streamNode(node, grid, context, borrowed);
  return context.profile === undefined || node.kind === 'remote'
    ? batches
    : context.profile.watch(node, batches);
}

function streamNode(
  node: PlanNode,
  grid: StepRange,
  context: ExecContext,
  borrowed: boolean,
): AsyncIterable<StepBatch> {
  switch (node.kind) {
    case 'select':
      return streamSelect(node, grid, context, borrowed);
    case 'range-function':
      return streamRangeFunction(node, grid, context, borrowed);
    case 'aggregate':
      return runAggregate(node, grid, context);
    case 'binary':
      return streamBinary(node, grid, context);
    case 'negate':
      return streamNegate(node, grid, context);
    case 'call':
      return streamCall(node, grid, context);
    case 'absent':
      return streamAbsent(node, grid, context);
    case 'info':
      return streamInfo(node, grid, context);
    case 'step-invariant':
      return streamInvariant(node, grid, context);
    case 'remote':
      return streamRemote(node, grid, context);
    case 'number':
    case 'time':
    case 'string':
    case 'range-select':
    case 'subquery':
      throw new DomainError('internal', `cannot evaluate a ${node.kind} as a vector`);
    default:
      throw unknownKind(node);
  }
}

async function scalarNode(node: PlanNode, grid: StepRange, context: ExecContext): Promise<Float64Array> {
  const steps = stepCount(grid);
  context.budget.checkSamples(steps);
  // Few and small, but on grids of millions of steps; given back when the query is over.
  context.budget.holdBytes(steps * 8);
  switch (node.kind) {
    case 'number':
      return new Float64Array(steps).fill(node.value);
    case 'time':
      return new Float64Array(steps).map((_, i) => (grid.start + i * grid.step) / 1000);
    case 'negate':
      return (await scalarNode(node.input, grid, context)).map((value) => -value);
    case 'binary':
      return scalarBinary(node, grid, context);
    case 'step-invariant': {
      const [value = Number.NaN] = await scalarNode(node.input, oneStep(grid), context);
      return new Float64Array(steps).fill(value);
    }
    case 'call':
      return scalarCall(node, grid, context);
    case 'string':
    case 'select':
    case 'range-select':
    case 'subquery':
    case 'range-function':
    case 'absent':
    case 'aggregate':
    case 'info':
    case 'remote':
      throw new DomainError('internal', `cannot evaluate a ${node.kind} as a scalar`);
    default:
      throw unknownKind(node);
  }
}

// A plan may come from a process of a newer version. Another replica may know the kind.
function unknownKind(node: never): DomainError {
  const { kind } = node as { readonly kind: unknown };
  return new DomainError(
    'unavailable',
    `cannot evaluate a plan node of kind ${String(kind)}: it is not known here`,
  );
}
