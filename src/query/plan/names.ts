// What a plan node says of its series' metric names before anything is read.

import { METRIC_NAME } from '../../model/labels.ts';
import type { Matcher } from '../../model/matcher.ts';
import { keepsMetricName } from '../kernels/range-kernels.ts';
import type { BinaryOperator } from '../parse/ast.ts';
import type { BinaryNode, PlanNode } from './nodes.ts';

const SELECTING: ReadonlySet<string> = new Set(['topk', 'bottomk', 'limitk', 'limit_ratio']);
const FILTERS: ReadonlySet<BinaryOperator> = new Set(['==', '!=', '<', '<=', '>', '>=', '</', '>/']);

/** Whether a node's series differ even without metric name, so that dropping it cannot make two of them equal. */
export function namesUnique(node: PlanNode): boolean {
  switch (node.kind) {
    case 'select':
    case 'range-select':
      return hasNameMatcher(node.matchers);
    case 'subquery':
    case 'step-invariant':
      return namesUnique(node.input);
    case 'range-function':
      return !keepsMetricName(node.func) || namesUnique(node.input);
    case 'aggregate':
      if (SELECTING.has(node.op)) return namesUnique(node.input);
      if (node.param?.kind === 'string' && node.param.value === METRIC_NAME) return false;
      return node.without || !node.grouping.includes(METRIC_NAME) || namesUnique(node.input);
    case 'binary':
      return binaryUnique(node);
    case 'call': {
      if (node.func === 'label_replace' || node.func === 'label_join') return false;
      const [input] = node.args;
      return !node.func.startsWith('sort') || (input !== undefined && namesUnique(input));
    }
    case 'info':
      return false; // one series may lack a label that another gets
    case 'remote':
      return namesUnique(node.fragment);
    case 'number':
    case 'string':
    case 'time':
    case 'absent':
    case 'negate':
      return true;
  }
}

function binaryUnique(node: BinaryNode): boolean {
  if (node.op === 'or') return false;
  if (node.op === 'and' || node.op === 'unless') return namesUnique(node.left);
  if (dropsName(node)) return true;
  if (node.shape === 'vectors') return namesUnique(node.left) && namesUnique(node.right);
  return namesUnique(node.shape === 'vector-scalar' ? node.left : node.right);
}

/** Whether a binary operation drops the metric name: arithmetic and `bool` comparisons do, filters and trims do not. */
export function dropsName(node: Pick<BinaryNode, 'op' | 'returnBool'>): boolean {
  return node.returnBool || !FILTERS.has(node.op);
}

function hasNameMatcher(matchers: readonly Matcher[]): boolean {
  return matchers.some(({ name, op, value }) => name === METRIC_NAME && op === '=' && value !== '');
}
