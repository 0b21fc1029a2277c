// A label matcher as data. Compiling it to a predicate (anchored RE2 with shortcuts) is codec/regex.ts's work.

/** The four operators of PromQL selectors. */
export type MatchOperator = '=' | '!=' | '=~' | '!~';

/** `name op "value"`; regexes are anchored at both ends. */
export interface Matcher {
  readonly name: string;
  readonly op: MatchOperator;
  readonly value: string;
}

/** `name="value"` as PromQL writes it. */
export function matcherText(matcher: Matcher): string {
  return `${matcher.name}${matcher.op}${JSON.stringify(matcher.value)}`;
}
