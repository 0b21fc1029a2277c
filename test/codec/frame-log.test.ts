import { describe, expect, it } from 'vitest';
import type { DecodedFrame } from '../../src/codec/frame.ts';
import { FrameLog } from '../../src/codec/frame-log.ts';
import { decodeFrame } from '../../src/codec/frame-reader.ts';
import { FrameBuilder } from '../../src/codec/frame-writer.ts';

interface Place {
  counter: number;
  settled: number;
  epoch?: number;
  epochFirst?: number;
  writer?: number;
}

function frame({ counter, settled, epoch = 0, epochFirst = 1, writer = 1 }: Place): DecodedFrame {
  const builder = new FrameBuilder();
  builder.sample(0, 1, 0, 0);
  const header = { tenant: 't', epoch, epochFirst, counter, settled, epochBegun: 1000 * (epoch + 1) };
  return decodeFrame(builder.finish({ ...header, writer: new Uint8Array(16).fill(writer) }));
}

describe('FrameLog', () => {
  it('follows a writer without complaint', () => {
    const log = new FrameLog();
    for (let counter = 1; counter <= 100; counter++) {
      const outcome = log.accept(frame({ counter, settled: Math.max(0, counter - 3) }), counter);
      expect(outcome).toMatchObject({ repeated: false, gap: undefined, late: false, joinedLate: false });
      expect(outcome.newEpoch).toBe(counter === 1);
    }
  });

  it('resolves refs per epoch and counts the undefined ones', () => {
    const log = new FrameLog();
    log.accept(frame({ counter: 1, settled: 0 }), 1).refs.set(0, 77);
    const { refs } = log.accept(frame({ counter: 2, settled: 1 }), 2);
    const out = new Uint32Array(3);
    expect(refs.resolve(Uint32Array.of(0, 5, 1_000_000), 3, out)).toBe(2);
    expect([...out]).toEqual([77, 0xffffffff, 0xffffffff]);
    const next = log.accept(frame({ counter: 3, settled: 2, epoch: 1, epochFirst: 3 }), 3);
    expect(next.newEpoch).toBe(true);
    expect(next.refs.get(0)).toBe(-1);
    expect(log.accept(frame({ counter: 2, settled: 1, writer: 2 }), 4).refs.get(0)).toBe(-1);
  });

  it('reports an acknowledged frame that is missing, once, and takes it when it comes after all', () => {
    const log = new FrameLog();
    log.accept(frame({ counter: 1, settled: 0 }), 1);
    expect(log.accept(frame({ counter: 4, settled: 1 }), 2).gap).toBeUndefined(); // 2 and 3 may be on their way
    expect(log.accept(frame({ counter: 5, settled: 4 }), 3).gap).toEqual({ from: 2, to: 3, count: 2 });
    expect(log.accept(frame({ counter: 6, settled: 5 }), 4).gap).toBeUndefined();
    expect(log.accept(frame({ counter: 3, settled: 1 }), 5)).toMatchObject({ late: true, repeated: false });
    expect(log.accept(frame({ counter: 3, settled: 1 }), 6)).toMatchObject({ late: false, repeated: true });
  });

  it('does not miss a frame that was under way when the first one it met was sent, in a log that was trimmed', () => {
    const log = new FrameLog();
    log.accept(frame({ counter: 5, settled: 3, epoch: 2, epochFirst: 5 }), 9); // 4 stands in message 8, which is gone
    expect(log.accept(frame({ counter: 6, settled: 5, epoch: 2, epochFirst: 5 }), 10).gap).toBeUndefined();
    const again = FrameLog.from(log.facts());
    again.accept(frame({ counter: 9, settled: 7, writer: 2 }), 11);
    expect(again.accept(frame({ counter: 10, settled: 9, writer: 2 }), 12).gap).toBeUndefined();
    expect(again.accept(frame({ counter: 8, settled: 7, writer: 2 }), 13)).toMatchObject({ repeated: false });
    expect(again.accept(frame({ counter: 12, settled: 11, writer: 2 }), 14).gap).toEqual({
      from: 11,
      to: 11,
      count: 1,
    });
  });

  it('misses such a frame in a log it has read from the first message on', () => {
    const log = new FrameLog();
    log.accept(frame({ counter: 2, settled: 0 }), 1);
    const again = FrameLog.from(log.facts());
    expect(again.accept(frame({ counter: 3, settled: 2 }), 2).gap).toEqual({ from: 1, to: 1, count: 1 });
    again.accept(frame({ counter: 2, settled: 0, writer: 2 }), 3);
    expect(again.accept(frame({ counter: 3, settled: 2, writer: 2 }), 4).gap).toEqual({
      from: 1,
      to: 1,
      count: 1,
    });
  });

  it('reports a gap of a billion frames without counting them one by one', () => {
    const log = new FrameLog();
    log.accept(frame({ counter: 1, settled: 0 }), 1);
    const outcome = log.accept(frame({ counter: 1e9 + 2, settled: 1e9 + 1 }), 2);
    expect(outcome.gap).toEqual({ from: 2, to: 1e9 + 1, count: 1e9 });
  });

  it('recognises repeats, also when frames overtook one another', () => {
    const log = new FrameLog();
    const order = [1, 3, 2, 3, 1, 4];
    const repeated = order.map((counter, i) => log.accept(frame({ counter, settled: 0 }), i).repeated);
    expect(repeated).toEqual([false, false, false, true, true, false]);
  });

  it('says so when definitions went by before it began to read', () => {
    expect(new FrameLog().accept(frame({ counter: 9, settled: 7, epochFirst: 5 }), 1).joinedLate).toBe(true);
    expect(new FrameLog().accept(frame({ counter: 9, settled: 7, epochFirst: 8 }), 1).joinedLate).toBe(false);
  });

  it('keeps an epoch until all its frames are settled, and names the oldest sequence it needs', () => {
    const log = new FrameLog();
    const first = log.accept(frame({ counter: 1, settled: 0 }), 10);
    first.refs.set(0, 5);
    log.accept(frame({ counter: 3, settled: 1, epoch: 1, epochFirst: 3 }), 11);
    expect(log.accept(frame({ counter: 2, settled: 1 }), 12).refs.get(0)).toBe(5);
    expect(log.oldestSequence()).toBe(10);
    log.accept(frame({ counter: 4, settled: 3, epoch: 1, epochFirst: 3 }), 13);
    expect(log.oldestSequence()).toBe(11);
    log.forgetBegunBefore(5000);
    expect(log.oldestSequence()).toBeUndefined();
    expect(log.writers).toBe(0);
  });

  it('remembers a bounded number of writers', () => {
    const log = new FrameLog({ writersMax: 3 });
    for (let writer = 1; writer <= 10; writer++)
      log.accept(frame({ counter: 1, settled: 0, writer }), writer);
    expect(log.writers).toBe(3);
    expect(log.oldestSequence()).toBe(8);
  });
});
