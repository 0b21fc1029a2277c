import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FrameHeader } from '../../src/codec/frame.ts';
import { decodeFrame } from '../../src/codec/frame-reader.ts';
import { FrameBuilder, type LabelRanges } from '../../src/codec/frame-writer.ts';
import { crc32c } from '../../src/codec/hash.ts';
import { DomainError } from '../../src/model/errors.ts';
import { labelsOf } from '../../src/model/labels.ts';

const header: FrameHeader = {
  writer: Uint8Array.from({ length: 16 }, (_, i) => i),
  tenant: 'default-tenant',
  epoch: 3,
  epochFirst: 40,
  counter: 41,
  settled: 39,
  epochBegun: 1_760_000_000_000,
};

/** Lays texts one after another and says where each lies. */
function laid(texts: readonly string[]): { view: DataView; labels: LabelRanges } {
  const parts = texts.map((text) => new TextEncoder().encode(text));
  const bytes = Uint8Array.from(parts.flatMap((part) => [...part]));
  const ranges = new Uint32Array(texts.length * 2);
  let at = 0;
  parts.forEach((part, i) => {
    ranges[2 * i] = at;
    ranges[2 * i + 1] = at += part.length;
  });
  return { view: new DataView(bytes.buffer), labels: { ranges, pairs: texts.length / 2 } };
}

function sealAgain(frame: Uint8Array): Uint8Array {
  new DataView(frame.buffer, frame.byteOffset).setUint32(
    frame.length - 4,
    crc32c(frame.subarray(0, frame.length - 4)),
    true,
  );
  return frame;
}

const labelSet = fc
  .dictionary(fc.string({ unit: 'grapheme', minLength: 1 }), fc.string({ unit: 'grapheme', minLength: 1 }), {
    maxKeys: 5,
  })
  .map(labelsOf);
const time = fc.oneof(fc.integer({ min: -(2 ** 51), max: 2 ** 51 }), fc.integer({ min: 1000, max: 1003 }));
const ref = fc.oneof(fc.nat(5), fc.nat(0xffffffff));
const content = fc.record({
  definitions: fc.array(fc.record({ ref, labels: labelSet }), { maxLength: 8 }),
  samples: fc.array(
    fc.record({
      ref,
      time,
      low: fc.nat(0xffffffff),
      high: fc.oneof(fc.nat(0xffffffff), fc.constant(0x7ff00000)),
      start: fc.option(time, { freq: 4 }),
    }),
    { maxLength: 60 },
  ),
  exemplars: fc.array(fc.record({ ref, time, value: fc.double(), labels: labelSet }), { maxLength: 4 }),
  metadata: fc.array(
    fc.record({ type: fc.nat(7), family: fc.string(), help: fc.string(), unit: fc.string() }),
    { maxLength: 4 },
  ),
});

function build(builder: FrameBuilder, from: typeof content extends fc.Arbitrary<infer T> ? T : never): void {
  for (const { ref, labels } of from.definitions) {
    const { view, labels: ranges } = laid(labels);
    builder.define(ref, view, ranges);
  }
  for (const { ref, time, low, high, start } of from.samples) {
    builder.sample(ref, time, low, high);
    if (start !== null && start !== 0) builder.startTimestamp(time, start);
  }
  for (const { ref, time, value, labels } of from.exemplars) {
    const { view, labels: ranges } = laid(labels);
    const bits = new Uint32Array(Float64Array.of(value).buffer);
    builder.exemplar(ref, time, { low: bits[0]!, high: bits[1]! }, view, ranges);
  }
  for (const { type, family, help, unit } of from.metadata) {
    const { view, labels } = laid([family, help, unit]);
    builder.metadata(type, view, labels.ranges);
  }
}

