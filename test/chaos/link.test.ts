import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { openLink } from './link.ts';

it('carries bytes in their order, however often it turns slow and heals meanwhile', async () => {
  const sent = new Uint32Array(1 << 20).map((_, i) => i);
  const received: Buffer[] = [];
  const server = createServer((socket) => {
    socket.on('data', (bytes: Buffer) => received.push(bytes)).on('error', () => undefined);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const link = await openLink((server.address() as AddressInfo).port);
  const near = connect(link.port, '127.0.0.1');
  near.write(Buffer.from(sent.buffer));
  const count = (): number => received.reduce((sum, { length }) => sum + length, 0);
  while (count() < sent.byteLength) {
    link.slow(20, 8_000_000);
    await sleep(10);
    link.heal();
    await sleep(1);
  }
  near.destroy();
  await link.close();
  server.close();
  expect(Buffer.concat(received).equals(Buffer.from(sent.buffer))).toBe(true);
});
