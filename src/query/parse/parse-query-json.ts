// AST → the JSON of /api/v1/parse_query (web/api/v1/translate_ast.go): keys in the order Go prints a map, sorted.

import type { Matcher } from '../../model/matcher.ts';
import type { Expr, TimeModifiers, VectorMatching, VectorSelector } from './ast.ts';
import { FUNCTIONS } from './function-table.ts';
import { formatFloat } from './go-text.ts';

/** What JSON.stringify takes; `null` because the API's answers have it. */
export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [key: string]: JsonValue };

/** The tree as the API shows it. */
export function exprToJson(expr: Expr): JsonValue {
  switch (expr.kind) {
    case 'aggregate':
      return {
        expr: exprToJson(expr.expr),
        grouping: expr.grouping,
        op: expr.op,
        param: optional(expr.param, exprToJson),
        type: 'aggregation',
        without: expr.without,
      };
    case 'binary':
      return {
        bool: expr.returnBool,
        lhs: exprToJson(expr.left),
        matching: optional(expr.matching, matchingJson),
        op: expr.op,
        rhs: exprToJson(expr.right),
        type: 'binaryExpr',
      };
    case 'call':
      return { args: expr.args.map(exprToJson), func: functionJson(expr.func), type: 'call' };
    case 'matrix-selector':
      return {
        ...selectorJson(expr.selector),
        range: expr.rangeMs,
        rangeExpr: optional(expr.rangeExpr, durationJson),
        type: 'matrixSelector',
      };
    case 'vector-selector':
      return { ...selectorJson(expr), type: 'vectorSelector' };
    case 'subquery':
      return {
        expr: exprToJson(expr.expr),
        ...timeJson(expr),
        range: expr.rangeMs,
        rangeExpr: optional(expr.rangeExpr, durationJson),
        step: expr.stepMs,
        stepExpr: optional(expr.stepExpr, durationJson),
        type: 'subquery',
      };
    case 'number':
      return { type: 'numberLiteral', val: formatFloat(expr.value) };
    case 'string':
      return { type: 'stringLiteral', val: expr.value.toWellFormed() };
    case 'paren':
      return { expr: exprToJson(expr.expr), type: 'parenExpr' };
    case 'unary':
      return { expr: exprToJson(expr.expr), op: expr.op, type: 'unaryExpr' };
    case 'duration':
      return durationJson(expr);
  }
}

function optional<T>(value: T | undefined, json: (value: T) => JsonValue): JsonValue {
  return value === undefined ? null : json(value);
}

function durationJson(expr: Expr): JsonValue {
  if (expr.kind === 'number') {
    return { duration: expr.isDuration, type: 'numberLiteral', val: formatFloat(expr.value) };
  }
  if (expr.kind !== 'duration') return exprToJson(expr);
  return {
    lhs: optional(expr.left, durationJson),
    op: expr.op,
    rhs: optional(expr.right, durationJson),
    type: 'durationExpr',
    wrapped: expr.wrapped,
  };
}

function functionJson(name: string): JsonValue {
  const signature = FUNCTIONS.get(name);
  return {
    argTypes: signature?.args ?? [],
    name,
    returnType: signature?.returns ?? 'none',
    variadic: signature?.variadic ?? 0,
  };
}

function matchingJson(matching: VectorMatching): JsonValue {
  return {
    card: matching.card,
    fillValues: { lhs: matching.fillLeft ?? null, rhs: matching.fillRight ?? null },
    include: matching.include,
    labels: matching.labels,
    on: matching.on,
  };
}

function timeJson(modifiers: TimeModifiers): { readonly [key: string]: JsonValue } {
  const { at } = modifiers;
  return {
    offset: modifiers.offsetMs,
    offsetExpr: optional(modifiers.offsetExpr, durationJson),
    startOrEnd: at === undefined || at.kind === 'time' ? null : at.kind,
    timestamp: at?.kind === 'time' ? at.timestampMs : null,
  };
}

function selectorJson(selector: VectorSelector): { readonly [key: string]: JsonValue } {
  return {
    anchored: selector.extended === 'anchored',
    matchers: selector.matchers.map(matcherJson),
    name: selector.name,
    ...timeJson(selector),
    smoothed: selector.extended === 'smoothed',
  };
}

function matcherJson({ name, op, value }: Matcher): JsonValue {
  return { name: name.toWellFormed(), type: op, value: value.toWellFormed() };
}
