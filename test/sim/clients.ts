// Clients of the cluster: they stand outside of every process, reach one over the network, and cannot tell a lost answer from lost work.

import { DomainError } from '../../src/model/errors.ts';
import type { SimNetwork } from './network.ts';
import type { SimNode } from './node.ts';

const TIMEOUT_MS = 25_000;

/** Has `node` do something for a client. Errors: `unavailable` when no answer came: it may have been done. */
export function callNode<T>(
  network: SimNetwork,
  node: SimNode,
  label: string,
  run: (node: SimNode) => Promise<T>,
): Promise<T> {
  const { loop } = network;
  const { host } = node;
  return new Promise<T>((resolve, reject) => {
    const gone = (reason: string): void =>
      reject(new DomainError('unavailable', `cannot ${label}: ${reason}`));
    const cancel = loop.after(TIMEOUT_MS, `client gives up: ${label}`, () => {
      offEnd();
      gone('no answer');
    });
    const offEnd = host.atEnd(() => {
      cancel();
      loop.after(0.1, `client hears of the end of ${host.name}`, () => gone('the connection was reset'));
    });
    const answer = (settle: () => void): void => {
      if (network.draw(network.rates.lose)) return;
      loop.after(network.transit(), `client's answer: ${label}`, () => {
        cancel();
        offEnd();
        settle();
      });
    };
    if (network.draw(network.rates.lose)) return;
    loop.after(
      network.transit(),
      `client asks: ${label}`,
      () =>
        void run(node).then(
          (value) => answer(() => resolve(value)),
          (error) => answer(() => reject(error)),
        ),
      host,
    );
  });
}
