// Judges a parsed expression as Prometheus's checkAST does: types of operands and arguments, numbers of arguments, vector
// matching, empty selectors. The first fault found, in Prometheus's order, is thrown.

import { compileMatcher } from '../../codec/regex.ts';
import { METRIC_NAME } from '../../model/labels.ts';
import type {
  AggregateExpr,
  BinaryExpr,
  CallExpr,
  Expr,
  Position,
  ValueType,
  VectorMatching,
  VectorSelector,
} from './ast.ts';
import { FUNCTIONS, type FunctionSignature } from './function-table.ts';
import { goQuote } from './go-text.ts';
import { ParseError } from './parse-error.ts';
import { documentedType, typeOf } from './types.ts';

const COMPARISONS: ReadonlySet<string> = new Set(['==', '!=', '<', '<=', '>', '>=']);
const SETS: ReadonlySet<string> = new Set(['and', 'or', 'unless']);

/** What the checks need beside the tree: the text for places, and each binary expression's matching as written. */
export interface CheckContext {
  readonly text: string;
  readonly written: ReadonlyMap<BinaryExpr, VectorMatching>;
}

/** Checks an expression and returns its type; throws ParseError. */
export function checkExpr(expr: Expr, context: CheckContext): ValueType {
  return new Checker(context).check(expr);
}

class Checker {
  readonly #context: CheckContext;

  constructor(context: CheckContext) {
    this.#context = context;
  }

  check(expr: Expr): ValueType {
    switch (expr.kind) {
      case 'aggregate':
        this.#aggregate(expr);
        return 'vector';
      case 'binary':
        return this.#binary(expr);
      case 'call':
        this.#call(expr);
        return typeOf(expr);
      case 'paren':
        return this.check(expr.expr);
      case 'unary':
        return this.#unary(expr.expr, expr.position);
      case 'subquery': {
        const type = this.check(expr.expr);
        if (type !== 'vector') {
          this.#fail(expr.position, `subquery is only allowed on instant vector, got ${type} instead`);
        }
        return 'matrix';
      }
      case 'matrix-selector':
        this.#selector(expr.selector);
        return 'matrix';
      case 'vector-selector':
        this.#selector(expr);
        return 'vector';
      default:
        return typeOf(expr);
    }
  }

  #fail(position: Position, reason: string): never {
    throw new ParseError(this.#context.text, position, reason);
  }

