// What a query does, operator by operator: its plan (explain), and what came of it (analyze).

/** An operator and those that feed it. What was measured is absent in a plan that has not run, and where nothing is measured. */
export interface OperatorTree {
  readonly name: string;
  readonly children: readonly OperatorTree[];
  /** Time spent waiting for its results, what is below it included, ms. */
  readonly timeMs?: number;
  /** Series and samples that it handed on. */
  readonly series?: number;
  readonly samples?: number;
  /** Bytes that its partitions sent. */
  readonly bytes?: number;
  /** Where it ran, when that was not in the querier. */
  readonly partition?: number;
  readonly process?: string;
}
