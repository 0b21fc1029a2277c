// What every Bus must keep: the promises of src/bus/bus.ts as tests. Run it from the implementation's own test file.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Bus, RequestContext, Service } from '../../src/bus/bus.ts';
import { DomainError } from '../../src/model/errors.ts';
import { eventually, failure, pause, steady } from './eventually.ts';

/** Two ends of one bus; they may be the same object. Everything is served on `server` and asked for on `client`. */
export interface BusHarness {
  readonly server: Bus;
  readonly client: Bus;
  /** Resolves when subscriptions made so far on either end have taken effect. */
  settle?(): Promise<void>;
  dispose(): Promise<void>;
}

/** What the suite is run against. `skip` names tests by title, each with the reason. */
export interface BusContractOptions {
  readonly name: string;
  readonly make: () => Promise<BusHarness>;
  readonly skip?: Readonly<Record<string, string>>;
  /** Bytes of frames the implementation may have in flight on one stream; default 8 MiB. */
  readonly windowBytesMax?: number;
}

const text = (payload: Uint8Array): string => new TextDecoder().decode(payload);
const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);
const info = { name: 'skein-test', version: '1.2.3', description: 'contract suite', metadata: { zone: 'a' } };
const soon = { deadlineMs: 10_000 };

function numbered(index: number, length: number): Uint8Array {
  const frame = new Uint8Array(length);
  new DataView(frame.buffer).setUint32(0, index);
  return frame;
}

const numberOf = (frame: Uint8Array): number => new DataView(frame.buffer, frame.byteOffset).getUint32(0);

