// Tokens → AST by Prometheus 3.14's grammar (promql/parser/generated_parser.y): operator precedence climbing for binary and
// unary expressions, then the modifiers that follow an expression. Everything that grammar reports while it reduces is
// reported here at the same moment; types are judged afterwards, in check.ts.
//
// Why not the tree of @prometheus-io/lezer-promql: as of 0.315 it takes `-2^2` for 4 (Prometheus: -4), refuses 26 of the
// 2,063 valid expressions of promqltest, and does not tell where or why Prometheus refuses a query.

import type {
  AggregateExpr,
  AggregateOperator,
  AtModifier,
  BinaryExpr,
  BinaryOperator,
  Expr,
  MatchCardinality,
  NumberLiteral,
  Position,
  UnaryOperator,
  VectorMatching,
} from './ast.ts';
import { childrenOf } from './ast-walk.ts';
import { FUNCTIONS } from './function-table.ts';
import { formatFloat, goQuote, unquote } from './go-text.ts';
import type { Token } from './lexer.ts';
import { tryNumberLiteral } from './literals.ts';
import { type ParseOptions, QUERY_DEPTH_MAX } from './options.ts';
import { type DurationNode, DurationParser, depthReason } from './parse-duration-expression.ts';
import { isMetricName, parseGroupingLabels, parseVectorSelector } from './parse-selector.ts';
import type { TokenStream } from './token-stream.ts';
import { typeOf } from './types.ts';

const PRECEDENCE: ReadonlyMap<string, number> = new Map([
  ['or', 1],
  ['and', 2],
  ['unless', 2],
  ...['==', '!=', '<', '<=', '>', '>=', '</', '>/'].map((op) => [op, 3] as const),
  ['+', 4],
  ['-', 4],
  ['*', 5],
  ['/', 5],
  ['%', 5],
  ['atan2', 5],
  ['^', 6],
]);
/** A sign binds like `*`: its operand takes only `^` in. */
const SIGN_OPERAND = 6;
const WITH_PARAM: ReadonlySet<string> = new Set([
  'topk',
  'bottomk',
  'count_values',
  'quantile',
  'limitk',
  'limit_ratio',
]);
const RANGE_OPENING = 'number, duration, step(), or range()';

interface Modifiers {
  readonly returnBool: boolean;
  readonly matching: VectorMatching;
}

/** Parses one expression; `written` keeps each binary expression's matching as it was written, for the checks. */
export class ExpressionParser {
  readonly written: Map<BinaryExpr, VectorMatching> = new Map();
  readonly #tokens: TokenStream;
  readonly #options: ParseOptions;
  readonly #durations: DurationParser;
  readonly #depths = new WeakMap<Expr, number>();
  readonly #depthMax: number;
  #nesting = 0;

  constructor(tokens: TokenStream, options: ParseOptions) {
    this.#tokens = tokens;
    this.#options = options;
    this.#depthMax = options.depthMax ?? QUERY_DEPTH_MAX;
    const enabled = options.durationExpressions ?? true;
    this.#durations = new DurationParser(tokens, { enabled, depthMax: this.#depthMax });
  }

