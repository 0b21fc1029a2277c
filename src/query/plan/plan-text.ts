// A plan for people: as text, one node a line, children indented (the planner's tests), and as a tree of operators (explain).

import { labelsText } from '../../model/labels.ts';
import { matcherText } from '../../model/matcher.ts';
import type { OperatorTree } from '../operator-tree.ts';
import { childrenOf, type PlanNode, type RangeSelectNode, type SelectNode, type Shift } from './nodes.ts';

/** The plan as indented lines. */
export function planText(node: PlanNode, indent = ''): string {
  const lines = [indent + nodeText(node)];
  for (const child of childrenOf(node)) lines.push(planText(child, `${indent}  `));
  return lines.join('\n');
}

/** The plan as a tree of operators that have not run. */
export function planTree(node: PlanNode): OperatorTree {
  return { name: nodeText(node), children: childrenOf(node).map(planTree) };
}

/** A node in one line, without its children. */
export function nodeText(node: PlanNode): string {
  switch (node.kind) {
    case 'number':
      return `number ${node.value}`;
    case 'string':
      return `string ${JSON.stringify(node.value)}`;
    case 'time':
      return 'time';
    case 'select':
      return `select${node.starts ? ' starts' : node.timestamps ? ' timestamps' : ''}${node.smoothed ? ' smoothed' : ''}${node.totalsOnly ? ' totals-only' : ''}${aggregate(node)} {${node.matchers.map(matcherText).join(', ')}}${shift(node)}`;
    case 'range-select':
      return `range-select${node.extension === undefined ? '' : ` ${node.extension}`}${node.totalsOnly ? ' totals-only' : ''}${aggregate(node)} {${node.matchers.map(matcherText).join(', ')}}[${node.rangeMs}ms]${shift(node)}`;
    case 'subquery':
      return `subquery [${node.rangeMs}ms:${node.stepMs}ms]${shift(node)}`;
    case 'range-function':
      return `range-function ${node.func}`;
    case 'absent':
      return `absent ${labelsText(node.labels)}`;
    case 'aggregate': {
      const grouping = `${node.without ? 'without' : 'by'} (${node.grouping.join(', ')})`;
      return `aggregate ${node.stage === 'whole' ? '' : `${node.stage} `}${node.op} ${grouping}`;
    }
    case 'binary':
      return `binary ${node.shape} ${node.op}${node.returnBool ? ' bool' : ''}${matching(node)}`;
    case 'negate':
      return 'negate';
    case 'call':
      return `call ${node.func}`;
    case 'info':
      return `info {${node.matchers.map(matcherText).join(', ')}}${shift(node)}`;
    case 'step-invariant':
      return 'step-invariant';
    case 'remote':
      return `remote${node.distinct ? ' distinct' : ''}`;
  }
}

function aggregate({ aggregate: view }: SelectNode | RangeSelectNode): string {
  return view === undefined ? '' : ` of ${view}`;
}

function shift(node: Shift): string {
  return `${node.at === undefined ? '' : ` @ ${node.at}ms`}${node.offsetMs === 0 ? '' : ` offset ${node.offsetMs}ms`}`;
}

function matching(node: PlanNode): string {
  if (node.kind !== 'binary' || node.matching === undefined) return '';
  const { card, on, labels, include } = node.matching;
  return ` ${card} ${on ? 'on' : 'ignoring'} (${labels.join(', ')})${include.length === 0 ? '' : ` include (${include.join(', ')})`}`;
}
