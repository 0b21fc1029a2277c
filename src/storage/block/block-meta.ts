// meta.json of a block: Prometheus's part (tsdb/block.go) and Thanos's (features.md 1.6), in the field order and with the
// tab indentation their writers use, so that equal facts give equal bytes. Unknown fields of foreign files are ignored.

import { createHash } from 'node:crypto';
import { encodeTime } from 'ulid';
import { DomainError, invariant } from '../../model/errors.ts';

/** Name of the file in a block's folder. */
export const META_FILE = 'meta.json';
/** External label with the partition of a block cut by a shard. */
export const PARTITION_LABEL = 'skein_partition';
/** External label with the tenant, as Thanos Receive names it. */
export const TENANT_LABEL = 'tenant_id';

/** What a block holds. */
export interface BlockStats {
  readonly numSamples: number;
  readonly numFloatSamples: number;
  readonly numHistogramSamples: number;
  readonly numSeries: number;
  readonly numChunks: number;
  readonly numTombstones: number;
}

/** A block that went into another. */
export interface BlockParent {
  readonly ulid: string;
  readonly minTime: number;
  readonly maxTime: number;
}

/** Where a block comes from. */
export interface BlockCompaction {
  readonly level: number;
  readonly sources: readonly string[];
  readonly deletable?: boolean;
  readonly parents?: readonly BlockParent[];
  readonly failed?: boolean;
  readonly hints?: readonly string[];
}

/** A file of a block, its path relative to the block's folder; meta.json has no size. */
export interface BlockFile {
  readonly relPath: string;
  readonly sizeBytes: number | undefined;
}

/** Thanos's part of meta.json. */
export interface ThanosMeta {
  /** External labels. */
  readonly labels: Readonly<Record<string, string>>;
  /** 0 for raw samples, else 300000 or 3600000. */
  readonly resolutionMs: number;
  readonly source: string;
  readonly segmentFiles: readonly string[];
  readonly files: readonly BlockFile[];
  /** Largest series entry and chunk in bytes; 0 when unknown. */
  readonly seriesBytesMax: number;
  readonly chunkBytesMax: number;
  /** Facts of whoever wrote the block; ours are under the key `skein`. */
  readonly extensions: Readonly<Record<string, unknown>> | undefined;
}

/** A block's meta.json. Times in ms, `maxTime` excluded. `thanos` is absent in a block that never met Thanos or Skein. */
export interface BlockMeta {
  readonly ulid: string;
  readonly minTime: number;
  readonly maxTime: number;
  readonly stats: BlockStats;
  readonly compaction: BlockCompaction;
  readonly thanos: ThanosMeta | undefined;
}

/** What makes a block the same block, whoever builds it. */
export interface BlockIdentity {
  readonly tenant: string;
  readonly partition: number;
  readonly minTime: number;
  readonly maxTime: number;
  readonly level: number;
  /** Tells blocks of one range and level apart, e.g. the log sequence of a late cut. */
  readonly salt: string;
}

/**
 * The ULID of a block: its start as the time part and a hash of its identity instead of randomness, so that two owners of a
 * partition give the same name to the same block and the second upload finds its work done.
 */
export function blockUlid(identity: BlockIdentity): string {
  const { tenant, partition, minTime, maxTime, level, salt } = identity;
  const text = JSON.stringify(['skein block', tenant, partition, minTime, maxTime, level, salt]);
  const hash = createHash('sha256').update(text).digest().subarray(0, 10);
  return encodeTime(Math.max(0, minTime), 10) + base32(hash);
}

/** Whether a name is a ULID (128 bits in 26 characters of Crockford's base 32). */
export function isUlid(name: string): boolean {
  return /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/.test(name);
}

