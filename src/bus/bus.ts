// The message port: fire-and-forget events, requests with one reply, and requests answered by a stream of frames under
// credit. Payloads are bytes; what they mean is the catalogue's (contract.ts). Correctness may rely only on this: a request
// ends in a reply or in an error (deadline, no responder, canceled). Events may be lost, doubled or reordered.

/**
 * Payload handed over by the sender; it must not change it afterwards, and the receiver must not change it either. A reply or
 * frame that spans its whole ArrayBuffer is given away for good (between threads the buffer is transferred): never send it twice.
 */
export type Payload = Uint8Array;

/** Stops a subscription or service; resolves when no handler of it runs any more. */
export type Unsubscribe = () => Promise<void>;

/** What a responder knows of a request. */
export interface RequestContext {
  /** Aborts when the requester went away or its deadline passed. */
  readonly signal: AbortSignal;
  /** Milliseconds the requester still waits when the request arrived. */
  readonly deadlineMs: number;
}

/** Options of a request. */
export interface RequestOptions {
  /** Milliseconds until the requester gives up with `timeout`; may be infinite between the threads of a process. */
  readonly deadlineMs: number;
  /** Gives up early with `canceled`; the responder's signal aborts within a second. */
  readonly signal?: AbortSignal;
}

/** Who serves, as NATS's services (micro) API shows it: `nats micro ls`. */
export interface ServiceInfo {
  readonly name: string;
  readonly version: string;
  readonly description: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** A service to which endpoints are added. */
export interface Service {
  /** Answers requests on `subject` with one reply; a thrown DomainError reaches the requester with its code. */
  serve(
    subject: string,
    handler: (payload: Payload, context: RequestContext) => Promise<Payload>,
  ): Promise<void>;
  /**
   * Answers with a stream of frames. `send` resolves when the requester's credit allows the next frame (frames in flight are
   * bounded by bytes); it throws `canceled` when the requester is gone. The stream ends when the handler returns, with its
   * error when it throws.
   */
  serveMany(
    subject: string,
    handler: (
      payload: Payload,
      send: (frame: Payload) => Promise<void>,
      context: RequestContext,
    ) => Promise<void>,
  ): Promise<void>;
  /** Stops taking requests, waits for those under way. */
  stop(): Promise<void>;
}

/** The bus. `close` ends every subscription and service made through it. */
export interface Bus {
  /** Largest payload `publish`, `request`, a reply and one frame may have, in bytes; larger is `too_large`. */
  readonly payloadBytesMax: number;
  publish(subject: string, payload: Payload): void;
  /** `*` matches one token, a trailing `>` one or more. With `group`, each event reaches one member of the group. */
  subscribe(
    subject: string,
    handler: (payload: Payload, subject: string) => void,
    options?: { group?: string },
  ): Unsubscribe;
  /** One reply; `unavailable` when nobody serves the subject. */
  request(subject: string, payload: Payload, options: RequestOptions): Promise<Payload>;
  /** Frames in order, until the responder ends. Leaving the loop early cancels. A lost frame is an error, never a gap. */
  requestMany(subject: string, payload: Payload, options: RequestOptions): AsyncIterable<Payload>;
  service(info: ServiceInfo): Promise<Service>;
  /** Whether the connection to the bus is up right now. */
  connected(): boolean;
  close(): Promise<void>;
}
