// Blocks for tests: a slow, plain XOR chunk encoder, series makers, a temporary disk and an object store in memory.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Chunk, ChunkSeries } from '../../../src/codec/chunk.ts';
import { type CompiledMatcher, compileMatcher } from '../../../src/codec/regex.ts';
import { DomainError } from '../../../src/model/errors.ts';
import { compareLabels, type Labels, labelsOf } from '../../../src/model/labels.ts';
import type { MatchOperator } from '../../../src/model/matcher.ts';
import { type Disk, realDisk } from '../../../src/platform/disk.ts';
import type { BlockFacts } from '../../../src/storage/block/block-builder.ts';
import { type BlockCaches, blockCaches } from '../../../src/storage/block/block-reader.ts';
import type { ObjectEntry, ObjectStore } from '../../../src/storage/objects/object-store.ts';

/** A sample as tests write it. */
export type Sample = readonly [time: number, value: number];

/** A series as tests write it. */
export interface PlainSeries {
  readonly labels: Labels;
  readonly samples: readonly Sample[];
}

/** Encodes samples as a Prometheus XOR chunk, bit string by bit string (tsdb/docs/format/chunks.md). */
export function xorChunk(samples: readonly Sample[]): Chunk {
  let bits = samples.length.toString(2).padStart(16, '0');
  const bytesOf = (value: bigint): void => {
    let rest = value;
    for (; rest >= 128n; rest >>= 7n)
      bits += Number((rest & 127n) | 128n)
        .toString(2)
        .padStart(8, '0');
    bits += rest.toString(2).padStart(8, '0');
  };
  const low = (value: bigint, count: number): string =>
    BigInt.asUintN(count, value).toString(2).padStart(count, '0');
  let delta = 0n;
  let leading = -1;
  let trailing = 0;
  samples.forEach(([time, value], i) => {
    const raw = bitsOf(value);
    if (i === 0) {
      bytesOf(time < 0 ? -2n * BigInt(time) - 1n : 2n * BigInt(time));
      bits += low(raw, 64);
      return;
    }
    const step = BigInt(time - samples[i - 1]![0]);
    if (i === 1) bytesOf(step);
    else bits += deltaOfDelta(step - delta, low);
    delta = step;
    const xor = raw ^ bitsOf(samples[i - 1]![1]);
    if (xor === 0n) {
      bits += '0';
      return;
    }
    const text = low(xor, 64);
    const zerosBefore = Math.min(31, text.indexOf('1'));
    const zerosAfter = 63 - text.lastIndexOf('1');
    if (leading >= 0 && zerosBefore >= leading && zerosAfter >= trailing) {
      bits += `10${text.slice(leading, 64 - trailing)}`;
      return;
    }
    leading = zerosBefore;
    trailing = zerosAfter;
    const significant = 64 - leading - trailing;
    bits += `11${low(BigInt(leading), 5)}${low(BigInt(significant), 6)}${text.slice(leading, 64 - trailing)}`;
  });
  const bytes = new Uint8Array(Math.ceil(bits.length / 8));
  for (let i = 0; i < bytes.length; i++)
    bytes[i] = Number.parseInt(bits.slice(8 * i, 8 * i + 8).padEnd(8, '0'), 2);
  return { encoding: 1, bytes, minTime: samples[0]![0], maxTime: samples.at(-1)![0] };
}

function deltaOfDelta(dod: bigint, low: (value: bigint, count: number) => string): string {
  if (dod === 0n) return '0';
  for (const [prefix, count] of [
    ['10', 14],
    ['110', 17],
    ['1110', 20],
  ] as const) {
    const half = 1n << BigInt(count - 1);
    if (dod >= 1n - half && dod <= half) return prefix + low(dod, count);
  }
  return `1111${low(dod, 64)}`;
}

function bitsOf(value: number): bigint {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  return view.getBigUint64(0);
}

/** Series with at most `perChunk` samples a chunk, in label order. */
export function chunkSeries(series: readonly PlainSeries[], perChunk = 120): ChunkSeries[] {
  return [...series]
    .sort((a, b) => compareLabels(a.labels, b.labels))
    .map(({ labels, samples }) => {
      const chunks: Chunk[] = [];
      for (let i = 0; i < samples.length; i += perChunk)
        chunks.push(xorChunk(samples.slice(i, i + perChunk)));
      return { labels, chunks };
    });
}

