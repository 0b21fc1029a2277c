// The two halves of a stream under credit: the gate in front of the sender, which opens as the receiver takes frames, and the
// queue the receiver takes them from. In one thread they stand side by side; between threads a port lies between them.

import type { DomainError } from '../../model/errors.ts';
import type { Payload } from '../bus.ts';

/** Bytes of frames on their way on one stream. */
export const streamWindowBytes: number = 1024 * 1024;

/** Lets frames pass in order while fewer than the window's bytes are on their way. */
export interface CreditGate {
  /** Resolves when `bytes` may be sent, the last of them perhaps past the window. Rejects once the gate is shut. */
  pass(bytes: number): Promise<void>;
  /** The receiver has taken `bytes`. */
  credit(bytes: number): void;
  /** Everyone waiting, now and later, gets `error`. */
  shut(error: DomainError): void;
}

/** A gate with a window of `windowBytes`. */
export function createCreditGate(windowBytes: number): CreditGate {
  const waiting: { bytes: number; resolve: () => void; reject: (error: unknown) => void }[] = [];
  let underWay = 0;
  let failure: DomainError | undefined;

  // Not whether the frame fits: a receiver keeps back what it owes for small frames, and a large one would wait for that for ever.
  const hasRoom = (): boolean => underWay < windowBytes;

  return {
    pass(bytes) {
      if (failure) return Promise.reject(failure);
      if (waiting.length === 0 && hasRoom()) {
        underWay += bytes;
        return Promise.resolve();
      }
      return new Promise((resolve, reject) => waiting.push({ bytes, resolve, reject }));
    },
    credit(bytes) {
      underWay -= bytes;
      while (waiting.length > 0 && hasRoom()) {
        const next = waiting.shift()!;
        underWay += next.bytes;
        next.resolve();
      }
    },
    shut(error) {
      failure ??= error;
      for (const one of waiting.splice(0)) one.reject(failure);
    },
  };
}

/** Frames that have arrived, in order, and how the stream ended. */
export interface FrameQueue {
  push(frame: Payload): void;
  /** No more frames; those queued are still taken, then `error` is thrown if there is one. */
  end(error?: DomainError): void;
  /** Ends at once with `error`; queued frames are dropped. */
  fail(error: DomainError): void;
  /** The next frame, or undefined at the end. One caller at a time. */
  next(): Promise<Payload | undefined>;
}

/** A queue that tells `onTake` of every frame taken and `onOver` (once) when nothing more can come out of it. */
export function createFrameQueue(handlers: { onTake(bytes: number): void; onOver(): void }): FrameQueue {
  const frames: Payload[] = [];
  let head = 0;
  let ended = false;
  let over = false;
  let error: DomainError | undefined;
  let waiting:
    | { resolve: (frame: Payload | undefined) => void; reject: (error: unknown) => void }
    | undefined;

  const finish = (): void => {
    if (over) return;
    over = true;
    handlers.onOver();
  };

  const take = (): Payload | undefined => {
    const frame = frames[head];
    if (frame === undefined) return undefined;
    head++;
    if (head > 64 && head * 2 > frames.length) {
      frames.splice(0, head);
      head = 0;
    }
    handlers.onTake(frame.length);
    return frame;
  };

  const serve = (): void => {
    if (!waiting) return;
    const frame = take();
    if (frame === undefined && !ended) return;
    const { resolve, reject } = waiting;
    waiting = undefined;
    if (frame === undefined) finish();
    if (frame === undefined && error) reject(error);
    else resolve(frame);
  };

  return {
    push(frame) {
      if (ended) return;
      frames.push(frame);
      serve();
    },
    end(reason) {
      if (ended) return;
      ended = true;
      error = reason;
      serve();
    },
    fail(reason) {
      if (over) return;
      frames.length = 0;
      head = 0;
      ended = true;
      error = reason;
      finish();
      serve();
    },
    next() {
      return new Promise((resolve, reject) => {
        waiting = { resolve, reject };
        serve();
      });
    },
  };
}

/** One request under way as its requester sees it. */
export interface Exchange {
  /** The next frame, or undefined at the end; rejects with how the request failed. */
  next(): Promise<Payload | undefined>;
  /** Gives up; harmless when it is over. */
  cancel(): void;
  /** Ends it at once with `error`, for both sides. */
  fail(error: DomainError): void;
}

/** Frames of an exchange that starts when the loop does and is canceled when the loop is left. By hand: a generator costs more. */
export function framesOf(open: () => Exchange): AsyncIterable<Payload> {
  return {
    [Symbol.asyncIterator]() {
      let exchange: Exchange | undefined;
      let over = false;
      const end = (): IteratorReturnResult<undefined> => {
        over = true;
        exchange?.cancel();
        return { done: true, value: undefined };
      };
      return {
        async next() {
          if (over) return end();
          try {
            exchange ??= open();
            const value = await exchange.next();
            return value === undefined ? end() : { done: false, value };
          } catch (error) {
            end();
            throw error;
          }
        },
        return: async () => end(),
      };
    },
  };
}
