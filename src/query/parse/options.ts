// What the parser lets through: Prometheus's feature flags of the parser, and our limits against query bombs.

/** Options of `parseQuery`; the defaults are Prometheus 3.14's. */
export interface ParseOptions {
  /** `promql-experimental-functions`: limitk, info, mad_over_time and the like. Off. */
  readonly experimentalFunctions?: boolean;
  /** Duration expressions (`[5m * 2]`, `offset step()`). On. */
  readonly durationExpressions?: boolean;
  /** `promql-extended-range-selectors`: `anchored`, `smoothed`. Off. */
  readonly extendedRangeSelectors?: boolean;
  /** `promql-binop-fill-modifiers`: fill(), fill_left(), fill_right(). Off. */
  readonly fillModifiers?: boolean;
  /** Longest query in UTF-16 units; default QUERY_LENGTH_MAX. */
  readonly lengthMax?: number;
  /** Deepest nesting of expressions; default QUERY_DEPTH_MAX. */
  readonly depthMax?: number;
}

/** Every feature of the parser switched on, as promqltest files need it. */
export const ALL_PARSE_FEATURES: ParseOptions = {
  experimentalFunctions: true,
  durationExpressions: true,
  extendedRangeSelectors: true,
  fillModifiers: true,
};

/** Longest query: generated dashboards reach tens of kilobytes. */
export const QUERY_LENGTH_MAX = 1_048_576;
/**
 * Deepest tree: parentheses, calls and chains of operators; every later stage walks it by recursion. The parser itself runs
 * out of a 984 KiB stack at about 2,000.
 */
export const QUERY_DEPTH_MAX = 500;