  #expect(expr: Expr, wanted: ValueType, where: string): void {
    const type = this.check(expr);
    if (type === wanted) return;
    this.#fail(
      expr.position,
      `expected type ${documentedType(wanted)} in ${where}, got ${documentedType(type)}`,
    );
  }

  #aggregate(expr: AggregateExpr): void {
    this.#expect(expr.expr, 'vector', 'aggregation expression');
    if (expr.param === undefined) return;
    this.#expect(expr.param, expr.op === 'count_values' ? 'string' : 'scalar', 'aggregation parameter');
  }

  #unary(operand: Expr, position: Position): ValueType {
    const type = this.check(operand);
    if (type !== 'scalar' && type !== 'vector') {
      const got = goQuote(documentedType(type));
      this.#fail(
        position,
        `unary expression only allowed on expressions of type scalar or instant vector, got ${got}`,
      );
    }
    return type;
  }

  #binary(expr: BinaryExpr): ValueType {
    const left = this.check(expr.left);
    const right = this.check(expr.right);
    const { op, returnBool, position } = expr;
    if (returnBool && !COMPARISONS.has(op)) {
      this.#fail(this.#operatorPosition(expr), 'bool modifier can only be used on comparison operators');
    }
    if (COMPARISONS.has(op) && !returnBool && left === 'scalar' && right === 'scalar') {
      this.#fail(this.#operatorPosition(expr), 'comparisons between scalars must use BOOL modifier');
    }
    const matching = this.#context.written.get(expr);
    if (matching?.on) {
      const twice = matching.labels.find((label) => matching.include.includes(label));
      if (twice !== undefined) {
        const reason = `label ${goQuote(twice)} must not occur in ON and GROUP clause at once`;
        this.#fail(this.#operatorPosition(expr), reason);
      }
    }
    this.#operand(expr.left, left);
    this.#operand(expr.right, right);
    if (matching !== undefined) this.#matching(expr, matching, left === 'vector' && right === 'vector');
    if ((left === 'scalar' || right === 'scalar') && SETS.has(op)) {
      this.#fail(position, `set operator ${goQuote(op)} not allowed in binary scalar expression`);
    }
    return left === 'scalar' && right === 'scalar' ? 'scalar' : 'vector';
  }

  #operand(expr: Expr, type: ValueType): void {
    if (type === 'scalar' || type === 'vector') return;
    this.#fail(expr.position, 'binary expression must contain only scalar and instant vector types');
  }

  #matching(expr: BinaryExpr, matching: VectorMatching, areVectors: boolean): void {
    const { op, position } = expr;
    const hasFill = matching.fillLeft !== undefined || matching.fillRight !== undefined;
    if (!areVectors) {
      if (matching.labels.length > 0) {
        this.#fail(position, 'vector matching only allowed between instant vectors');
      }
      if (hasFill) this.#fail(position, 'filling in missing series only allowed between instant vectors');
      return;
    }
    if (!SETS.has(op)) return;
    if (matching.card === 'one-to-many' || matching.card === 'many-to-one') {
      this.#fail(position, `no grouping allowed for ${goQuote(op)} operation`);
    }
    if (hasFill) this.#fail(position, 'filling in missing series not allowed for set operators');
  }

  // Where the operator stands: after the left side, blanks skipped.
  #operatorPosition(expr: BinaryExpr): Position {
    const { text } = this.#context;
    let start = expr.left.position.end;
    while (start < text.length && ' \t\n\r'.includes(text[start] as string)) start++;
    return { start, end: expr.right.position.start };
  }

  #call(expr: CallExpr): void {
    const signature = FUNCTIONS.get(expr.func) as FunctionSignature;
    const { args: types, variadic } = signature;
    this.#argumentCount(expr, signature);
    const isInfo = expr.func === 'info' && expr.args.length > 1;
    if (isInfo) this.#infoSelector(expr);
    expr.args.forEach((arg, index) => {
      if (index >= types.length && variadic === 0) return;
      const wanted = types[Math.min(index, types.length - 1)] as ValueType;
      if (isInfo && index === 1) return;
      this.#expect(arg, wanted, `call to function ${goQuote(expr.func)}`);
    });
  }

  #argumentCount(expr: CallExpr, { name, args, variadic }: FunctionSignature): void {
    const count = expr.args.length;
    const inCall = `argument(s) in call to ${goQuote(name)}, got ${count}`;
    if (variadic === 0) {
      if (count !== args.length) this.#fail(expr.position, `expected ${args.length} ${inCall}`);
      return;
    }
    const least = args.length - 1;
    if (count < least) this.#fail(expr.position, `expected at least ${least} ${inCall}`);
    if (variadic > 0 && count > least + variadic) {
      this.#fail(expr.position, `expected at most ${least + variadic} ${inCall}`);
    }
  }

  // info()'s second argument is a list of label matchers in the clothes of a selector; it may match everything.
  #infoSelector(expr: CallExpr): void {
    const data = expr.args[1] as Expr;
    const type = typeOf(data);
    if (type !== 'vector') {
      const got = documentedType(type);
      this.#fail(expr.position, `expected type instant vector in call to function "info", got ${got}`);
    }
    if (data.kind !== 'vector-selector') this.#fail(data.position, 'expected label selectors only');
    if (data.name !== '') {
      this.#fail(data.position, 'expected label selectors only, got vector selector instead');
    }
  }

  #selector(selector: VectorSelector): void {
    const { name, matchers, position } = selector;
    if (name !== '') {
      const other = matchers.slice(0, -1).find((matcher) => matcher.name === METRIC_NAME);
      if (other === undefined) return;
      const names = `${goQuote(name)} or ${goQuote(other.value)}`;
      this.#fail(position, `metric name must not be set twice: ${names}`);
    }
    if (matchers.some((matcher) => !compileMatcher(matcher).matchesEmpty)) return;
    this.#fail(position, 'vector selector must contain at least one non-empty matcher');
  }
}
