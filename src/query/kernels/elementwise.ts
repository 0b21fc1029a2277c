// Loops over the cells of series rows: arithmetic and comparisons of two rows, functions of one (Prometheus promql/engine.go
// vectorElemBinop, promql/functions.go). Where Go's math and JavaScript's differ, Go's is meant.

import type { ArithmeticOperator, ComparisonOperator } from '../parse/ast.ts';
import type { RowCells } from './group-columns.ts';

/** Two rows and where their result goes; the output may be one of the inputs. */
export interface PairJob {
  readonly left: RowCells;
  readonly right: RowCells;
  readonly output: RowCells;
  readonly steps: number;
}

/** Fills the output with left op right where both are present. */
export function combineRows(op: ArithmeticOperator, { left, right, output, steps }: PairJob): void {
  const a = left.values;
  const b = right.values;
  const out = output.values;
  const { from: atA } = left;
  const { from: atB } = right;
  const { from: at } = output;
  // Absent cells are computed too: what they hold is never read.
  if (op === '+') for (let i = 0; i < steps; i++) out[at + i] = a[atA + i]! + b[atB + i]!;
  else if (op === '-') for (let i = 0; i < steps; i++) out[at + i] = a[atA + i]! - b[atB + i]!;
  else if (op === '*') for (let i = 0; i < steps; i++) out[at + i] = a[atA + i]! * b[atB + i]!;
  else if (op === '/') for (let i = 0; i < steps; i++) out[at + i] = a[atA + i]! / b[atB + i]!;
  else if (op === '%') for (let i = 0; i < steps; i++) out[at + i] = a[atA + i]! % b[atB + i]!;
  else if (op === '^') for (let i = 0; i < steps; i++) out[at + i] = power(a[atA + i]!, b[atB + i]!);
  else for (let i = 0; i < steps; i++) out[at + i] = Math.atan2(a[atA + i]!, b[atB + i]!);
  for (let i = 0; i < steps; i++) output.present[at + i] = left.present[atA + i]! & right.present[atB + i]!;
}

/** Go's math.Pow: a base of 1 gives 1 whatever the exponent, -1 gives 1 for an infinite one. */
export function power(base: number, exponent: number): number {
  if (base === 1 || (base === -1 && Math.abs(exponent) === Infinity)) return 1;
  return base ** exponent;
}

/** Bits of a comparison's possible outcomes. */
const LESS = 1;
const EQUAL = 2;
const GREATER = 4;
const UNORDERED = 8;
const OUTCOMES: Readonly<Record<ComparisonOperator, number>> = {
  '<': LESS,
  '<=': LESS | EQUAL,
  '==': EQUAL,
  '!=': LESS | GREATER | UNORDERED,
  '>=': GREATER | EQUAL,
  '>': GREATER,
};

/** What a comparison hands on: the left or right value where it holds, or 1 and 0. */
export type ComparisonResult = 'left' | 'right' | 'bool';

/** Fills the output with the comparison's result where both rows are present. */
export function compareRows(op: ComparisonOperator, result: ComparisonResult, job: PairJob): void {
  const { left, right, output, steps } = job;
  const wanted = OUTCOMES[op];
  const bool = result === 'bool';
  const keepRight = result === 'right';
  for (let i = 0; i < steps; i++) {
    const both = left.present[left.from + i]! & right.present[right.from + i]!;
    const a = left.values[left.from + i]!;
    const b = right.values[right.from + i]!;
    const outcome = a < b ? LESS : a > b ? GREATER : a === b ? EQUAL : UNORDERED;
    const holds = (outcome & wanted) === 0 ? 0 : 1;
    output.values[output.from + i] = bool ? holds : keepRight ? b : a;
    output.present[output.from + i] = bool ? both : both & holds;
  }
}

/** One arithmetic or comparison operation on two numbers; comparisons give 1 or 0. */
export function combineNumbers(op: ArithmeticOperator | ComparisonOperator, a: number, b: number): number {
  switch (op) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '/':
      return a / b;
    case '%':
      return a % b;
    case '^':
      return power(a, b);
    case 'atan2':
      return Math.atan2(a, b);
    default: {
      const outcome = a < b ? LESS : a > b ? GREATER : a === b ? EQUAL : UNORDERED;
      return (outcome & OUTCOMES[op]) === 0 ? 0 : 1;
    }
  }
}

/** Whether an operator compares. */
export function isComparison(op: string): op is ComparisonOperator {
  return op in OUTCOMES;
}

/** Functions of one number. */
export const NUMBER_FUNCTIONS: Readonly<Record<string, (value: number) => number>> = {
  abs: Math.abs,
  ceil: Math.ceil,
  floor: Math.floor,
  exp: Math.exp,
  sqrt: Math.sqrt,
  ln: Math.log,
  log2: Math.log2,
  log10: Math.log10,
  sin: Math.sin,
  cos: Math.cos,
  tan: Math.tan,
  asin: Math.asin,
  acos: Math.acos,
  atan: Math.atan,
  sinh: Math.sinh,
  cosh: Math.cosh,
  tanh: Math.tanh,
  asinh: Math.asinh,
  acosh: Math.acosh,
  atanh: Math.atanh,
  rad: (value) => (value * Math.PI) / 180,
  deg: (value) => (value * 180) / Math.PI,
  sgn: (value) => (value < 0 ? -1 : value > 0 ? 1 : value),
};

/** Replaces each of the first `count` values by `map` of it. */
export function mapValues(values: Float64Array, count: number, map: (value: number) => number): void {
  for (let i = 0; i < count; i++) values[i] = map(values[i]!);
}

/** round(): to the nearest multiple of `nearest` (one per step), ties up; in place. */
export function roundRows(values: Float64Array, rows: number, nearest: Float64Array): void {
  const steps = nearest.length;
  for (let row = 0, cell = 0; row < rows; row++)
    for (let i = 0; i < steps; i++, cell++) {
      const inverse = 1 / nearest[i]!;
      values[cell] = Math.floor(values[cell]! * inverse + 0.5) / inverse;
    }
}

/** Limits of clamp, one of each per step. */
export interface ClampLimits {
  readonly min: Float64Array;
  readonly max: Float64Array;
}

/** clamp(): in place; steps where max < min become absent. */
export function clampRows(
  values: Float64Array,
  present: Uint8Array,
  rows: number,
  limits: ClampLimits,
): void {
  const { min, max } = limits;
  const steps = min.length;
  for (let row = 0, cell = 0; row < rows; row++)
    for (let i = 0; i < steps; i++, cell++) {
      const low = min[i]!;
      const high = max[i]!;
      if (high < low) present[cell] = 0;
      else values[cell] = greater(low, lesser(high, values[cell]!));
    }
}

/** The greater of two numbers; as in Go +Inf wins over NaN. */
export function greater(a: number, b: number): number {
  return a === Infinity || b === Infinity ? Infinity : Math.max(a, b);
}

/** The lesser of two numbers; as in Go -Inf wins over NaN. */
export function lesser(a: number, b: number): number {
  return a === -Infinity || b === -Infinity ? -Infinity : Math.min(a, b);
}
