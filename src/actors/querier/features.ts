// Features that are off by default, by the names of Prometheus's --enable-feature, and the list of /api/v1/features (as of
// Prometheus 3.14: util/features, promql/parser/features.go).

import type { QUERY_FEATURES } from '../../platform/query-features.ts';
import type { EngineOptions } from '../../query/engine.ts';
import { FUNCTIONS } from '../../query/parse/function-table.ts';
import type { ParseOptions } from '../../query/parse/options.ts';

/** A feature that the configuration can switch on. */
type Feature = (typeof QUERY_FEATURES)[number];

/** What the switched-on features mean to the engine. */
export type FeatureOptions = Required<Pick<EngineOptions, 'features' | 'delayedNames' | 'startTimes'>>;

/** Turns names of features into options. */
export function featureOptions(enabled: readonly string[]): FeatureOptions {
  const has = (name: Feature): boolean => enabled.includes(name);
  const features: ParseOptions = {
    experimentalFunctions: has('promql-experimental-functions'),
    extendedRangeSelectors: has('promql-extended-range-selectors'),
    fillModifiers: has('promql-binop-fill-modifiers'),
    durationExpressions: true,
  };
  return {
    features,
    delayedNames: has('promql-delayed-name-removal'),
    startTimes: has('use-start-timestamps'),
  };
}

const AGGREGATIONS =
  'avg bottomk count count_values group limit_ratio limitk max min quantile stddev stdvar sum topk'.split(
    ' ',
  );
const OPERATORS = '!= !~ % * + - / < </ <= == =~ > >/ >= @ ^ and atan2 or unless'.split(' ');
const KEYWORDS = 'bool by group_left group_right ignoring offset on without'.split(' ');

/** What this version can do and what is switched on, by category. */
export function featureList(enabled: readonly string[]): Record<string, Record<string, boolean>> {
  const { features, delayedNames } = featureOptions(enabled);
  const { experimentalFunctions = false, extendedRangeSelectors = false, fillModifiers = false } = features;
  const isOn = (experimental: boolean): boolean => !experimental || experimentalFunctions;
  return {
    api: {
      admin: false,
      label_values_match: true,
      lifecycle: false,
      otlp_write_receiver: false,
      query_stats: true,
      query_warnings: true,
      remote_write_receiver: true,
      search: false,
      time_range_labels: true,
      time_range_series: true,
    },
    prometheus: { agent_mode: false, server_mode: true },
    promql: {
      ...allOf(KEYWORDS, () => true),
      ...allOf(['anchored', 'smoothed'], () => extendedRangeSelectors),
      ...allOf(['fill', 'fill_left', 'fill_right'], () => fillModifiers),
      at_modifier: true,
      delayed_name_removal: delayedNames,
      duration_expr: true,
      negative_offset: true,
      per_query_lookback_delta: true,
      per_step_stats: false,
      subqueries: true,
      type_and_unit_labels: false,
    },
    promql_functions: allOf([...FUNCTIONS.keys()].sort(), (name) =>
      isOn(FUNCTIONS.get(name)?.experimental === true),
    ),
    promql_operators: allOf([...OPERATORS, ...AGGREGATIONS], (name) => isOn(/^limit/.test(name))),
    tsdb: { exemplar_storage: true, isolation: true, native_histograms: true, st_storage: false },
  };
}

function allOf(names: readonly string[], isOn: (name: string) => boolean): Record<string, boolean> {
  return Object.fromEntries(names.map((name) => [name, isOn(name)]));
}
