// AST → PromQL on one line, as Prometheus's Expr.String() prints it.

import { METRIC_NAME } from '../../model/labels.ts';
import type { Matcher } from '../../model/matcher.ts';
import { compareText } from '../../model/text.ts';
import type {
  AggregateExpr,
  BinaryExpr,
  DurationExpr,
  Expr,
  MatrixSelector,
  Subquery,
  TimeModifiers,
  VectorMatching,
  VectorSelector,
} from './ast.ts';
import { durationText } from './duration.ts';
import { formatFloat, formatFloatShort, goQuote } from './go-text.ts';

/** The expression in Prometheus's normal form; parses back to an equal expression. */
export function exprText(expr: Expr): string {
  switch (expr.kind) {
    case 'number':
      return expr.isDuration ? durationText(expr.value * 1000) : formatFloat(expr.value);
    case 'string':
      return goQuote(expr.value);
    case 'vector-selector':
      return selectorText(expr);
    case 'matrix-selector':
      return matrixText(expr);
    case 'subquery':
      return `${exprText(expr.expr)}${subquerySuffix(expr)}`;
    case 'unary':
      return `${expr.op}${exprText(expr.expr)}`;
    case 'paren':
      return `(${exprText(expr.expr)})`;
    case 'binary':
      return `${exprText(expr.left)} ${operatorText(expr)} ${exprText(expr.right)}`;
    case 'aggregate': {
      const param = expr.param === undefined ? '' : `${exprText(expr.param)}, `;
      return `${aggregateHead(expr)}(${param}${exprText(expr.expr)})`;
    }
    case 'call':
      return `${expr.func}(${expr.args.map(exprText).join(', ')})`;
    case 'duration':
      return durationExprText(expr);
  }
}

/** The operator of a binary expression with its modifiers: `== bool on (a) group_left (b)`. */
export function operatorText(expr: BinaryExpr): string {
  return `${expr.op}${expr.returnBool ? ' bool' : ''}${expr.matching ? matchingText(expr.matching) : ''}`;
}

/** An aggregation's operator with its grouping, up to the parenthesis: `sum by (a) `. */
export function aggregateHead(expr: AggregateExpr): string {
  if (expr.without) return `${expr.op} without (${labelList(expr.grouping)}) `;
  return expr.grouping.length > 0 ? `${expr.op} by (${labelList(expr.grouping)}) ` : expr.op;
}

/** The brackets of a subquery with what follows them: `[5m:1m] @ start() offset 1m`. */
export function subquerySuffix(expr: Subquery): string {
  const range = expr.rangeExpr === undefined ? durationText(expr.rangeMs) : exprText(expr.rangeExpr);
  let step = expr.stepMs === 0 ? '' : durationText(expr.stepMs);
  if (step === '' && expr.stepExpr !== undefined) step = exprText(expr.stepExpr);
  return `[${range}:${step}]${atText(expr)}${offsetText(expr)}`;
}

/** `name="value"` with Go's quoting, the name quoted where it is not a plain one. */
export function matcherSource({ name, op, value }: Matcher): string {
  return `${labelName(name)}${op}${goQuote(value)}`;
}

function matchingText(matching: VectorMatching): string {
  const isGrouped = matching.card === 'many-to-one' || matching.card === 'one-to-many';
  let out = '';
  if (matching.labels.length > 0 || matching.on || isGrouped) {
    out += ` ${matching.on ? 'on' : 'ignoring'} (${labelList(matching.labels)})`;
  }
  if (isGrouped) {
    out += ` group_${matching.card === 'many-to-one' ? 'left' : 'right'} (${labelList(matching.include)})`;
  }
  const { fillLeft, fillRight } = matching;
  if (fillLeft !== undefined && fillLeft === fillRight) return `${out} fill (${formatFloatShort(fillLeft)})`;
  if (fillLeft !== undefined) out += ` fill_left (${formatFloatShort(fillLeft)})`;
  if (fillRight !== undefined) out += ` fill_right (${formatFloatShort(fillRight)})`;
  return out;
}

function labelList(labels: readonly string[]): string {
  return labels.map(labelName).join(', ');
}

function labelName(name: string): string {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) ? name : goQuote(name);
}

function selectorText(selector: VectorSelector): string {
  const extended = selector.extended === undefined ? '' : ` ${selector.extended}`;
  return `${bareSelector(selector)}${atText(selector)}${extended}${offsetText(selector)}`;
}

function matrixText(expr: MatrixSelector): string {
  const { selector } = expr;
  const range = expr.rangeExpr === undefined ? durationText(expr.rangeMs) : exprText(expr.rangeExpr);
  const extended = selector.extended === undefined ? '' : ` ${selector.extended}`;
  return `${bareSelector(selector)}[${range}]${extended}${atText(selector)}${offsetText(selector)}`;
}

// The matcher that only repeats the name is left out; the rest is sorted as text.
function bareSelector({ name, matchers }: VectorSelector): string {
  const shown = matchers
    .filter((m) => !(m.name === METRIC_NAME && m.op === '=' && m.value === name && m.value !== ''))
    .map(matcherSource)
    .sort(compareText);
  return shown.length === 0 ? name : `${name}{${shown.join(',')}}`;
}

function atText({ at }: TimeModifiers): string {
  if (at === undefined) return '';
  return at.kind === 'time' ? ` @ ${(at.timestampMs / 1000).toFixed(3)}` : ` @ ${at.kind}()`;
}

function offsetText({ offsetMs, offsetExpr }: TimeModifiers): string {
  if (offsetExpr !== undefined) return ` offset ${exprText(offsetExpr)}`;
  return offsetMs === 0 ? '' : ` offset ${durationText(offsetMs)}`;
}

function durationExprText(expr: DurationExpr): string {
  const { op, left, right } = expr;
  const rightText = right === undefined ? '' : exprText(right);
  let out: string;
  if (op === 'step' || op === 'range') out = `${op}()`;
  else if (op === 'min_of' || op === 'max_of') out = `${op}(${left ? exprText(left) : ''}, ${rightText})`;
  else if (left === undefined) out = `${op === '-' ? '-' : ''}${rightText}`;
  else out = `${exprText(left)} ${op} ${rightText}`;
  return expr.wrapped ? `(${out})` : out;
}
