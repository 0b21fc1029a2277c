// What a configuration can switch on in PromQL, by the names of Prometheus's --enable-feature.

import { list, type Setting } from './settings.ts';

/** Features of PromQL that are off by default; duration expressions are always on, as in Prometheus 3.14. */
export const QUERY_FEATURES = [
  'promql-experimental-functions',
  'promql-duration-expr',
  'promql-extended-range-selectors',
  'promql-binop-fill-modifiers',
  'promql-delayed-name-removal',
  'use-start-timestamps',
] as const;

/** The setting that names those that are on. */
export const ENABLE_FEATURE: Setting<readonly string[]> = list(
  [],
  'PromQL features that are off by default, named as in Prometheus --enable-feature.',
  `a list of ${QUERY_FEATURES.join(', ')}`,
  QUERY_FEATURES,
);
