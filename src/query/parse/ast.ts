// The typed AST of PromQL (Prometheus 3.14, promql/parser/ast.go as the reference for meaning). Nodes are frozen data.
// `position` is the half-open range of UTF-16 offsets in the query text; line and column of messages come from it.

import type { Matcher } from '../../model/matcher.ts';

/** Half-open range of offsets into the query text. */
export interface Position {
  readonly start: number;
  readonly end: number;
}

/** PromQL's value types. */
export type ValueType = 'scalar' | 'vector' | 'matrix' | 'string' | 'none';

/** An `@` modifier: a fixed time, or the start or end of the query's range. */
export type AtModifier =
  | { readonly kind: 'time'; readonly timestampMs: number }
  | { readonly kind: 'start' }
  | { readonly kind: 'end' };

/** Offset and `@`, as selectors and subqueries carry them. `offsetMs` may be negative. */
export interface TimeModifiers {
  readonly offsetMs: number;
  readonly at?: AtModifier;
  /** Duration expressions (`offset (5m * 2)`, `[step() * 3]`), resolved to numbers before planning. */
  readonly offsetExpr?: Expr;
}

export interface NumberLiteral {
  readonly kind: 'number';
  readonly value: number;
  /** Written as a duration (`5m`): printed that way again. */
  readonly isDuration: boolean;
  readonly position: Position;
}

export interface StringLiteral {
  readonly kind: 'string';
  readonly value: string;
  readonly position: Position;
}

/** An instant vector selector. `name` is the metric name where it was written outside the braces. */
export interface VectorSelector extends TimeModifiers {
  readonly kind: 'vector-selector';
  readonly name: string;
  /** Every matcher, that of the metric name included. */
  readonly matchers: readonly Matcher[];
  /** Extended range selectors of 3.x: `smoothed` applies to instants too. */
  readonly extended?: 'anchored' | 'smoothed';
  readonly position: Position;
}

/** A range vector selector: `selector[range]`. Offset and `@` stand on the inner selector. */
export interface MatrixSelector {
  readonly kind: 'matrix-selector';
  readonly selector: VectorSelector;
  readonly rangeMs: number;
  readonly rangeExpr?: Expr;
  readonly position: Position;
}

/** `expr[range:step]`; step 0 means the default evaluation interval. */
export interface Subquery extends TimeModifiers {
  readonly kind: 'subquery';
  readonly expr: Expr;
  readonly rangeMs: number;
  readonly stepMs: number;
  readonly rangeExpr?: Expr;
  readonly stepExpr?: Expr;
  readonly position: Position;
}

export type UnaryOperator = '+' | '-';

export interface UnaryExpr {
  readonly kind: 'unary';
  readonly op: UnaryOperator;
  readonly expr: Expr;
  readonly position: Position;
}

export interface ParenExpr {
  readonly kind: 'paren';
  readonly expr: Expr;
  readonly position: Position;
}

export type ArithmeticOperator = '+' | '-' | '*' | '/' | '%' | '^' | 'atan2';
export type ComparisonOperator = '==' | '!=' | '<' | '<=' | '>' | '>=';
export type SetOperator = 'and' | 'or' | 'unless';
/** Native-histogram trims: buckets above or below a value. */
export type TrimOperator = '</' | '>/';
export type BinaryOperator = ArithmeticOperator | ComparisonOperator | SetOperator | TrimOperator;

/** Cardinality of a vector match, as Prometheus names it. */
export type MatchCardinality = 'one-to-one' | 'many-to-one' | 'one-to-many' | 'many-to-many';

/** How two vectors are matched. `on` true: by `labels` only; false: by all but `labels`. */
export interface VectorMatching {
  readonly card: MatchCardinality;
  readonly on: boolean;
  readonly labels: readonly string[];
  /** Labels of group_left/group_right taken from the one side. */
  readonly include: readonly string[];
  /** fill() modifiers of 3.10. */
  readonly fillLeft?: number;
  readonly fillRight?: number;
}

export interface BinaryExpr {
  readonly kind: 'binary';
  readonly op: BinaryOperator;
  readonly left: Expr;
  readonly right: Expr;
  readonly returnBool: boolean;
  /** Present when both sides are vectors. */
  readonly matching?: VectorMatching;
  readonly position: Position;
}

export type AggregateOperator =
  | 'sum'
  | 'avg'
  | 'count'
  | 'min'
  | 'max'
  | 'group'
  | 'stddev'
  | 'stdvar'
  | 'topk'
  | 'bottomk'
  | 'count_values'
  | 'quantile'
  | 'limitk'
  | 'limit_ratio';

export interface AggregateExpr {
  readonly kind: 'aggregate';
  readonly op: AggregateOperator;
  readonly expr: Expr;
  readonly param?: Expr;
  readonly grouping: readonly string[];
  readonly without: boolean;
  readonly position: Position;
}

export interface CallExpr {
  readonly kind: 'call';
  /** A name of the function table. */
  readonly func: string;
  readonly args: readonly Expr[];
  readonly position: Position;
}

/** step(), range() and the like inside duration expressions. */
export interface DurationExpr {
  readonly kind: 'duration';
  readonly op: '+' | '-' | '*' | '/' | '%' | '^' | 'step' | 'range' | 'min_of' | 'max_of';
  readonly left?: Expr;
  readonly right?: Expr;
  readonly wrapped: boolean;
  readonly position: Position;
}

/** Any PromQL expression. */
export type Expr =
  | NumberLiteral
  | StringLiteral
  | VectorSelector
  | MatrixSelector
  | Subquery
  | UnaryExpr
  | ParenExpr
  | BinaryExpr
  | AggregateExpr
  | CallExpr
  | DurationExpr;
