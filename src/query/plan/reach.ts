// How far into the present a plan looks: the newest time of which it may want a sample.

import { childrenOf, type PlanNode } from './nodes.ts';
import type { Fragment } from './plan-codec.ts';

/** An upper bound of the sample times a fragment reads, ms; -Infinity when it reads none. */
export function fragmentReach({ node, grid, lookbackMs }: Fragment): number {
  return reach(node, grid.end, lookbackMs);
}

function reach(node: PlanNode, end: number, lookbackMs: number): number {
  switch (node.kind) {
    case 'select':
    case 'range-select': {
      // Smoothed ends are interpolated with the next sample.
      const isSmoothed = node.kind === 'select' ? node.smoothed : node.extension === 'smoothed';
      return (node.at ?? end) - node.offsetMs + (isSmoothed ? lookbackMs : 0);
    }
    case 'subquery':
      return reach(node.input, (node.at ?? end) - node.offsetMs, lookbackMs);
    case 'info':
      return Math.max(reach(node.input, end, lookbackMs), (node.at ?? end) - node.offsetMs);
    default: {
      let newest = Number.NEGATIVE_INFINITY;
      for (const child of childrenOf(node)) newest = Math.max(newest, reach(child, end, lookbackMs));
      return newest;
    }
  }
}
