// When selectors and subqueries look: `@` and offset with the query's start and end put in.

import type { Expr, TimeModifiers } from '../parse/ast.ts';
import { childrenOf } from '../parse/ast-walk.ts';
import type { StepRange } from '../source.ts';
import { durationMsOf } from './durations.ts';
import type { Shift } from './nodes.ts';

/** The fixed time of an `@`, ms; undefined without one. */
export function atOf({ at }: TimeModifiers, grid: StepRange): { at: number } | undefined {
  if (at === undefined) return undefined;
  if (at.kind === 'time') return { at: at.timestampMs };
  return { at: at.kind === 'start' ? grid.start : grid.end };
}

/** The offset, ms. */
export function offsetOf({ offsetExpr, offsetMs }: TimeModifiers, grid: StepRange): number {
  return offsetExpr === undefined ? offsetMs : durationMsOf(offsetExpr, grid, true);
}

/** When the first selector of an expression looks, through all subqueries around it; undefined without a selector. */
export function firstShift(expr: Expr, grid: StepRange): Shift | undefined {
  switch (expr.kind) {
    case 'vector-selector':
      return { offsetMs: offsetOf(expr, grid), ...atOf(expr, grid) };
    case 'subquery': {
      const inner = firstShift(expr.expr, grid);
      // Within, a fixed time stands for itself; an offset adds to the subquery's own time.
      if (inner === undefined || inner.at !== undefined) return inner;
      return { offsetMs: offsetOf(expr, grid) + inner.offsetMs, ...atOf(expr, grid) };
    }
    default:
      for (const child of childrenOf(expr)) {
        const shift = firstShift(child, grid);
        if (shift !== undefined) return shift;
      }
      return undefined;
  }
}
