// What the planner and the operators know of functions over instant vectors.

const PER_SAMPLE: ReadonlySet<string> = new Set(
  `abs acos acosh asin asinh atan atanh ceil clamp clamp_max clamp_min cos cosh days_in_month day_of_month day_of_week
   day_of_year deg exp floor histogram_avg histogram_count histogram_stddev histogram_stdvar histogram_sum hour ln log10 log2 minute month rad round sgn sin sinh sqrt tan tanh timestamp year`.split(
    /\s+/,
  ),
);

/** Whether a function maps each sample on its own and drops the metric name: it can run on any part of a vector. */
export function isPerSample(func: string): boolean {
  return PER_SAMPLE.has(func);
}
