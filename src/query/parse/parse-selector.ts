// Vector selectors and label lists: `name{a="b", "utf8.name"=~"c"}` and `(a, b, "c d")`.

import { compileMatcher } from '../../codec/regex.ts';
import { DomainError } from '../../model/errors.ts';
import { METRIC_NAME } from '../../model/labels.ts';
import type { Matcher, MatchOperator } from '../../model/matcher.ts';
import type { VectorSelector } from './ast.ts';
import { goQuote, unquote } from './go-text.ts';
import type { Token } from './lexer.ts';
import type { TokenStream } from './token-stream.ts';

const NOT_METRIC_NAMES: ReadonlySet<string> = new Set([
  'bool',
  'on',
  'ignoring',
  'group_left',
  'group_right',
  'atan2',
]);
const MATCHING = 'label matching';
const GROUPING = 'grouping opts';

/** Whether a token may be a metric's name: most keywords may. */
export function isMetricName(token: Token): boolean {
  switch (token.kind) {
    case 'identifier':
    case 'metric-identifier':
    case 'aggregator':
    case 'preprocessor':
      return true;
    case 'keyword':
    case 'operator':
      return /^[a-z]/.test(token.word) && !NOT_METRIC_NAMES.has(token.word);
    default:
      return false;
  }
}

/** A selector from its name or its brace on. */
export function parseVectorSelector(tokens: TokenStream): VectorSelector {
  const name = isMetricName(tokens.peek()) ? tokens.take() : undefined;
  const matchers: Matcher[] = [];
  let end = name?.end ?? 0;
  const start = tokens.peek().start;
  if (name === undefined || tokens.isNext('punctuation', '{')) end = parseMatchers(tokens, matchers);
  if (name !== undefined) matchers.push({ name: METRIC_NAME, op: '=', value: name.text });
  return {
    kind: 'vector-selector',
    name: name?.text ?? '',
    matchers,
    offsetMs: 0,
    position: { start: name?.start ?? start, end },
  };
}

function parseMatchers(tokens: TokenStream, matchers: Matcher[]): number {
  tokens.expect('{');
  for (;;) {
    const closing = tokens.tryTake('punctuation', '}');
    if (closing !== undefined) return closing.end;
    matchers.push(parseMatcher(tokens));
    if (tokens.isNext('punctuation', '}')) continue;
    if (tokens.tryTake('punctuation', ',') === undefined) {
      tokens.unexpected({ where: MATCHING, expected: '"," or "}"' });
    }
  }
}

function parseMatcher(tokens: TokenStream): Matcher {
  const label = tokens.peek();
  if (label.kind !== 'identifier' && label.kind !== 'string') {
    return tokens.unexpected({ where: MATCHING, expected: 'identifier or "}"' });
  }
  tokens.take();
  const op = tryMatchOperator(tokens);
  if (op === undefined) {
    if (label.kind === 'string') return { name: METRIC_NAME, op: '=', value: unquote(label.text) };
    return tokens.unexpected({ where: MATCHING, expected: 'label matching operator' });
  }
  const value = tokens.peek();
  if (value.kind !== 'string') return tokens.unexpected({ where: MATCHING, expected: 'string' });
  tokens.take();
  const name = label.kind === 'string' ? unquote(label.text) : label.text;
  const matcher = { name, op, value: unquote(value.text) };
  checkPattern(tokens, matcher, { start: label.start, end: value.end });
  return matcher;
}

function tryMatchOperator(tokens: TokenStream): MatchOperator | undefined {
  const { word } = tokens.peek();
  if (tokens.peek().kind !== 'operator' && tokens.peek().kind !== 'punctuation') return undefined;
  if (word !== '=' && word !== '!=' && word !== '=~' && word !== '!~') return undefined;
  tokens.take();
  return word;
}

function checkPattern(tokens: TokenStream, matcher: Matcher, position: { start: number; end: number }): void {
  try {
    compileMatcher(matcher);
  } catch (error) {
    if (error instanceof DomainError && error.code === 'bad_data') tokens.fail(position, error.message);
    throw error;
  }
}

/** The label names between the parentheses of by, without, on, ignoring, group_left and group_right. */
export function parseGroupingLabels(tokens: TokenStream): string[] {
  if (!tokens.isNext('punctuation', '(')) tokens.unexpected({ where: GROUPING, expected: '"("' });
  tokens.take();
  const labels: string[] = [];
  for (;;) {
    if (tokens.tryTake('punctuation', ')') !== undefined) return labels;
    labels.push(parseGroupingLabel(tokens));
    if (tokens.isNext('punctuation', ')')) continue;
    if (tokens.tryTake('punctuation', ',') === undefined) {
      tokens.unexpected({ where: GROUPING, expected: '"," or ")"' });
    }
  }
}

// Any word will do, but `without` (as in Prometheus's grammar).
function parseGroupingLabel(tokens: TokenStream): string {
  const token = tokens.peek();
  const isWord = /^[A-Za-z_:]/.test(token.text) && token.kind !== 'number' && token.word !== 'without';
  if (token.kind !== 'string' && !isWord) tokens.unexpected({ where: GROUPING, expected: 'label' });
  tokens.take();
  const name = token.kind === 'string' ? unquote(token.text) : token.text;
  if (name === '') tokens.fail(token, `invalid label name for grouping: ${goQuote(name)}`);
  return name;
}
