import type { Msg } from 'nats';
import { describe, expect, it } from 'vitest';
import { AppendQueue } from '../../../src/bus/nats/append-queue.ts';
import type { MailboxHandler, NatsLink } from '../../../src/bus/nats/connection.ts';
import { silentLogger } from '../../../src/platform/log.ts';
import { createVirtualClock, settle } from '../../helpers/virtual-clock.ts';
import { numbered, numberOf } from './helpers.ts';

interface Sent {
  readonly number: number;
  readonly id: string;
  ack(sequence: number): void;
  refuse(code: number, description: string, status?: number): void;
}

/** A stream that answers when the test says so. */
function fakeStream() {
  const mailboxes = new Map<string, MailboxHandler>();
  const sent: Sent[] = [];
  let count = 0;
  const link = {
    connected: () => true,
    openMailbox(handler: MailboxHandler) {
      const subject = `inbox.${count++}`;
      mailboxes.set(subject, handler);
      return { subject, close: () => mailboxes.delete(subject) };
    },
    send(
      _subject: string,
      payload: Uint8Array,
      options: { reply: string; headers: { get(name: string): string } },
    ) {
      const answer = (json: unknown): void =>
        mailboxes
          .get(options.reply)
          ?.onMessage({ data: new TextEncoder().encode(JSON.stringify(json)) } as Msg);
      sent.push({
        number: numberOf(payload),
        id: options.headers.get('Nats-Msg-Id'),
        ack: (seq) => answer({ stream: 's', seq }),
        refuse: (err_code, description, code = 500) => answer({ error: { code, err_code, description } }),
      });
    },
  } as unknown as NatsLink;
  const clock = createVirtualClock();
  const context = { link, clock, log: silentLogger() };
  const target = { stream: 's', subject: 's', payloadBytesMax: 1_000 };
  return { queue: new AppendQueue(context, target), sent, clock };
}

/** What each append came to: its sequence or its error's code. */
function outcomes(appends: readonly Promise<number>[]): Promise<(number | string)[]> {
  return Promise.all(appends.map((append) => append.catch((error) => String(error.code))));
}

describe('AppendQueue', () => {
  it('sends without waiting and resolves in order', async () => {
    const { queue, sent } = fakeStream();
    const appends = [0, 1, 2].map((i) => queue.append(numbered(i)));
    expect(sent.map((message) => message.number)).toEqual([0, 1, 2]);
    sent[2]!.ack(3);
    sent[0]!.ack(1);
    sent[1]!.ack(2);
    expect(await outcomes(appends)).toEqual([1, 2, 3]);
  });

  it('sends what got no answer again, in order and under the same ids', async () => {
    const { queue, sent, clock } = fakeStream();
    const appends = [0, 1, 2].map((i) => queue.append(numbered(i)));
    sent[0]!.ack(1);
    await settle();
    await clock.advance(4_000);
    expect(sent).toHaveLength(3);
    const late = queue.append(numbered(3));
    await clock.advance(250);
    expect(sent.slice(3).map((message) => message.number)).toEqual([1, 2, 3]);
    expect(sent.slice(3, 5).map((message) => message.id)).toEqual(
      sent.slice(1, 3).map((message) => message.id),
    );
    sent[3]!.ack(2); // stored before, its acknowledgement was lost
    sent[4]!.ack(3);
    sent[5]!.ack(4);
    expect(await outcomes([...appends, late])).toEqual([1, 2, 3, 4]);
  });

  it('sends again what the servers are still busy storing from the first time', async () => {
    const { queue, sent, clock } = fakeStream();
    const append = queue.append(numbered(0));
    await clock.advance(4_000);
    await clock.advance(250);
    sent[1]!.refuse(10_158, 'duplicate message id is in process', 409);
    await clock.advance(250);
    expect(sent.map((message) => message.id)).toEqual(Array(3).fill(sent[0]!.id));
    sent[2]!.ack(1);
    expect(await append).toBe(1);
  });

  it('rejects a lost append and all after it when a later one got in', async () => {
    const { queue, sent, clock } = fakeStream();
    const appends = [0, 1, 2].map((i) => queue.append(numbered(i)));
    sent[1]!.ack(1);
    sent[2]!.ack(2);
    const ends = outcomes(appends);
    await clock.advance(4_000);
    expect(await ends).toEqual(['unavailable', 'unavailable', 'unavailable']);
    const next = queue.append(numbered(3));
    sent.at(-1)!.ack(3);
    expect(await next).toBe(3);
  });

  it('rejects what stands in front of an earlier one after both were sent again', async () => {
    const { queue, sent, clock } = fakeStream();
    const appends = [0, 1, 2].map((i) => queue.append(numbered(i)));
    await settle();
    await clock.advance(4_000);
    await clock.advance(250);
    const ends = outcomes(appends);
    sent[3]!.ack(8); // the first was lost
    sent[4]!.ack(7); // the second had been stored
    sent[5]!.ack(9);
    expect(await ends).toEqual([8, 'unavailable', 'unavailable']);
  });

  it('gives up after its time', async () => {
    const { queue, sent, clock } = fakeStream();
    const append = queue.append(numbered(0), 10_000);
    const outcome = outcomes([append]);
    await clock.advance(10_500);
    expect(await outcome).toEqual(['unavailable']);
    expect(sent.length).toBeGreaterThan(1);
  });

  it('gives up what has less time than what stands in front of it', async () => {
    const { queue, sent, clock } = fakeStream();
    const patient = outcomes([queue.append(numbered(0), 10_000)]);
    const hurried = outcomes([queue.append(numbered(1), 2000), queue.append(numbered(2), 10_000)]);
    await clock.advance(4000);
    expect(await hurried).toEqual(['unavailable', 'unavailable']);
    await clock.advance(250);
    expect(sent.slice(3).map((message) => message.number)).toEqual([0]);
    sent.at(-1)!.ack(1);
    expect(await patient).toEqual([1]);
  });

  it('hands on that the log is full, and rejects what was sent after', async () => {
    const { queue, sent } = fakeStream();
    const appends = [0, 1, 2].map((i) => queue.append(numbered(i)));
    sent[0]!.ack(1);
    sent[1]!.refuse(10_077, 'maximum bytes exceeded');
    sent[2]!.ack(2);
    expect(await outcomes(appends)).toEqual([1, 'full', 'unavailable']);
  });

  it('keeps a bound on what is in flight', async () => {
    const { queue, sent } = fakeStream();
    const appends = Array.from({ length: 100 }, (_, i) => queue.append(numbered(i)));
    expect(sent).toHaveLength(64);
    for (let i = 0; i < 100; i++) {
      sent[i]!.ack(i + 1);
      await settle();
    }
    expect(await outcomes(appends)).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
  });
});
