// What the canary tells itself to do.

/** Message kinds of the canary. */
export type CanaryMessages = {
  /** Sends the samples that are due and those not acknowledged yet. */
  write: { request: undefined; reply: undefined };
  /** Reads what was acknowledged and judges it. */
  read: { request: undefined; reply: undefined };
  /** Keeps on disk what is owed. */
  save: { request: undefined; reply: undefined };
};
