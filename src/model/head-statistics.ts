// Numbers about heads as /api/v1/status/tsdb shows them: of one partition, or of a tenant's partitions taken together.

/** A name with a number. */
export interface NameCount {
  readonly name: string;
  readonly value: number;
}

/** Counters; times in ms, 0 without samples. */
export interface HeadCounters {
  readonly numSeries: number;
  /** Distinct pairs of label name and value. */
  readonly numLabelPairs: number;
  readonly chunkCount: number;
  readonly minTime: number;
  readonly maxTime: number;
}

/** The lists, each largest first, equal ones by name. */
export const HEAD_LISTS = [
  'seriesCountByMetricName',
  'labelValueCountByLabelName',
  'memoryInBytesByLabelName',
  'seriesCountByLabelValuePair',
] as const;

/** Name of a list. */
export type HeadList = (typeof HEAD_LISTS)[number];

/** Counters and lists. */
export type HeadStatistics = HeadCounters & { readonly [L in HeadList]: readonly NameCount[] };
