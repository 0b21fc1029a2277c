// What the receiver is asked, and what it answers.

import type { WriteProtocol } from './ingest/ingestor.ts';

/** One write request as it came: the body still compressed. */
export interface WriteRequest {
  readonly tenant: string;
  readonly protocol: WriteProtocol;
  /** Snappy block format; owned by the receiver from now on. */
  readonly body: Uint8Array;
}

/** The answer: HTTP status, its text, and what is really in the log (for the Written headers). */
export interface WriteReply {
  readonly status: 204 | 400;
  readonly text: string;
  readonly samples: number;
  readonly histograms: number;
  readonly exemplars: number;
}

/** Message kinds of the receiver. */
export type ReceiverMessages = {
  write: { request: WriteRequest; reply: WriteReply };
  /** Forgets series and tenants that were not seen for long. */
  sweep: { request: undefined; reply: undefined };
};
