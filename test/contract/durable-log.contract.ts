// What every DurableLogs must keep: the promises of src/bus/durable-log.ts as tests. Run it from the implementation's own test file.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DurableLog, DurableLogs } from '../../src/bus/durable-log.ts';
import { eventually, failure, pause } from './eventually.ts';

/** Logs on fresh storage. */
export interface LogHarness {
  readonly logs: DurableLogs;
  /** Closes what is open and opens the same storage again, as a restarted process would. */
  reopen(): Promise<DurableLogs>;
  dispose(): Promise<void>;
}

/** What the suite is run against. `skip` names tests by title, each with the reason. */
export interface LogContractOptions {
  readonly name: string;
  /** With `bytesMax` each log refuses to grow beyond about that size. */
  readonly make: (limits: { bytesMax?: number }) => Promise<LogHarness>;
  readonly skip?: Readonly<Record<string, string>>;
}

const text = (payload: Uint8Array): string => new TextDecoder().decode(payload);
const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);

/** Declares the suite. */
export function runDurableLogContract(options: LogContractOptions): void {
  describe(`durable log contract: ${options.name}`, () => {
    let harness: LogHarness;
    let logs: DurableLogs;

    beforeEach(async () => {
      harness = await options.make({});
      logs = harness.logs;
    });
    afterEach(() => harness.dispose());

    const test = (title: string, run: () => Promise<void>): void => {
      if (options.skip?.[title] === undefined) it(title, run);
      else it.skip(`${title} (${options.skip[title]})`, run);
    };
    const fresh = async (partition = 0): Promise<DurableLog> => {
      await logs.create(partition);
      return logs.open(partition);
    };

    test('opening a log that was never created fails with not_found, and does not create it', async () => {
      await failure(logs.open(3), 'not_found');
      await failure(logs.open(3), 'not_found');
    });

    test('an empty log starts at 1 and holds nothing', async () => {
      const log = await fresh();
      expect(await log.bounds()).toEqual({ first: 1, last: 0, bytes: 0 });
    });

    test('creating a log that exists leaves it as it is', async () => {
      const log = await fresh();
      await log.append(bytes('kept'));
      await logs.create(0);
      expect((await (await logs.open(0)).bounds()).last).toBe(1);
      expect(await take(await logs.open(0), 1, 1)).toEqual(['1=kept']);
    });

    test('logs of different partitions know nothing of each other', async () => {
      const [a, b] = [await fresh(0), await fresh(1)];
      await a.append(bytes('a1'));
      await b.append(bytes('b1'));
      await b.append(bytes('b2'));
      expect(await take(a, 1, 1)).toEqual(['1=a1']);
      expect(await take(b, 1, 2)).toEqual(['1=b1', '2=b2']);
    });

    test('appends get the sequences 1, 2, 3 ... in the order of the calls, without awaiting each', async () => {
      const log = await fresh();
      const sequences = await Promise.all(
        Array.from({ length: 200 }, (_, i) => log.append(bytes(`m${i + 1}`))),
      );
      expect(sequences).toEqual(Array.from({ length: 200 }, (_, i) => i + 1));
      expect(await take(log, 1, 200)).toEqual(sequences.map((n) => `${n}=m${n}`));
      const bounds = await log.bounds();
      expect(bounds).toMatchObject({ first: 1, last: 200 });
      expect(bounds.bytes).toBeGreaterThanOrEqual(sequences.map((n) => `m${n}`).join('').length);
    });

    test('payloads of any bytes, of none and of the largest size come back as they were', async () => {
      const log = await fresh();
      const all = Uint8Array.from({ length: 256 }, (_, i) => i);
      const largest = new Uint8Array(logs.payloadBytesMax).fill(0xab);
      await log.append(all.subarray(3, 250));
      await log.append(new Uint8Array(0));
      await log.append(largest);
      const seen: Uint8Array[] = [];
      for await (const batch of log.read(1, AbortSignal.timeout(10_000))) {
        for (const message of batch) seen.push(message.payload.slice());
        if (seen.length === 3) break;
      }
      expect(Buffer.compare(seen[0]!, all.subarray(3, 250))).toBe(0);
      expect(seen[1]!.length).toBe(0);
      expect(Buffer.compare(seen[2]!, largest)).toBe(0);
    });

    test('a payload above payloadBytesMax is refused with too_large and leaves no hole', async () => {
      const log = await fresh();
      await log.append(bytes('one'));
      await failure(log.append(new Uint8Array(logs.payloadBytesMax + 1)), 'too_large');
      expect(await log.append(bytes('two'))).toBe(2);
      expect(await take(log, 1, 2)).toEqual(['1=one', '2=two']);
    });

    test('reading starts in the middle', async () => {
      const log = await fresh();
      for (let i = 1; i <= 50; i++) await log.append(bytes(`m${i}`));
      expect(await take(log, 31, 3)).toEqual(['31=m31', '32=m32', '33=m33']);
      expect(await take(log, 50, 1)).toEqual(['50=m50']);
    });

    test('many messages come in order across batches', async () => {
      const log = await fresh();
      const payload = new Uint8Array(30_000);
      await Promise.all(Array.from({ length: 150 }, () => log.append(payload)));
      let expected = 1;
      let batches = 0;
      for await (const batch of log.read(1, AbortSignal.timeout(10_000))) {
        batches++;
        for (const message of batch) {
          expect(message.sequence).toBe(expected++);
          expect(message.payload.length).toBe(30_000);
        }
        if (expected > 150) break;
      }
      expect(batches).toBeLessThan(150);
    });

    test('a reader waits at the tail and gets what is appended later, in order', async () => {
      const log = await fresh();
      await log.append(bytes('m1'));
      const control = new AbortController();
      const seen: string[] = [];
      const reading = follow(log, 1, control.signal, seen);
      await eventually('the first message', () => seen.length === 1);
      for (let i = 2; i <= 30; i++) {
        await log.append(bytes(`m${i}`));
        if (i % 10 === 0) await pause(5);
      }
      await eventually('30 messages', () => seen.length === 30);
      expect(seen).toEqual(Array.from({ length: 30 }, (_, i) => `${i + 1}=m${i + 1}`));
      control.abort();
      await reading;
    });

    test('a reader may start at the message to come, on an empty log too', async () => {
      const log = await fresh();
      const control = new AbortController();
      const seen: string[] = [];
      const reading = follow(log, 1, control.signal, seen);
      await pause(20);
      expect(seen).toEqual([]);
      await log.append(bytes('first'));
      await eventually('the message', () => seen.length === 1);
      expect(seen).toEqual(['1=first']);
      control.abort();
      await reading;
    });

    test('a message is soon seen by every reader', async () => {
      const log = await fresh();
      const control = new AbortController();
      const seen: string[][] = [[], [], []];
      const readings = seen.map((list) => follow(log, 1, control.signal, list));
      for (let i = 1; i <= 5; i++) await log.append(bytes(`m${i}`));
      await eventually('all readers', () => seen.every((list) => list.length === 5));
      expect(new Set(seen.map((list) => list.join())).size).toBe(1);
      control.abort();
      await Promise.all(readings);
    });

    test('aborting ends a reader without an error, before it starts too', async () => {
      const log = await fresh();
      await follow(log, 1, AbortSignal.abort(), []);
      const control = new AbortController();
      const reading = follow(log, 1, control.signal, []);
      await pause(20);
      control.abort();
      await reading;
    });

    test('trim forgets everything before, nothing after, and twice is harmless', async () => {
      const log = await fresh();
      for (let i = 1; i <= 20; i++) await log.append(bytes(`m${i}`));
      const before = await log.bounds();
      await log.trim(8);
      const bounds = await log.bounds();
      expect(bounds).toMatchObject({ first: 8, last: 20 });
      expect(bounds.bytes).toBeLessThan(before.bytes);
      expect(await take(log, 8, 13)).toEqual(Array.from({ length: 13 }, (_, i) => `${i + 8}=m${i + 8}`));
      await log.trim(8);
      await log.trim(3);
      expect(await log.bounds()).toEqual(bounds);
    });

    test('reading below the first message kept fails with not_found, naming the gap', async () => {
      const log = await fresh();
      for (let i = 1; i <= 20; i++) await log.append(bytes(`m${i}`));
      await log.trim(8);
      const error = await failure(take(log, 5, 1), 'not_found');
      expect(error.message).toMatch(/\b5\b/);
      expect(error.message).toMatch(/\b[78]\b/);
    });

    test('a log trimmed to its end is empty and goes on with the next sequence, after reopening too', async () => {
      const log = await fresh();
      for (let i = 1; i <= 5; i++) await log.append(bytes(`m${i}`));
      await log.trim(6);
      expect(await log.bounds()).toEqual({ first: 6, last: 5, bytes: 0 });
      await failure(take(log, 5, 1), 'not_found');
      logs = await harness.reopen();
      const again = await logs.open(0);
      expect(await again.bounds()).toEqual({ first: 6, last: 5, bytes: 0 });
      expect(await again.append(bytes('m6'))).toBe(6);
      expect(await take(again, 6, 1)).toEqual(['6=m6']);
      expect(await again.bounds()).toMatchObject({ first: 6, last: 6 });
    });

    test('reopening keeps every message and the bounds', async () => {
      const log = await fresh();
      for (let i = 1; i <= 30; i++) await log.append(bytes(`m${i}`));
      await log.trim(11);
      const before = await log.bounds();
      logs = await harness.reopen();
      const again = await logs.open(0);
      expect(await again.bounds()).toEqual(before);
      expect(await take(again, 11, 20)).toEqual(Array.from({ length: 20 }, (_, i) => `${i + 11}=m${i + 11}`));
      expect(await again.append(bytes('m31'))).toBe(31);
      expect(await take(again, 30, 2)).toEqual(['30=m30', '31=m31']);
      await failure(logs.open(1), 'not_found');
    });

    test('a full log refuses with full instead of forgetting, and takes messages again after a trim', async () => {
      await harness.dispose();
      harness = await options.make({ bytesMax: 400_000 });
      logs = harness.logs;
      const log = await fresh();
      const payload = new Uint8Array(20_000);
      let refused: unknown;
      let last = 0;
      for (let i = 0; i < 40 && refused === undefined; i++)
        await log.append(payload).then(
          (sequence) => {
            last = sequence;
          },
          (error: unknown) => {
            refused = error;
          },
        );
      await failure(Promise.reject(refused), 'full');
      expect(last).toBeGreaterThan(10);
      expect(await log.bounds()).toMatchObject({ first: 1, last });
      await log.trim(last - 2);
      expect(await log.append(payload)).toBe(last + 1);
      expect(await log.bounds()).toMatchObject({ first: last - 2, last: last + 1 });
    });
  });
}

// The first `count` messages from `from` on, as "sequence=text".
async function take(log: DurableLog, from: number, count: number): Promise<string[]> {
  const seen: string[] = [];
  for await (const batch of log.read(from, AbortSignal.timeout(10_000))) {
    for (const message of batch)
      if (seen.length < count) seen.push(`${message.sequence}=${text(message.payload)}`);
    if (seen.length >= count) break;
  }
  return seen;
}

async function follow(log: DurableLog, from: number, signal: AbortSignal, seen: string[]): Promise<void> {
  for await (const batch of log.read(from, signal))
    for (const message of batch) seen.push(`${message.sequence}=${text(message.payload)}`);
}