/** Declares the suite. */
export function runBusContract(options: BusContractOptions): void {
  describe(`bus contract: ${options.name}`, () => {
    let harness: BusHarness;
    let server: Bus;
    let client: Bus;
    let prefix: string;
    let count = 0;

    beforeEach(async () => {
      harness = await options.make();
      ({ server, client } = harness);
      prefix = `contract${++count}${Math.random().toString(36).slice(2, 8)}`;
    });
    afterEach(() => harness.dispose());

    const settle = async (): Promise<void> => {
      await harness.settle?.();
    };
    const test = (title: string, run: () => Promise<void>): void => {
      if (options.skip?.[title] === undefined) it(title, run);
      else it.skip(`${title} (${options.skip[title]})`, run);
    };
    const serving = async (declare: (service: Service) => Promise<void>): Promise<Service> => {
      const service = await server.service(info);
      await declare(service);
      await settle();
      return service;
    };
    const listen = (bus: Bus, pattern: string, group?: string): string[] => {
      const seen: string[] = [];
      bus.subscribe(
        pattern,
        (payload, subject) => seen.push(`${subject.slice(prefix.length + 1)}=${text(payload)}`),
        group === undefined ? undefined : { group },
      );
      return seen;
    };

    describe('events', () => {
      test('reach every subscriber of the subject, in the order of one publisher', async () => {
        const first = listen(server, `${prefix}.a.b`);
        const second = listen(client, `${prefix}.a.b`);
        const other = listen(server, `${prefix}.a.c`);
        await settle();
        for (let i = 0; i < 100; i++) client.publish(`${prefix}.a.b`, bytes(String(i)));
        const expected = Array.from({ length: 100 }, (_, i) => `a.b=${i}`);
        await eventually('100 events on both', () => first.length + second.length === 200);
        expect(first).toEqual(expected);
        expect(second).toEqual(expected);
        expect(other).toEqual([]);
      });

      test('never run a handler inside publish', async () => {
        let inside = true;
        let ranInside: boolean | undefined;
        client.subscribe(`${prefix}.x`, () => {
          ranInside = inside;
        });
        await settle();
        client.publish(`${prefix}.x`, bytes('1'));
        inside = false;
        await eventually('the event', () => ranInside !== undefined);
        expect(ranInside).toBe(false);
      });

      test('match one token per *, one or more per trailing >', async () => {
        const star = listen(server, `${prefix}.*.c`);
        const starEnd = listen(server, `${prefix}.a.*`);
        const rest = listen(server, `${prefix}.a.>`);
        const everything = listen(server, `${prefix}.>`);
        await settle();
        for (const subject of ['a', 'a.c', 'b.c', 'a.b.c', 'a.b', 'aa.b'])
          client.publish(`${prefix}.${subject}`, bytes('1'));
        await eventually('six events', () => everything.length === 6);
        expect(star).toEqual(['a.c=1', 'b.c=1']);
        expect(starEnd).toEqual(['a.c=1', 'a.b=1']);
        expect(rest).toEqual(['a.c=1', 'a.b.c=1', 'a.b=1']);
        expect(everything).toEqual(['a=1', 'a.c=1', 'b.c=1', 'a.b.c=1', 'a.b=1', 'aa.b=1']);
      });

      test('reach one member of a group, and every subscriber outside of it', async () => {
        const members = [
          listen(server, `${prefix}.job`, 'workers'),
          listen(server, `${prefix}.job`, 'workers'),
        ];
        const otherGroup = listen(server, `${prefix}.job`, 'auditors');
        const plain = listen(server, `${prefix}.job`);
        await settle();
        for (let i = 0; i < 200; i++) client.publish(`${prefix}.job`, bytes(String(i)));
        await eventually('all events', () => plain.length === 200 && otherGroup.length === 200);
        await eventually('group', () => members[0]!.length + members[1]!.length === 200);
        expect(new Set([...members[0]!, ...members[1]!]).size).toBe(200);
        expect(members[0]!.length).toBeGreaterThan(0);
        expect(members[1]!.length).toBeGreaterThan(0);
      });

      test('stop after unsubscribe has resolved', async () => {
        const seen: string[] = [];
        const stop = server.subscribe(`${prefix}.x`, (payload) => seen.push(text(payload)));
        const witness = listen(server, `${prefix}.x`);
        await settle();
        client.publish(`${prefix}.x`, bytes('before'));
        await eventually('the first event', () => witness.length === 1 && seen.length === 1);
        await stop();
        await settle();
        client.publish(`${prefix}.x`, bytes('after'));
        await eventually('the second event elsewhere', () => witness.length === 2);
        expect(seen).toEqual(['before']);
        await stop();
      });

      test('reach the others when one handler throws', async () => {
        server.subscribe(`${prefix}.x`, () => {
          throw new Error('a broken handler');
        });
        const seen = listen(server, `${prefix}.x`);
        await settle();
        client.publish(`${prefix}.x`, bytes('1'));
        client.publish(`${prefix}.x`, bytes('2'));
        await eventually('both events', () => seen.length === 2);
      });

      test('carry bytes of any value, none, and a part of a larger buffer', async () => {
        const seen: Uint8Array[] = [];
        server.subscribe(`${prefix}.x`, (payload) => seen.push(payload.slice()));
        await settle();
        const large = Uint8Array.from({ length: 256 }, (_, i) => i);
        client.publish(`${prefix}.x`, large);
        client.publish(`${prefix}.x`, new Uint8Array(0));
        client.publish(`${prefix}.x`, large.subarray(10, 13));
        await eventually('three events', () => seen.length === 3);
        expect(seen.map((payload) => payload.length)).toEqual([256, 0, 3]);
        expect([...seen[2]!]).toEqual([10, 11, 12]);
        expect(large.length).toBe(256);
      });

      test('that are too large are refused with too_large', async () => {
        expect(client.payloadBytesMax).toBeGreaterThanOrEqual(512 * 1024);
        const tooLarge = new Uint8Array(client.payloadBytesMax + 1);
        await failure((async () => client.publish(`${prefix}.x`, tooLarge))(), 'too_large');
        const seen: number[] = [];
        server.subscribe(`${prefix}.x`, (payload) => seen.push(payload.length));
        await settle();
        client.publish(`${prefix}.x`, new Uint8Array(client.payloadBytesMax));
        await eventually('the largest event', () => seen.length === 1);
        expect(seen).toEqual([client.payloadBytesMax]);
      });
    });

    describe('requests', () => {
      test('end in the reply', async () => {
        await serving((service) =>
          service.serve(`${prefix}.echo`, async (payload) => bytes(`<${text(payload)}>`)),
        );
        expect(text(await client.request(`${prefix}.echo`, bytes('hi'), soon))).toBe('<hi>');
        expect(text(await server.request(`${prefix}.echo`, bytes('own'), soon))).toBe('<own>');
      });

      test('made at the same time each get their own reply', async () => {
        await serving((service) =>
          service.serve(`${prefix}.echo`, async (payload) => {
            await pause(payload[0]! % 3);
            return payload.slice();
          }),
        );
        const replies = await Promise.all(
          Array.from({ length: 100 }, (_, i) => client.request(`${prefix}.echo`, Uint8Array.of(i), soon)),
        );
        expect(replies.map((reply) => reply[0])).toEqual(Array.from({ length: 100 }, (_, i) => i));
      });

      test('are shared among the services of a subject, one responder each', async () => {
        const calls = [0, 0];
        for (const index of [0, 1])
          await serving((service) =>
            service.serve(`${prefix}.work`, async () => {
              calls[index]!++;
              return bytes('done');
            }),
          );
        for (let i = 0; i < 60; i++) await client.request(`${prefix}.work`, bytes(''), soon);
        expect(calls[0]! + calls[1]!).toBe(60);
        expect(Math.min(...calls)).toBeGreaterThan(0);
      });

      test('fail with unavailable at once when nobody serves the subject', async () => {
        const start = performance.now();
        await failure(client.request(`${prefix}.nobody`, bytes(''), soon), 'unavailable');
        await failure(collect(client.requestMany(`${prefix}.nobody`, bytes(''), soon)), 'unavailable');
        expect(performance.now() - start).toBeLessThan(2_000);
      });

      test('fail with timeout after the deadline, and the responder hears of it', async () => {
        let context: RequestContext | undefined;
        await serving((service) =>
          service.serve(`${prefix}.slow`, (_, given) => {
            context = given;
            return new Promise((resolve) =>
              given.signal.addEventListener('abort', () => resolve(bytes('late'))),
            );
          }),
        );
        const start = performance.now();
        await failure(client.request(`${prefix}.slow`, bytes(''), { deadlineMs: 300 }), 'timeout');
        const took = performance.now() - start;
        expect(took).toBeGreaterThan(250);
        expect(took).toBeLessThan(2_000);
        await eventually('abort', () => context?.signal.aborted === true, 1_500);
        expect(context!.deadlineMs).toBeGreaterThan(0);
        expect(context!.deadlineMs).toBeLessThanOrEqual(300);
      });

      test('canceled by the requester fail with canceled, and the responder hears of it within a second', async () => {
        let context: RequestContext | undefined;
        await serving((service) =>
          service.serve(`${prefix}.slow`, (_, given) => {
            context = given;
            return new Promise((resolve) =>
              given.signal.addEventListener('abort', () => resolve(bytes('late'))),
            );
          }),
        );
        const control = new AbortController();
        const reply = failure(
          client.request(`${prefix}.slow`, bytes(''), { ...soon, signal: control.signal }),
          'canceled',
        );
        await eventually('the request arrives', () => context !== undefined);
        expect(context!.signal.aborted).toBe(false);
        control.abort();
        await reply;
        await eventually('abort at the responder', () => context!.signal.aborted, 1_000);
      });

      test('with a signal that aborted before fail with canceled', async () => {
        let called = false;
        await serving((service) =>
          service.serve(`${prefix}.x`, async () => {
            called = true;
            return bytes('');
          }),
        );
        const signal = AbortSignal.abort();
        await failure(client.request(`${prefix}.x`, bytes(''), { ...soon, signal }), 'canceled');
        await failure(collect(client.requestMany(`${prefix}.x`, bytes(''), { ...soon, signal })), 'canceled');
        await pause(50);
        expect(called).toBe(false);
      });

      test('bring back the code, message and retryable of a DomainError', async () => {
        await serving((service) =>
          service.serve(`${prefix}.fails`, async (payload) => {
            if (text(payload) === 'plain') throw new TypeError('a bug: ü');
            throw new DomainError('limited', 'cannot take 7 series: the limit is 5 (größer)', {
              retryable: false,
            });
          }),
        );
        const error = await failure(client.request(`${prefix}.fails`, bytes(''), soon), 'limited');
        expect(error.message).toBe('cannot take 7 series: the limit is 5 (größer)');
        expect(error.retryable).toBe(false);
        const bug = await failure(client.request(`${prefix}.fails`, bytes('plain'), soon), 'internal');
        expect(bug.message).toContain('a bug: ü');
      });

      test('and replies that are too large fail with too_large', async () => {
        await serving((service) =>
          service.serve(
            `${prefix}.size`,
            async (payload) => new Uint8Array(new DataView(payload.buffer, payload.byteOffset).getUint32(0)),
          ),
        );
        const max = client.payloadBytesMax;
        await failure(client.request(`${prefix}.size`, new Uint8Array(max + 1), soon), 'too_large');
        await failure(
          client.request(`${prefix}.size`, numbered(server.payloadBytesMax + 1, 4), soon),
          'too_large',
        );
        const largest = await client.request(`${prefix}.size`, numbered(server.payloadBytesMax, max), soon);
        expect(largest.length).toBe(server.payloadBytesMax);
      });

      test('leave their payload with the requester, who may send it again', async () => {
        await serving((service) =>
          service.serve(`${prefix}.len`, async (payload) => bytes(String(payload.length))),
        );
        const payload = new Uint8Array(100_000);
        for (let i = 0; i < 3; i++)
          expect(text(await client.request(`${prefix}.len`, payload, soon))).toBe('100000');
      });

      test('are no longer taken once stop was called, while those under way end well', async () => {
        let release = (): void => {};
        let entered = false;
        const service = await serving((made) =>
          made.serve(`${prefix}.slow`, async () => {
            entered = true;
            await new Promise<void>((resolve) => {
              release = resolve;
            });
            return bytes('ended well');
          }),
        );
        const underWay = client.request(`${prefix}.slow`, bytes(''), soon);
        await eventually('the request arrives', () => entered);
        let stopped = false;
        const stop = service.stop().then(() => {
          stopped = true;
        });
        await settle();
        await pause(50);
        expect(stopped).toBe(false);
        await failure(client.request(`${prefix}.slow`, bytes(''), soon), 'unavailable');
        release();
        expect(text(await underWay)).toBe('ended well');
        await stop;
      });
    });

    describe('streams', () => {
      test('bring every frame in order and end', async () => {
        await serving((service) =>
          service.serveMany(`${prefix}.count`, async (payload, send) => {
            const total = Number(text(payload));
            for (let i = 0; i < total; i++) await send(numbered(i, 4 + (i % 700)));
          }),
        );
        for (const total of [0, 1, 2_000]) {
          const frames = await collect(client.requestMany(`${prefix}.count`, bytes(String(total)), soon));
          expect(frames.map(numberOf)).toEqual(Array.from({ length: total }, (_, i) => i));
          expect(frames.every((frame, i) => frame.length === 4 + (i % 700))).toBe(true);
        }
      });

      test('keep the order of sends that were not awaited', async () => {
        await serving((service) =>
          service.serveMany(`${prefix}.burst`, async (_, send) => {
            await Promise.all(Array.from({ length: 64 }, (_, i) => send(numbered(i, 200_000))));
          }),
        );
        const frames = await collect(client.requestMany(`${prefix}.burst`, bytes(''), soon));
        expect(frames.map(numberOf)).toEqual(Array.from({ length: 64 }, (_, i) => i));
      });

      test('made at the same time do not mix', async () => {
        await serving((service) =>
          service.serveMany(`${prefix}.mix`, async (payload, send) => {
            for (let i = 0; i < 50; i++) await send(bytes(`${text(payload)}:${i}`));
          }),
        );
        const all = await Promise.all(
          ['a', 'b', 'c', 'd'].map(async (name) => {
            const frames = await collect(client.requestMany(`${prefix}.mix`, bytes(name), soon));
            return frames.map(text).join() === Array.from({ length: 50 }, (_, i) => `${name}:${i}`).join();
          }),
        );
        expect(all).toEqual([true, true, true, true]);
      });

      test('wait for a slow consumer: frames in flight are bounded by bytes', async () => {
        const windowBytesMax = options.windowBytesMax ?? 8 * 1024 * 1024;
        const frameBytes = 65_536;
        const total = Math.ceil((windowBytesMax * 2) / frameBytes);
        let sent = 0;
        await serving((service) =>
          service.serveMany(`${prefix}.flood`, async (_, send) => {
            for (; sent < total; sent++) await send(numbered(sent, frameBytes));
          }),
        );
        let received = 0;
        for await (const frame of client.requestMany(`${prefix}.flood`, bytes(''), { deadlineMs: 60_000 })) {
          expect(numberOf(frame)).toBe(received);
          if (received === 0) {
            const stuck = await steady(() => sent);
            expect(stuck * frameBytes).toBeLessThanOrEqual(windowBytesMax + frameBytes);
          }
          received++;
        }
        expect(received).toBe(total);
      });

      test('left early abort the responder within a second, and its next send throws canceled', async () => {
        let context: RequestContext | undefined;
        let ended: unknown;
        await serving((service) =>
          service.serveMany(`${prefix}.endless`, async (_, send, given) => {
            context = given;
            try {
              for (let i = 0; ; i++) await send(numbered(i, 10_000));
            } catch (error) {
              ended = error;
              throw error;
            }
          }),
        );
        let taken = 0;
        for await (const _ of client.requestMany(`${prefix}.endless`, bytes(''), soon))
          if (++taken === 3) break;
        await eventually('the responder ends', () => ended !== undefined, 1_000);
        expect(context!.signal.aborted).toBe(true);
        expect((ended as DomainError).code).toBe('canceled');
      });

      test('canceled by signal throw canceled while waiting for a frame', async () => {
        let context: RequestContext | undefined;
        await serving((service) =>
          service.serveMany(`${prefix}.stall`, async (_, send, given) => {
            context = given;
            await send(bytes('one'));
            await new Promise<void>((resolve) => given.signal.addEventListener('abort', () => resolve()));
          }),
        );
        const control = new AbortController();
        const seen: string[] = [];
        const all = failure(
          (async () => {
            for await (const frame of client.requestMany(`${prefix}.stall`, bytes(''), {
              ...soon,
              signal: control.signal,
            }))
              seen.push(text(frame));
          })(),
          'canceled',
        );
        await eventually('first frame', () => seen.length === 1);
        control.abort();
        await all;
        await eventually('abort at the responder', () => context!.signal.aborted, 1_000);
      });

      test('fail with timeout when they do not end before the deadline', async () => {
        let context: RequestContext | undefined;
        await serving((service) =>
          service.serveMany(`${prefix}.stall`, async (_, send, given) => {
            context = given;
            await send(bytes('one'));
            await new Promise<void>((resolve) => given.signal.addEventListener('abort', () => resolve()));
          }),
        );
        const seen: string[] = [];
        await failure(
          (async () => {
            for await (const frame of client.requestMany(`${prefix}.stall`, bytes(''), { deadlineMs: 300 }))
              seen.push(text(frame));
          })(),
          'timeout',
        );
        expect(seen).toEqual(['one']);
        await eventually('abort at the responder', () => context!.signal.aborted, 1_500);
      });

      test("bring the responder's error after the frames it sent", async () => {
        await serving((service) =>
          service.serveMany(`${prefix}.breaks`, async (_, send) => {
            for (let i = 0; i < 20; i++) await send(numbered(i, 50_000));
            throw new DomainError('execution', 'cannot divide 20 frames: a reason');
          }),
        );
        const seen: number[] = [];
        const error = await failure(
          (async () => {
            for await (const frame of client.requestMany(`${prefix}.breaks`, bytes(''), soon)) {
              await pause(1);
              seen.push(numberOf(frame));
            }
          })(),
          'execution',
        );
        expect(error.message).toBe('cannot divide 20 frames: a reason');
        expect(seen).toEqual(Array.from({ length: 20 }, (_, i) => i));
      });

      test('refuse a frame that is too large: send throws, the requester learns it', async () => {
        let thrown: unknown;
        await serving((service) =>
          service.serveMany(`${prefix}.large`, async (_, send) => {
            await send(new Uint8Array(server.payloadBytesMax));
            await send(new Uint8Array(server.payloadBytesMax + 1)).catch((error: unknown) => {
              thrown = error;
              throw error;
            });
          }),
        );
        const sizes: number[] = [];
        await failure(
          (async () => {
            for await (const frame of client.requestMany(`${prefix}.large`, bytes(''), soon))
              sizes.push(frame.length);
          })(),
          'too_large',
        );
        expect((thrown as DomainError).code).toBe('too_large');
        expect(sizes).toEqual([server.payloadBytesMax]);
      });
    });

    describe('close', () => {
      test('ends subscriptions and services made through the bus', async () => {
        const seen: string[] = [];
        server.subscribe(`${prefix}.x`, (payload) => seen.push(text(payload)));
        await serving((service) => service.serve(`${prefix}.echo`, async (payload) => payload));
        expect(server.connected()).toBe(true);
        await server.close();
        await settle();
        if (client === server) return;
        client.publish(`${prefix}.x`, bytes('late'));
        await failure(client.request(`${prefix}.echo`, bytes(''), soon), 'unavailable');
        await pause(50);
        expect(seen).toEqual([]);
      });
    });
  });
}

async function collect(frames: AsyncIterable<Uint8Array>): Promise<Uint8Array[]> {
  const all: Uint8Array[] = [];
  for await (const frame of frames) all.push(frame);
  return all;
}