/** `count` series of three metrics over some jobs and instances; sample i of series s is at start + 15 s * i. */
export function someSeries(count: number, samples: number, start = 0): PlainSeries[] {
  return Array.from({ length: count }, (_, s) => ({
    labels: labelsOf({
      __name__: `metric_${s % 3}`,
      job: `job-${s % 7}`,
      instance: `host-${String(Math.floor(s / 3)).padStart(5, '0')}`,
      ...(s % 5 === 0 ? { zone: `z${s % 2}` } : {}),
    }),
    samples: Array.from({ length: samples }, (_, i): Sample => [start + 15_000 * i, s * 1000 + i * (s % 4)]),
  }));
}

/** The facts of a test block over [minTime, maxTime). */
export function factsOf(ulid: string, minTime = 0, maxTime = 7_200_000): BlockFacts & { pause: () => void } {
  return {
    ulid,
    minTime,
    maxTime,
    labels: { cluster: 'test', tenant_id: 'default-tenant', skein_partition: '3' },
    extensions: { skein: { partition: 3, firstSequence: 1, lastSequence: 99 } },
    pause: () => undefined,
  };
}

/** Compiled matchers from [name, operator, value] rows. */
export function matchers(...rows: readonly (readonly [string, MatchOperator, string])[]): CompiledMatcher[] {
  return rows.map(([name, op, value]) => compileMatcher({ name, op, value }));
}

/** Caches large enough to hold everything a test reads, or of the given size. */
export function testCaches(bytes: number = 64 << 20): BlockCaches {
  return blockCaches({
    pageBytesMax: bytes,
    postingsBytesMax: bytes,
    tableBytesMax: bytes,
    headerBytesMax: bytes,
  });
}

/** A disk on a temporary folder; `close` removes it. */
export function temporaryDisk(): { readonly disk: Disk; readonly root: string; close(): void } {
  const root = mkdtempSync(path.join(tmpdir(), 'skein-block-'));
  return { disk: realDisk(root), root, close: () => rmSync(root, { recursive: true, force: true }) };
}

/** An object store in memory that counts what is asked of it. */
export function memoryObjects(): ObjectStore & {
  readonly content: Map<string, Uint8Array>;
  readonly log: string[];
  readonly ranges: { key: string; offset: number; length: number }[];
} {
  const content = new Map<string, Uint8Array>();
  const log: string[] = [];
  const ranges: { key: string; offset: number; length: number }[] = [];
  const found = (key: string): Uint8Array => {
    const bytes = content.get(key);
    if (bytes === undefined) throw new DomainError('not_found', `cannot get ${key}: it does not exist`);
    return bytes;
  };
  const entry = (key: string): ObjectEntry => ({ key, bytes: content.get(key)!.length, modifiedMs: 0 });
  return {
    content,
    log,
    ranges,
    async put(key, bytes) {
      log.push(`put ${key}`);
      content.set(key, bytes.slice());
    },
    async putOnce(key, bytes) {
      if (content.has(key)) throw new DomainError('conflict', `cannot put ${key}: it exists`);
      content.set(key, bytes.slice());
    },
    async putStream(key, chunks, bytes) {
      log.push(`put ${key}`);
      const out = new Uint8Array(bytes);
      let at = 0;
      for await (const chunk of chunks) {
        out.set(chunk, at);
        at += chunk.length;
      }
      content.set(key, out);
    },
    async get(key) {
      log.push(`get ${key}`);
      return found(key).slice();
    },
    async getRange(key, offset, length) {
      ranges.push({ key, offset, length });
      return found(key).slice(offset, offset + length);
    },
    stat: async (key) => (content.has(key) ? entry(key) : undefined),
    async *list(prefix) {
      for (const key of [...content.keys()].sort()) if (key.startsWith(prefix)) yield entry(key);
    },
    async *folders(prefix) {
      const seen = new Set<string>();
      for (const key of content.keys()) {
        const slash = key.indexOf('/', prefix.length);
        if (key.startsWith(prefix) && slash >= 0) seen.add(key.slice(0, slash + 1));
      }
      yield* [...seen].sort();
    },
    async remove(key) {
      log.push(`remove ${key}`);
      content.delete(key);
    },
  };
}