  /** A whole expression up to the end of the text. */
  whole(): Expr {
    const expr = this.#binary(1);
    if (this.#tokens.peek().kind !== 'eof') this.#tokens.unexpected();
    return expr;
  }

  // Notes how deep the tree below a new node is, and refuses it past the limit.
  #grown<T extends Expr>(expr: T): T {
    let depth = 1;
    for (const child of childrenOf(expr)) depth = Math.max(depth, 1 + (this.#depths.get(child) ?? 1));
    if (depth > this.#depthMax) this.#tokens.fail(expr.position, depthReason(this.#depthMax));
    if (depth > 1) this.#depths.set(expr, depth);
    return expr;
  }

  #binary(least: number): Expr {
    if (++this.#nesting > this.#depthMax) this.#tokens.fail(this.#tokens.peek(), depthReason(this.#depthMax));
    let left = this.#signed();
    for (;;) {
      const token = this.#tokens.peek();
      const precedence = token.kind === 'operator' ? PRECEDENCE.get(token.word) : undefined;
      if (precedence === undefined || precedence < least) break;
      this.#tokens.take();
      const modifiers = this.#modifiers();
      const right = this.#binary(token.word === '^' ? precedence : precedence + 1);
      left = this.#grown(this.#combined(token.word as BinaryOperator, left, right, modifiers));
    }
    this.#nesting--;
    return left;
  }

  #signed(): Expr {
    const sign = this.#tokens.tryTake('operator', '-') ?? this.#tokens.tryTake('operator', '+');
    if (sign === undefined) return this.#postfix(this.#primary());
    const expr = this.#binary(SIGN_OPERAND);
    const position = { start: sign.start, end: expr.position.end };
    if (expr.kind === 'number') {
      return { ...expr, value: sign.word === '-' ? -expr.value : expr.value, position };
    }
    return this.#grown({ kind: 'unary', op: sign.word as UnaryOperator, expr, position });
  }

  #combined(op: BinaryOperator, left: Expr, right: Expr, modifiers: Modifiers): BinaryExpr {
    const { returnBool, matching } = modifiers;
    const position = { start: left.position.start, end: right.position.end };
    const hasFill = matching.fillLeft !== undefined || matching.fillRight !== undefined;
    if (hasFill && this.#options.fillModifiers !== true) {
      this.#tokens.fail(position, 'binop fill modifiers are experimental and not enabled');
    }
    const base = { kind: 'binary', op, left, right, returnBool, position } as const;
    const isSet = op === 'and' || op === 'or' || op === 'unless';
    const card: MatchCardinality = isSet && matching.card === 'one-to-one' ? 'many-to-many' : matching.card;
    const areVectors = typeOf(left) === 'vector' && typeOf(right) === 'vector';
    const expr: BinaryExpr = areVectors ? { ...base, matching: { ...matching, card } } : base;
    this.written.set(expr, { ...matching, card });
    return expr;
  }

  #modifiers(): Modifiers {
    const tokens = this.#tokens;
    const returnBool = tokens.tryTake('keyword', 'bool') !== undefined;
    const on = tokens.tryTake('keyword', 'on');
    const ignoring = on === undefined ? tokens.tryTake('keyword', 'ignoring') : undefined;
    let card: MatchCardinality = 'one-to-one';
    let labels: readonly string[] = [];
    let include: readonly string[] = [];
    if (on !== undefined || ignoring !== undefined) {
      labels = parseGroupingLabels(tokens);
      if (tokens.tryTake('keyword', 'group_left') !== undefined) card = 'many-to-one';
      else if (tokens.tryTake('keyword', 'group_right') !== undefined) card = 'one-to-many';
      if (card !== 'one-to-one') include = this.#include();
    }
    const matching = { card, on: on !== undefined, labels, include, ...this.#fills() };
    return { returnBool, matching };
  }

  // Labels after group_left or group_right: none when what follows goes on with the expression.
  #include(): readonly string[] {
    const { kind, word } = this.#tokens.peek();
    const isFill = kind === 'keyword' && word.startsWith('fill');
    const isLabels = kind === 'punctuation' && word === '(';
    return isLabels || !(isFill || this.#isExpressionStart()) ? parseGroupingLabels(this.#tokens) : [];
  }

  #fills(): Pick<VectorMatching, 'fillLeft' | 'fillRight'> {
    const tokens = this.#tokens;
    if (tokens.tryTake('keyword', 'fill') !== undefined) {
      const value = this.#fillValue();
      return { fillLeft: value, fillRight: value };
    }
    if (tokens.tryTake('keyword', 'fill_left') !== undefined) {
      const fillLeft = this.#fillValue();
      if (tokens.tryTake('keyword', 'fill_right') === undefined) return { fillLeft };
      return { fillLeft, fillRight: this.#fillValue() };
    }
    if (tokens.tryTake('keyword', 'fill_right') === undefined) return {};
    const fillRight = this.#fillValue();
    if (tokens.tryTake('keyword', 'fill_left') === undefined) return { fillRight };
    return { fillLeft: this.#fillValue(), fillRight };
  }

  #fillValue(): number {
    const tokens = this.#tokens;
    tokens.expect('(');
    const sign = tokens.tryTake('operator', '-') ?? tokens.tryTake('operator', '+');
    const literal = tryNumberLiteral(tokens) ?? tokens.unexpected();
    tokens.expect(')');
    return sign?.word === '-' ? -literal.value : literal.value;
  }

  #primary(): Expr {
    const tokens = this.#tokens;
    const token = tokens.peek();
    const literal = tryNumberLiteral(tokens);
    if (literal !== undefined) return literal;
    const position: Position = { start: token.start, end: token.end };
    if (token.kind === 'string') {
      tokens.take();
      return { kind: 'string', value: unquote(token.text), position };
    }
    if (token.word === '(' && token.kind === 'punctuation') return this.#paren();
    if (token.word === '{' && token.kind === 'punctuation') return parseVectorSelector(tokens);
    if (!isMetricName(token)) return tokens.unexpected();
    return this.#named(token);
  }

