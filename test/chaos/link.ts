// A TCP connection between a process and a server that can be cut, held still or made slow while it is used.

import type { AddressInfo } from 'node:net';
import { connect, createServer, type Socket } from 'node:net';

/** How a link treats bytes. */
type Mode =
  | { readonly kind: 'open' }
  /** Connections are reset, new ones refused. */
  | { readonly kind: 'cut' }
  /** Bytes stay where they are; connections look alive. */
  | { readonly kind: 'still' }
  | { readonly kind: 'slow'; readonly delayMs: number; readonly bytesPerSecond: number };

/** A link. */
export interface Link {
  /** Where the process connects to. */
  readonly port: number;
  cut(): void;
  still(): void;
  slow(delayMs: number, bytesPerSecond: number): void;
  /** As if nothing had been. */
  heal(): void;
  close(): Promise<void>;
}

interface Pair {
  readonly near: Socket;
  readonly far: Socket;
}

/** Opens a link to a loopback port. */
export async function openLink(targetPort: number): Promise<Link> {
  let mode: Mode = { kind: 'open' };
  const pairs = new Set<Pair>();
  const server = createServer((near) => {
    if (mode.kind === 'cut') {
      near.resetAndDestroy();
      return;
    }
    const far = connect(targetPort, '127.0.0.1');
    const pair = { near, far };
    pairs.add(pair);
    const end = (): void => {
      pairs.delete(pair);
      near.destroy();
      far.destroy();
    };
    for (const socket of [near, far]) {
      socket.setNoDelay(true);
      socket.on('error', end);
      socket.on('close', end);
    }
    carry(near, far, () => mode);
    carry(far, near, () => mode);
    if (mode.kind === 'still') for (const socket of [near, far]) socket.pause();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const reset = (): void => {
    for (const { near, far } of pairs) {
      near.resetAndDestroy();
      far.resetAndDestroy();
    }
  };
  const become = (next: Mode): void => {
    mode = next;
    for (const { near, far } of pairs)
      for (const socket of [near, far])
        if (next.kind === 'still') socket.pause();
        else socket.resume();
  };
  return {
    port: (server.address() as AddressInfo).port,
    cut() {
      become({ kind: 'cut' });
      reset();
    },
    still: () => become({ kind: 'still' }),
    slow: (delayMs, bytesPerSecond) => become({ kind: 'slow', delayMs, bytesPerSecond }),
    heal: () => become({ kind: 'open' }),
    async close() {
      reset();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

// Bytes that are held back keep their turn: what comes after them waits too, however the link is treated by then.
function carry(from: Socket, to: Socket, mode: () => Mode): void {
  const resume = (): void => {
    if (mode().kind !== 'still') from.resume();
  };
  const pass = (bytes: Buffer): void => {
    if (to.destroyed || to.write(bytes)) return;
    from.pause();
    to.once('drain', resume);
  };
  const held: Buffer[] = [];
  from.on('data', (bytes: Buffer) => {
    const now = mode();
    if (now.kind !== 'slow' && held.length === 0) return pass(bytes);
    const ms = now.kind === 'slow' ? now.delayMs + (bytes.length / now.bytesPerSecond) * 1000 : 0;
    held.push(bytes);
    from.pause();
    setTimeout(() => {
      for (const one of held.splice(0)) pass(one);
      resume();
    }, ms);
  });
  from.on('end', () => {
    for (const one of held.splice(0)) pass(one);
    to.end();
  });
}
