// How queries are evaluated beside what they say: Prometheus's features of the engine, and Thanos's choice of a resolution. They travel
// with fragments.

/** Modes that are on, and the resolution; all are off by default. */
export interface EvalModes {
  /** promql-delayed-name-removal: metric names go when the query is done (exec/name-note.ts). */
  readonly delayedNames?: boolean;
  /** use-start-timestamps: rates know when counters started, where the source does. */
  readonly startTimes?: boolean;
  /** type-and-unit-labels: counters are told by their `__type__` instead of their name. */
  readonly typeLabels?: boolean;
  /** The coarsest downsampled data that are wanted where there are finer ones, ms (max_source_resolution); 0 for raw ones. */
  readonly maxResolutionMs?: number;
}

/** The modes among other things. */
export function modesOf({ delayedNames, startTimes, typeLabels, maxResolutionMs = 0 }: EvalModes): EvalModes {
  return {
    ...(delayedNames === true ? { delayedNames } : {}),
    ...(startTimes === true ? { startTimes } : {}),
    ...(typeLabels === true ? { typeLabels } : {}),
    ...(maxResolutionMs > 0 ? { maxResolutionMs } : {}),
  };
}
