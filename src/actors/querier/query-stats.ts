// The `stats` of a query as Prometheus 3.14 shows them (util/stats/query_stats.go), in answers and in the query log; and
// operators as Thanos shows them (pkg/api/query/v1.go).

import type { OperatorTree } from '../../query/operator-tree.ts';
import type { QueryStatistics } from '../../query/result.ts';
import type { QueryTimes } from './messages.ts';

/** Counters that the `stats` object shows. */
export type QueryCounts = Pick<QueryStatistics, 'samplesQueryable' | 'samplesRead' | 'samplesPeak'>;

/** The `stats` object. Evaluation is one pipeline across processes: what Prometheus times apart of it is one here. */
export function statsOf(
  { queuedMs, evaluatedMs }: QueryTimes,
  { samplesQueryable, samplesRead, samplesPeak }: QueryCounts,
): Record<string, unknown> {
  const seconds = evaluatedMs / 1000;
  return {
    timings: {
      evalTotalTime: seconds,
      resultSortTime: 0,
      queryPreparationTime: 0,
      innerEvalTime: seconds,
      execQueueTime: queuedMs / 1000,
      execTotalTime: (queuedMs + evaluatedMs) / 1000,
    },
    samples: { totalQueryableSamples: samplesQueryable, samplesRead, peakSamples: samplesPeak },
  };
}

/** An operator of the `analysis` or of a plan: `name`, `executionTime` and `children` as Thanos has them, the others our own. */
export function analysisJson({ name, timeMs, children, ...measured }: OperatorTree): Record<string, unknown> {
  return {
    name,
    ...(timeMs === undefined ? {} : { executionTime: `${Number(timeMs.toFixed(3))}ms` }),
    ...measured,
    ...(children.length === 0 ? {} : { children: children.map(analysisJson) }),
  };
}