  // A word: aggregation, call or metric name, depending on what follows.
  #named(token: Token): Expr {
    const tokens = this.#tokens;
    if (token.kind === 'metric-identifier' || token.kind === 'keyword' || token.kind === 'operator') {
      return parseVectorSelector(tokens);
    }
    tokens.take();
    const isBody = tokens.isNext('punctuation', '(');
    if (token.kind === 'aggregator' && (isBody || this.#isGrouping())) return this.#aggregate(token);
    if (token.kind !== 'aggregator' && isBody) return this.#call(token);
    tokens.putBack(token);
    return parseVectorSelector(tokens);
  }

  #isGrouping(): boolean {
    return this.#tokens.isNext('keyword', 'by') || this.#tokens.isNext('keyword', 'without');
  }

  #paren(): Expr {
    const opening = this.#tokens.take();
    const expr = this.#binary(1);
    const { end } = this.#tokens.expect(')');
    return this.#grown({ kind: 'paren', expr, position: { start: opening.start, end } });
  }

  #aggregate(token: Token): AggregateExpr {
    const tokens = this.#tokens;
    let grouping: readonly string[] | undefined;
    let without = false;
    let args: Expr[] = [];
    let end = 0;
    const groupings = (): void => {
      without = tokens.take().word === 'without';
      grouping = parseGroupingLabels(tokens);
    };
    tokens.within('aggregation', '', () => {
      if (this.#isGrouping()) groupings();
      ({ args, end } = this.#arguments());
      if (grouping === undefined && this.#isGrouping()) {
        groupings();
        end = tokens.lastEnd;
      }
    });
    const position = { start: token.start, end };
    const op = token.word as AggregateOperator;
    const isParametric = this.#checkAggregate(op, args, position);
    const expr = args[isParametric ? 1 : 0] as Expr;
    const base = { kind: 'aggregate', op, expr, grouping: grouping ?? [], without, position } as const;
    return this.#grown(isParametric ? { ...base, param: args[0] as Expr } : base);
  }

  #checkAggregate(op: AggregateOperator, args: readonly Expr[], position: Position): boolean {
    const { fail } = this.#failing(position);
    if (args.length === 0) fail('no arguments for aggregate expression provided');
    const isParametric = WITH_PARAM.has(op);
    if (op.startsWith('limit') && this.#options.experimentalFunctions !== true) {
      fail(`${op}() is experimental and must be enabled with --enable-feature=promql-experimental-functions`);
    }
    const wanted = isParametric ? 2 : 1;
    if (args.length !== wanted) {
      const counts = `expected ${wanted}, got ${args.length}`;
      fail(`wrong number of arguments for aggregate expression provided, ${counts}`);
    }
    return isParametric;
  }

  #failing(position: Position): { fail: (reason: string) => never } {
    return { fail: (reason) => this.#tokens.fail(position, reason) };
  }

  #call(token: Token): Expr {
    const { args, end } = this.#arguments();
    const signature = FUNCTIONS.get(token.text);
    if (signature === undefined) {
      return this.#tokens.fail(token, `unknown function with name ${goQuote(token.text)}`);
    }
    if (signature.experimental && this.#options.experimentalFunctions !== true) {
      this.#tokens.fail(token, `function ${goQuote(token.text)} is not enabled`);
    }
    return this.#grown({ kind: 'call', func: token.text, args, position: { start: token.start, end } });
  }

  #arguments(): { args: Expr[]; end: number } {
    const tokens = this.#tokens;
    tokens.expect('(');
    const args: Expr[] = [];
    let closing = tokens.tryTake('punctuation', ')');
    while (closing === undefined) {
      args.push(this.#binary(1));
      const comma = tokens.tryTake('punctuation', ',');
      if (comma !== undefined && !this.#isExpressionStart()) {
        tokens.fail(comma, 'trailing commas not allowed in function call args');
      }
      if (comma === undefined) closing = tokens.expect(')');
    }
    return { args, end: closing.end };
  }

  #isExpressionStart(): boolean {
    const token = this.#tokens.peek();
    if (token.kind === 'punctuation') return token.word === '(' || token.word === '{';
    if (token.kind === 'number' || token.kind === 'duration' || token.kind === 'string') return true;
    return isMetricName(token) || (token.kind === 'operator' && (token.word === '+' || token.word === '-'));
  }

  #postfix(first: Expr): Expr {
    const tokens = this.#tokens;
    let expr = first;
    for (;;) {
      const token = tokens.peek();
      if (token.kind === 'punctuation' && token.word === '[') expr = this.#range(expr);
      else if (token.kind === 'operator' && token.word === '@') expr = this.#at(expr);
      else if (token.kind === 'keyword' && token.word === 'offset') expr = this.#offset(expr);
      else if (token.kind === 'keyword' && token.word === 'anchored') expr = this.#extended(expr, 'anchored');
      else if (token.kind === 'keyword' && token.word === 'smoothed') expr = this.#extended(expr, 'smoothed');
      else return expr;
    }
  }

  #range(expr: Expr): Expr {
    const tokens = this.#tokens;
    const opening = tokens.take();
    const range = tokens.within('subquery or range selector', RANGE_OPENING, () =>
      this.#durations.positive(),
    );
    const closing = tokens.tryTake('punctuation', ']');
    if (closing !== undefined) return this.#matrix(expr, range, { start: opening.start, end: closing.end });
    if (tokens.tryTake('punctuation', ':') === undefined) {
      tokens.unexpected({ where: 'subquery or range', expected: '":" or "]"' });
    }
    let step: DurationNode | undefined;
    if (!tokens.isNext('punctuation', ']')) {
      const expected = 'number, duration, step(), range(), or "]"';
      step = tokens.within('subquery selector', expected, () => this.#durations.positive());
      if (!tokens.isNext('punctuation', ']')) {
        tokens.unexpected({ where: 'subquery selector', expected: '"]"' });
      }
    }
    const { end } = tokens.take();
    const position = { start: expr.position.start, end };
    return this.#grown({
      kind: 'subquery',
      expr,
      rangeMs: milliseconds(range),
      stepMs: step === undefined ? 0 : milliseconds(step),
      offsetMs: 0,
      ...(range.kind === 'duration' && { rangeExpr: range }),
      ...(step?.kind === 'duration' && { stepExpr: step }),
      position,
    });
  }

  #matrix(selector: Expr, range: DurationNode, brackets: Position): Expr {
    const { fail } = this.#failing(brackets);
    if (selector.kind !== 'vector-selector') return fail('ranges only allowed for vector selectors');
    if (selector.offsetMs !== 0) fail('no offset modifiers allowed before range');
    if (selector.at?.kind === 'time') fail('no @ modifiers allowed before range');
    return this.#grown({
      kind: 'matrix-selector',
      selector,
      rangeMs: milliseconds(range),
      ...(range.kind === 'duration' && { rangeExpr: range }),
      position: { start: selector.position.start, end: brackets.end },
    });
  }

  #offset(expr: Expr): Expr {
    const tokens = this.#tokens;
    tokens.take();
    const offset = tokens.within('offset', 'number, duration, step(), or range()', () =>
      this.#durations.offset(),
    );
    const { fail } = this.#failing(expr.position);
    const target = expr.kind === 'matrix-selector' ? expr.selector : expr;
    if (target.kind !== 'vector-selector' && target.kind !== 'subquery') {
      return fail(
        'offset modifier must be preceded by an instant vector selector or range vector selector or a subquery',
      );
    }
    if (target.offsetMs !== 0 || target.offsetExpr !== undefined)
      fail('offset may not be set multiple times');
    const changed = offset.kind === 'duration' ? { offsetExpr: offset } : { offsetMs: milliseconds(offset) };
    return this.#modified(expr, changed);
  }

  #at(expr: Expr): Expr {
    const tokens = this.#tokens;
    tokens.take();
    const at = tokens.within('@', 'timestamp', () => this.#atModifier(expr));
    const { fail } = this.#failing(expr.position);
    const target = expr.kind === 'matrix-selector' ? expr.selector : expr;
    if (target.kind !== 'vector-selector' && target.kind !== 'subquery') {
      return fail(
        '@ modifier must be preceded by an instant vector selector or range vector selector or a subquery',
      );
    }
    if (target.at !== undefined) fail('@ <timestamp> may not be set multiple times');
    return this.#modified(expr, { at });
  }

  #atModifier(expr: Expr): AtModifier {
    const tokens = this.#tokens;
    const preprocessor = tokens.tryTake('preprocessor', 'start') ?? tokens.tryTake('preprocessor', 'end');
    if (preprocessor !== undefined) {
      tokens.expect('(');
      tokens.expect(')');
      return { kind: preprocessor.word === 'start' ? 'start' : 'end' };
    }
    const sign = tokens.tryTake('operator', '-') ?? tokens.tryTake('operator', '+');
    const literal: NumberLiteral = tryNumberLiteral(tokens) ?? tokens.unexpected();
    const seconds = sign?.word === '-' ? -literal.value : literal.value;
    if (!(Math.abs(seconds) < 2 ** 63)) {
      tokens.fail(expr.position, `timestamp out of bounds for @ modifier: ${fixedFloat(seconds)}`);
    }
    return { kind: 'time', timestampMs: roundHalfAway(seconds * 1000) };
  }

  #extended(expr: Expr, word: 'anchored' | 'smoothed'): Expr {
    this.#tokens.take();
    const { fail } = this.#failing(expr.position);
    if (this.#options.extendedRangeSelectors !== true)
      fail(`${word} modifier is experimental and not enabled`);
    if (expr.kind === 'subquery') return fail(`${word} modifier is not supported for subqueries`);
    const target = expr.kind === 'matrix-selector' ? expr.selector : expr;
    if (target.kind !== 'vector-selector') return fail(`${word} modifier not implemented`);
    if (target.extended !== undefined && target.extended !== word) {
      fail('anchored and smoothed modifiers cannot be used together');
    }
    const selector = { ...target, extended: word };
    return expr.kind === 'matrix-selector' ? { ...expr, selector } : selector;
  }

  // The expression with offset or @ set on it, or on the selector of a range, ending where the modifier ends.
  #modified(expr: Expr, change: { offsetMs?: number; offsetExpr?: Expr; at?: AtModifier }): Expr {
    const position = { start: expr.position.start, end: this.#tokens.lastEnd };
    if (expr.kind === 'matrix-selector')
      return this.#grown({ ...expr, selector: { ...expr.selector, ...change }, position });
    if (expr.kind === 'vector-selector') return { ...expr, ...change, position };
    if (expr.kind === 'subquery') return this.#grown({ ...expr, ...change, position });
    return expr;
  }
}

/** A literal's milliseconds as Go's time.Duration has them: nanoseconds rounded, then cut; 0 for an expression. */
function milliseconds(node: DurationNode): number {
  return node.kind === 'number' ? Math.trunc(roundHalfAway(node.value * 1e9) / 1e6) + 0 : 0;
}

function roundHalfAway(value: number): number {
  return Math.sign(value) * Math.round(Math.abs(value)) + 0;
}

// %f: six decimals, all digits of large numbers.
function fixedFloat(value: number): string {
  if (!Number.isFinite(value)) return formatFloat(value);
  return `${BigInt(Math.trunc(value))}.000000`;
}