/** The bytes of meta.json. */
export function encodeBlockMeta(meta: BlockMeta): Uint8Array {
  const { stats, compaction, thanos } = meta;
  const document = {
    ulid: meta.ulid,
    minTime: meta.minTime,
    maxTime: meta.maxTime,
    stats: {
      ...nonZero('numSamples', stats.numSamples),
      ...nonZero('numFloatSamples', stats.numFloatSamples),
      ...nonZero('numHistogramSamples', stats.numHistogramSamples),
      ...nonZero('numSeries', stats.numSeries),
      ...nonZero('numChunks', stats.numChunks),
      ...nonZero('numTombstones', stats.numTombstones),
    },
    compaction: {
      level: compaction.level,
      ...nonEmpty('sources', compaction.sources),
      ...(compaction.deletable ? { deletable: true } : {}),
      ...nonEmpty('parents', compaction.parents),
      ...(compaction.failed ? { failed: true } : {}),
      ...nonEmpty('hints', compaction.hints),
    },
    version: 1,
    ...(thanos === undefined ? {} : { thanos: thanosDocument(thanos) }),
  };
  // Go's encoder escapes what could end a script element.
  const json = JSON.stringify(document, undefined, '\t').replace(
    /[<>&\u2028\u2029]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return new TextEncoder().encode(thanos === undefined ? json : `${json}\n`);
}

function thanosDocument(thanos: ThanosMeta): Record<string, unknown> {
  const names = Object.keys(thanos.labels).sort();
  return {
    version: 1,
    labels: Object.fromEntries(names.map((name) => [name, thanos.labels[name]])),
    downsample: { resolution: thanos.resolutionMs },
    source: thanos.source,
    ...nonEmpty('segment_files', thanos.segmentFiles),
    ...nonEmpty(
      'files',
      thanos.files.map((file) => ({ rel_path: file.relPath, size_bytes: file.sizeBytes })),
    ),
    index_stats: {
      ...nonZero('series_max_size', thanos.seriesBytesMax),
      ...nonZero('chunk_max_size', thanos.chunkBytesMax),
    },
    ...(thanos.extensions === undefined ? {} : { extensions: thanos.extensions }),
  };
}

/** Reads meta.json; `corrupt` (naming `what`) when it is not one. */
export function decodeBlockMeta(bytes: Uint8Array, what: string = META_FILE): BlockMeta {
  const root = fieldsOf(parseJson(bytes, what));
  const bad = (reason: string): never => {
    throw new DomainError('corrupt', `cannot read ${what}: ${reason}`);
  };
  const ulid = textField(root, 'ulid');
  if (!isUlid(ulid)) bad(`ulid ${JSON.stringify(ulid)} is not a ULID`);
  if (field(root, 'version') !== 1) bad(`version ${JSON.stringify(field(root, 'version'))} is not known`);
  const minTime = field(root, 'minTime');
  const maxTime = field(root, 'maxTime');
  if (typeof minTime !== 'number' || typeof maxTime !== 'number' || minTime > maxTime)
    return bad(`its time range is ${JSON.stringify(minTime)} to ${JSON.stringify(maxTime)}`);
  const stats = fieldsOf(field(root, 'stats'));
  const count = (name: keyof BlockStats): number => numberField(stats, name);
  return {
    ulid,
    minTime,
    maxTime,
    stats: {
      numSamples: count('numSamples'),
      numFloatSamples: count('numFloatSamples'),
      numHistogramSamples: count('numHistogramSamples'),
      numSeries: count('numSeries'),
      numChunks: count('numChunks'),
      numTombstones: count('numTombstones'),
    },
    compaction: decodeCompaction(fieldsOf(field(root, 'compaction'))),
    thanos: field(root, 'thanos') === undefined ? undefined : decodeThanos(fieldsOf(field(root, 'thanos'))),
  };
}

function decodeCompaction(fields: Fields): BlockCompaction {
  const parents = listField(fields, 'parents').map((entry) => {
    const parent = fieldsOf(entry);
    return {
      ulid: textField(parent, 'ulid'),
      minTime: numberField(parent, 'minTime'),
      maxTime: numberField(parent, 'maxTime'),
    };
  });
  const hints = listField(fields, 'hints').map(String);
  return {
    level: numberField(fields, 'level'),
    sources: listField(fields, 'sources').map(String),
    ...(field(fields, 'deletable') === true ? { deletable: true } : {}),
    ...(parents.length > 0 ? { parents } : {}),
    ...(field(fields, 'failed') === true ? { failed: true } : {}),
    ...(hints.length > 0 ? { hints } : {}),
  };
}

function decodeThanos(fields: Fields): ThanosMeta {
  const files = listField(fields, 'files').map((entry) => {
    const file = fieldsOf(entry);
    const size = field(file, 'size_bytes');
    return { relPath: textField(file, 'rel_path'), sizeBytes: typeof size === 'number' ? size : undefined };
  });
  const labels = Object.entries(fieldsOf(field(fields, 'labels'))).map(([name, value]) => [
    name,
    String(value),
  ]);
  const stats = fieldsOf(field(fields, 'index_stats'));
  const extensions = field(fields, 'extensions');
  return {
    labels: Object.fromEntries(labels),
    resolutionMs: numberField(fieldsOf(field(fields, 'downsample')), 'resolution'),
    source: textField(fields, 'source'),
    segmentFiles: listField(fields, 'segment_files').map(String),
    files,
    seriesBytesMax: numberField(stats, 'series_max_size'),
    chunkBytesMax: numberField(stats, 'chunk_max_size'),
    extensions: typeof extensions === 'object' && extensions !== null ? fieldsOf(extensions) : undefined,
  };
}

type Fields = Readonly<Record<string, unknown>>;

function parseJson(bytes: Uint8Array, what: string): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    throw new DomainError('corrupt', `cannot read ${what}: it is not JSON`, { cause: error });
  }
}

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

function field(fields: Fields, name: string): unknown {
  return Object.hasOwn(fields, name) ? fields[name] : undefined;
}

function textField(fields: Fields, name: string): string {
  const value = field(fields, name);
  return typeof value === 'string' ? value : '';
}

function numberField(fields: Fields, name: string): number {
  const value = field(fields, name);
  return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}

function listField(fields: Fields, name: string): readonly unknown[] {
  const value = field(fields, name);
  return Array.isArray(value) ? value : [];
}

function nonZero(name: string, value: number): Record<string, number> {
  return value === 0 ? {} : { [name]: value };
}

function nonEmpty(name: string, list: readonly unknown[] | undefined): Record<string, unknown> {
  return list === undefined || list.length === 0 ? {} : { [name]: list };
}

const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

// Ten bytes as sixteen characters of five bits, most significant first.
function base32(bytes: Uint8Array): string {
  invariant(bytes.length % 5 === 0, `base 32 takes multiples of 5 bytes, got ${bytes.length}`);
  let out = '';
  let bits = 0;
  let held = 0;
  for (const byte of bytes) {
    held = ((held << 8) | byte) & 0xfff;
    bits += 8;
    for (; bits >= 5; bits -= 5) out += CROCKFORD[(held >>> (bits - 5)) & 31];
  }
  return out;
}
