import { describe, expect, it } from 'vitest';
import { INGEST_DEFAULTS } from '../../../src/actors/receiver/ingest/config.ts';
import { createIngestor } from '../../../src/actors/receiver/ingest/ingestor.ts';
import { Publisher } from '../../../src/actors/receiver/publisher.ts';
import type { DurableLog } from '../../../src/bus/durable-log.ts';
import { decodeFrame } from '../../../src/codec/frame-reader.ts';
import { createHasher } from '../../../src/codec/hash.ts';
import { encodeWriteRequest } from '../../../src/codec/proto/remote-write.ts';
import { DomainError } from '../../../src/model/errors.ts';
import { seededRandom } from '../../../src/platform/random.ts';
import { createVirtualClock } from '../../helpers/virtual-clock.ts';

const hasher = await createHasher();
const LINGER_MS = 5;
const TIMEOUT_MS = 10_000;

function setup(lingerMs = LINGER_MS) {
  const clock = createVirtualClock();
  const config = { ...INGEST_DEFAULTS, partitions: 1 };
  const ingestor = createIngestor(config, { hasher, random: seededRandom(7) });
  const appended: Uint8Array[] = [];
  const patience: number[] = [];
  let failure: DomainError | undefined;
  let opens = 0;
  let openFailure: DomainError | undefined;
  let accounted = 0;
  const log = {
    append: async (bytes: Uint8Array, msMax: number) => {
      patience.push(msMax);
      if (failure) throw failure;
      return appended.push(bytes);
    },
  } as unknown as DurableLog;
  let publisher: Publisher | undefined;
  const write = (value: number): { settled: Promise<string> } => {
    const body = encodeWriteRequest({
      timeseries: [
        {
          labels: [{ name: '__name__', value: 'm' }],
          samples: [{ timestamp: clock.now() + value, value }],
          exemplars: [],
          histograms: [],
        },
      ],
      metadata: [],
    });
    const [part] = ingestor.ingest({
      tenant: 't',
      protocol: 'v1',
      body,
      now: clock.now(),
      newest: () => undefined,
    }).parts;
    publisher ??= new Publisher(
      part!.writer,
      async () => {
        opens++;
        if (openFailure) throw openFailure;
        return log;
      },
      {
        clock,
        lingerMs,
        frameBytes: 100_000,
        inFlightMax: 2,
        timeoutMs: TIMEOUT_MS,
        account: (bytes) => (accounted += bytes),
      },
    );
    return {
      settled: publisher.settled(part!.firstSerial, part!.lastSerial).then(
        () => 'durable',
        (error) => (error as DomainError).code,
      ),
    };
  };
  return {
    clock,
    appended,
    patience,
    write,
    publisher: () => publisher!,
    fail: (error?: DomainError) => (failure = error),
    failOpen: (error?: DomainError) => (openFailure = error),
    opens: () => opens,
    accounted: () => accounted,
  };
}

const away = new DomainError('unavailable', 'no leader');

describe('Publisher', () => {
  it('puts what comes within a moment into one frame', async () => {
    const { clock, appended, write } = setup();
    const writes = [write(1), write(2), write(3)];
    await clock.advance(LINGER_MS - 1);
    expect(appended.length).toBe(0);
    await clock.advance(1);
    expect(await Promise.all(writes.map(({ settled }) => settled))).toEqual([
      'durable',
      'durable',
      'durable',
    ]);
    expect(appended.map((bytes) => decodeFrame(bytes).count)).toEqual([3]);
  });

  it('offers a frame again while the log is away, and holds its memory to account until it is durable', async () => {
    const { clock, appended, write, fail, publisher, accounted } = setup();
    fail(away);
    const { settled } = write(1);
    await clock.advance(TIMEOUT_MS - 1000);
    expect([appended.length, publisher().idle]).toEqual([0, false]);
    expect(accounted()).toBeGreaterThan(0);
    fail();
    await clock.advance(300);
    expect(await settled).toBe('durable');
    expect([appended.length, publisher().idle, accounted()]).toEqual([1, true, 0]);
  });

  it('holds to account what waits behind a full pipeline, not only what is on its way', async () => {
    const { clock, write, fail, accounted } = setup();
    fail(away);
    const held: number[] = [];
    for (let value = 1; value <= 4; value++) {
      void write(value);
      held.push(accounted());
      await clock.advance(LINGER_MS);
    }
    // Two frames may be on their way; the third and fourth wait in the writer.
    for (let i = 1; i < held.length; i++) expect(held[i]).toBeGreaterThan(held[i - 1]!);
    fail();
    await clock.advance(1000);
    expect(accounted()).toBe(0);
  });

  it('gives up after its timeout, tells every waiter, and goes on with the next frame', async () => {
    const { clock, appended, write, fail, publisher, accounted } = setup();
    fail(away);
    const writes = [write(1), write(2)];
    await clock.advance(TIMEOUT_MS + 1000);
    expect(await Promise.all(writes.map(({ settled }) => settled))).toEqual(['unavailable', 'unavailable']);
    expect([publisher().idle, accounted()]).toEqual([true, 0]);
    fail();
    const next = write(3);
    await clock.advance(LINGER_MS);
    expect(await next.settled).toBe('durable');
    // Nothing of the failed frame is relied on: the series is defined again.
    expect(decodeFrame(appended[0]!).definitions.length).toBe(1);
  });

  it('lets no try go on for longer than is left of its timeout', async () => {
    const { clock, patience, write, fail } = setup();
    fail(away);
    const { settled } = write(1);
    await clock.advance(TIMEOUT_MS + 1000);
    expect(await settled).toBe('unavailable');
    expect(patience.slice(0, 3)).toEqual([TIMEOUT_MS, TIMEOUT_MS - 250, TIMEOUT_MS - 500]);
    expect(patience.at(-1)).toBe(250);
  });

  it('makes nobody wait for a turn behind a log that is away', async () => {
    const { clock, write, fail, publisher, accounted } = setup();
    fail(away);
    const answers: { code: string; ms: number }[] = [];
    const began = clock.monotonic();
    for (let value = 1; value <= 8; value++) {
      void write(value).settled.then((code) => answers.push({ code, ms: clock.monotonic() - began }));
      publisher().flush();
      await clock.advance(100);
    }
    await clock.advance(TIMEOUT_MS + 1000);
    // Two frames were on their way; what waited behind them was not tried for another ten seconds.
    expect(answers.map(({ code }) => code)).toEqual(new Array(8).fill('unavailable'));
    expect(Math.max(...answers.map(({ ms }) => ms))).toBeLessThanOrEqual(TIMEOUT_MS + 1000);
    expect([publisher().idle, accounted()]).toEqual([true, 0]);
    fail();
    const { settled } = write(9);
    await clock.advance(LINGER_MS);
    expect(await settled).toBe('durable');
  });

  it('rejects at once what the log will never take', async () => {
    const { clock, write, fail } = setup();
    fail(new DomainError('full', 'no room'));
    const { settled } = write(1);
    await clock.advance(LINGER_MS);
    expect(await settled).toBe('full');
  });

  it('asks for the log again when it could not be opened', async () => {
    const { clock, write, failOpen, opens } = setup();
    failOpen(away);
    const { settled } = write(1);
    await clock.advance(1000);
    expect(opens()).toBeGreaterThan(2);
    failOpen();
    await clock.advance(300);
    expect(await settled).toBe('durable');
  });
});
