// What an evaluation needs beyond the floats of PromQL as it stood before Prometheus 3.10: native histograms, or one of the
// extensions of 3.10 to 3.14. Told from the query, what it selects, and what it expects.

import type { Expr } from '../../src/query/parse/ast.ts';
import { walkExpr } from '../../src/query/parse/ast-walk.ts';
import type { MemorySeries, MemorySource } from './memory-source.ts';
import type { EvalCommand } from './script.ts';

/** A need; an evaluation may have both. */
export type Need = 'native histograms' | '3.10-3.14 extensions';

const HISTOGRAM_FUNCTIONS = new Set([
  'histogram_avg',
  'histogram_count',
  'histogram_stddev',
  'histogram_stdvar',
  'histogram_sum',
]);
const EXTENSION_FUNCTIONS = new Set([
  'histogram_quantiles',
  'info',
  'start_timestamp',
  'start',
  'end',
  'step',
  'range',
  'min_of',
  'max_of',
]);
const EXTENSION_DURATIONS = new Set(['step', 'range', 'min_of', 'max_of']);

/** The needs of one evaluation against what is loaded. */
export function needsOf(command: EvalCommand, expr: Expr, source: MemorySource): Set<Need> {
  const needs = new Set<Need>();
  for (const { values } of command.expected.values()) {
    if (values.some(({ kind }) => kind === 'histogram')) needs.add('native histograms');
  }
  walkExpr(expr, (node) => {
    if (isExtension(node)) needs.add('3.10-3.14 extensions');
    if (node.kind === 'call' && HISTOGRAM_FUNCTIONS.has(node.func)) needs.add('native histograms');
    if (node.kind === 'binary' && (node.op === '</' || node.op === '>/')) needs.add('native histograms');
    if (node.kind !== 'vector-selector') return;
    for (const series of source.matching(node.matchers)) addDataNeeds(series, needs);
  });
  return needs;
}

function addDataNeeds(series: MemorySeries, needs: Set<Need>): void {
  if (series.hasHistograms) needs.add('native histograms');
  const isTyped = series.labels.some((text, index) => index % 2 === 0 && /^__(?:type|unit)__$/.test(text));
  if (series.samples.starts !== undefined || isTyped) needs.add('3.10-3.14 extensions');
}

function isExtension(node: Expr): boolean {
  switch (node.kind) {
    case 'binary':
      return (
        node.op === '</' ||
        node.op === '>/' ||
        node.matching?.fillLeft !== undefined ||
        node.matching?.fillRight !== undefined
      );
    case 'call':
      return EXTENSION_FUNCTIONS.has(node.func);
    case 'vector-selector':
      return (
        node.extended !== undefined ||
        usesExtension(node.offsetExpr) ||
        node.matchers.some(({ name }) => /^__(?:type|unit)__$/.test(name))
      );
    case 'matrix-selector':
      return usesExtension(node.rangeExpr);
    case 'subquery':
      return usesExtension(node.rangeExpr) || usesExtension(node.stepExpr) || usesExtension(node.offsetExpr);
    default:
      return false;
  }
}

// Duration arithmetic is older; step(), range(), min_of() and max_of() in it are not.
function usesExtension(expr: Expr | undefined): boolean {
  if (expr?.kind !== 'duration') return false;
  return EXTENSION_DURATIONS.has(expr.op) || usesExtension(expr.left) || usesExtension(expr.right);
}
