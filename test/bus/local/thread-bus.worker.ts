// The worker of thread-bus.test.ts: connects to the hub and does what the messages on its own port say.

import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { connectThreadBus } from '../../../src/bus/local/thread-bus.ts';
import { realClock } from '../../../src/platform/clock.ts';

const { port, prefix } = workerData as { port: MessagePort; prefix: string };
const bus = connectThreadBus(port, { clock: realClock() });
const service = await bus.service({ name: 'worker', version: '1.0.0', description: '', metadata: {} });
await service.serve(`${prefix}.sum`, async (payload) => {
  let sum = 0;
  for (const byte of payload) sum += byte;
  return new TextEncoder().encode(String(sum));
});
await service.serveMany(`${prefix}.frames`, async (payload, send) => {
  const [count, kilobytes] = payload as unknown as [number, number];
  for (let i = 0; i < count; i++) await send(new Uint8Array(kilobytes * 1024).fill(i));
});
await service.serve(`${prefix}.hang`, () => new Promise(() => {}));
// A request from this thread, answered by the main one.
await service.serve(`${prefix}.relay`, async (payload) => {
  let bytes = 0;
  for await (const frame of bus.requestMany(`${prefix}.main`, payload, { deadlineMs: 5_000 }))
    bytes += frame.length;
  return new TextEncoder().encode(String(bytes));
});
bus.subscribe(`${prefix}.ping.*`, (payload, subject) =>
  bus.publish(subject.replace('ping', 'pong'), payload),
);
parentPort?.postMessage('ready');
