// meta.json and block names.

import { decodeTime } from 'ulid';
import { describe, expect, it } from 'vitest';
import {
  blockUlid,
  decodeBlockMeta,
  encodeBlockMeta,
  isUlid,
} from '../../../src/storage/block/block-meta.ts';

const identity = {
  tenant: 'a',
  partition: 1,
  minTime: 1_700_000_000_000,
  maxTime: 1_700_007_200_000,
  level: 1,
  salt: '',
};
const text = (value: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(value));

describe('block-meta', () => {
  it('names a block by its identity, with its start as the ULID time', () => {
    const name = blockUlid(identity);
    expect(isUlid(name)).toBe(true);
    expect(decodeTime(name)).toBe(identity.minTime);
    expect(blockUlid({ ...identity })).toBe(name);
    const others = [{ tenant: 'b' }, { partition: 2 }, { maxTime: 1 }, { level: 2 }, { salt: 'x' }].map(
      (change) => blockUlid({ ...identity, ...change }),
    );
    expect(new Set([name, ...others]).size).toBe(6);
    expect(name).toMatchInlineSnapshot(`"01HF7YAT00P36GRSZ08DZQP961"`);
  });

  it('tells ULIDs from other names', () => {
    expect(
      [
        '01M82R40Q9RRC6GH53QK3REJBD',
        '01m82r40q9rrc6gh53qk3rejbd',
        'chunks',
        '81M82R40Q9RRC6GH53QK3REJBD',
      ].map(isUlid),
    ).toEqual([true, false, false, false]);
  });

  it('reads back everything it wrote', () => {
    const meta = {
      ulid: blockUlid(identity),
      minTime: 1,
      maxTime: 2,
      stats: {
        numSamples: 1,
        numFloatSamples: 1,
        numHistogramSamples: 0,
        numSeries: 1,
        numChunks: 1,
        numTombstones: 3,
      },
      compaction: {
        level: 2,
        sources: ['a', 'b'],
        parents: [{ ulid: 'a', minTime: 1, maxTime: 2 }],
        hints: ['from-out-of-order'],
      },
      thanos: {
        labels: { a: '<1>', b: 'ü' },
        resolutionMs: 300_000,
        source: 'compactor',
        segmentFiles: ['000001'],
        files: [
          { relPath: 'index', sizeBytes: 7 },
          { relPath: 'meta.json', sizeBytes: undefined },
        ],
        seriesBytesMax: 5,
        chunkBytesMax: 6,
        extensions: { skein: { partition: 1 } },
      },
    };
    const bytes = encodeBlockMeta(meta);
    expect(decodeBlockMeta(bytes)).toEqual(meta);
    expect(new TextDecoder().decode(bytes)).toContain('\\u003c1\\u003e');
    const foreign = { ...meta, thanos: undefined };
    expect(decodeBlockMeta(encodeBlockMeta(foreign))).toEqual(foreign);
  });

  it('reads what Prometheus and Thanos write, unknown fields and odd extensions included', () => {
    const meta = decodeBlockMeta(
      text({
        ulid: '01M82R40Q9RRC6GH53QK3REJBD',
        minTime: -9,
        maxTime: 9,
        compaction: { level: 1 },
        version: 1,
        novelty: [1],
        thanos: {
          version: 1,
          labels: null,
          downsample: { resolution: 0 },
          source: 'sidecar',
          extensions: null,
          upload_time: '2024-01-01T00:00:00Z',
        },
      }),
    );
    expect(meta.stats.numSamples).toBe(0);
    expect(meta.thanos).toMatchObject({ labels: {}, source: 'sidecar', files: [], extensions: undefined });
  });

  it('says corrupt for what is no meta.json', () => {
    const good = { ulid: '01M82R40Q9RRC6GH53QK3REJBD', minTime: 0, maxTime: 9, version: 1 };
    expect(() => decodeBlockMeta(new TextEncoder().encode('{"ulid'))).toThrow('it is not JSON');
    expect(() => decodeBlockMeta(text([]))).toThrow('is not a ULID');
    expect(() => decodeBlockMeta(text({ ...good, version: 2 }))).toThrow('version 2 is not known');
    expect(() => decodeBlockMeta(text({ ...good, minTime: 10 }))).toThrow('time range is 10 to 9');
    expect(() => decodeBlockMeta(text({ ...good, maxTime: '9' }))).toThrow('time range');
  });
});
