// Abort signals that follow another one. AbortSignal.any does the same through weak references and a registry of finalizers,
// which costs a small query more than its evaluation.

/** A controller whose signal also aborts, with the same reason, when the followed one does. */
export interface LinkedController {
  readonly signal: AbortSignal;
  abort(reason: unknown): void;
  /** Stops following; to be called when the work is done, or the followed signal keeps the controller alive. */
  unlink(): void;
}

/** `work`, or a rejection with the signal's reason when it aborts first; the work goes on then, and nobody hears of it. */
export function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const leave = (): void => reject(signal.reason);
    if (signal.aborted) leave();
    else signal.addEventListener('abort', leave, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave));
  });
}

/** Makes a controller that follows `parent`. */
export function linkedController(parent: AbortSignal | undefined): LinkedController {
  const controller = new AbortController();
  const follow = (): void => controller.abort(parent?.reason);
  if (parent?.aborted) follow();
  else parent?.addEventListener('abort', follow, { once: true });
  return {
    signal: controller.signal,
    abort: (reason) => controller.abort(reason),
    unlink: () => parent?.removeEventListener('abort', follow),
  };
}
