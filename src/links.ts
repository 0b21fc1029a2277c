// What ties a process to others: the ports that are one thing embedded and another in a cluster.

import type { Bus } from './bus/bus.ts';
import type { Directory } from './bus/directory.ts';
import type { DurableLogs } from './bus/durable-log.ts';
import type { LocalBus } from './bus/local/local-bus.ts';

/** Bus, logs and directory of a process, and the way to close them. */
export interface Links {
  readonly bus: Bus;
  /** The bus embedded, which worker threads share. */
  readonly hub?: LocalBus;
  readonly logs: DurableLogs;
  readonly directory: Directory;
  readonly close: () => Promise<void>;
}