describe('WAL frame', () => {
  it('reads back what was written, NaN payloads included', () => {
    const builder = new FrameBuilder();
    fc.assert(
      fc.property(content, (from) => {
        builder.clear();
        build(builder, from);
        const bytes = builder.finish(header);
        expect(bytes.length).toBeLessThanOrEqual(builder.bytesMax + 3 * header.tenant.length);
        const frame = decodeFrame(bytes);
        expect(frame).toMatchObject(header);
        expect(frame.definitions).toEqual(from.definitions);
        expect([...frame.refs]).toEqual(from.samples.map((sample) => sample.ref));
        expect([...frame.timestamps]).toEqual(from.samples.map((sample) => sample.time));
        expect([...frame.bits]).toEqual(from.samples.flatMap(({ low, high }) => [low, high]));
        const starts = from.samples.map(({ start }) => start ?? 0);
        expect(frame.startTimestamps && [...frame.startTimestamps]).toEqual(
          starts.some((start) => start !== 0) ? starts : undefined,
        );
        expect(frame.exemplars).toEqual(
          from.exemplars.map(({ ref, time, value, labels }) => ({ ref, timestamp: time, value, labels })),
        );
        expect(frame.metadata.map(({ family, help, unit }) => ({ family, help, unit }))).toEqual(
          from.metadata.map(({ family, help, unit }) => ({ family, help, unit })),
        );
      }),
    );
  });

  it('has the bytes that docs/formats/frame.md promises', () => {
    const builder = new FrameBuilder();
    const { view, labels } = laid(['__name__', 'up']);
    builder.define(0, view, labels);
    builder.sample(0, 1000, 2, 0x7ff00000);
    builder.sample(1, 1000, 0, 0x3ff00000);
    expect(Buffer.from(builder.finish({ ...header, tenant: 't', epochBegun: 5 })).toString('hex')).toBe(
      [
        '534b5746' +
          '01' +
          '01' +
          '000102030405060708090a0b0c0d0e0f' +
          '03' +
          '28' +
          '29' +
          '27' +
          '05' +
          '0174',
        '01' + '0d' + '02' + '085f5f6e616d655f5f' + '027570',
        '02' + '05' + '01' + '00' + '01' + '00' + '01',
        '03' + '16' + '02' + '00' + '01' + 'd00f' + '01' + '020000000000f07f' + '000000000000f03f',
      ].join('') +
        Buffer.from(builder.finish({ ...header, tenant: 't', epochBegun: 5 }).slice(-4)).toString('hex'),
    );
  });

  it('costs little more than eight bytes a sample in a steady scrape', () => {
    const builder = new FrameBuilder();
    for (let i = 0; i < 10_000; i++) builder.sample(i, 1_760_000_000_000 + Math.floor(i / 500), i, i);
    expect(builder.finish(header).length / 10_000).toBeLessThan(8.1);
  });

  it('skips sections it does not know and refuses a version that forbids it', () => {
    const builder = new FrameBuilder();
    builder.sample(7, 1000, 0, 0);
    const bytes = builder.finish(header);
    const newer = new Uint8Array(bytes.length + 5);
    newer.set(bytes.subarray(0, -4));
    newer.set([99, 3, 1, 2, 3], bytes.length - 4);
    newer[4] = 2;
    expect([...decodeFrame(sealAgain(newer)).refs]).toEqual([7]);
    newer[5] = 3;
    expect(() => decodeFrame(sealAgain(newer))).toThrow(/version 2 needs a reader of version 3, this is 2/);
  });

  it('refuses a frame cut at any byte or with any bit flipped', () => {
    const builder = new FrameBuilder();
    const { view, labels } = laid(['__name__', 'up']);
    builder.define(0, view, labels);
    builder.sample(0, 1000, 1, 2);
    const bytes = builder.finish(header);
    for (let cut = 0; cut < bytes.length; cut++) {
      expect(() => decodeFrame(bytes.slice(0, cut))).toThrow(DomainError);
    }
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = bytes.slice();
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      expect(() => decodeFrame(flipped)).toThrow(DomainError);
    }
  });

  it('throws nothing but a DomainError on damaged content behind a good checksum', () => {
    const builder = new FrameBuilder();
    fc.assert(
      fc.property(content, fc.nat(), fc.nat(255), (from, at, byte) => {
        builder.clear();
        build(builder, from);
        const bytes = builder.finish(header).slice();
        bytes[6 + (at % (bytes.length - 10))] = byte;
        try {
          decodeFrame(sealAgain(bytes));
        } catch (error) {
          expect(error).toBeInstanceOf(DomainError);
        }
      }),
      { numRuns: 500 },
    );
  });
});
