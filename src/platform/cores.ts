// The machine's cores.

import { availableParallelism } from 'node:os';

/** Cores this process may use at once. */
export function coreCount(): number {
  return availableParallelism();
}
