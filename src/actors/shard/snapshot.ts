// The shard's snapshot on local disk: heads, the memory of writers and epochs, the ledger and the last message applied, so that a
// restart replays only what came after. A snapshot that does not check is passed over: the log has everything.
//
//   magic "SKSS" │ version u32 │ header length u32 │ header crc32c u32 │ header (envelope) │ pieces: length u32 │ bytes …

import type { LogBounds } from '../../bus/durable-log.ts';
import { decodeEnvelope, encodeEnvelope } from '../../codec/envelope.ts';
import { FrameLog, type FrameLogFacts } from '../../codec/frame-log.ts';
import { crc32c } from '../../codec/hash.ts';
import { asDomainError, DomainError, errorText } from '../../model/errors.ts';
import type { Refusal } from '../../model/refusal.ts';
import type { DiskFile } from '../../platform/disk.ts';
import type { BlockMeta } from '../../storage/block/block-meta.ts';
import { holderOf } from '../../storage/block/lineage.ts';
import { SnapshotReader, writeSnapshot } from '../../storage/head/snapshot.ts';
import { type LedgerFacts, LogLedger } from './ledger.ts';
import { type ShardContext, type ShardState, shardFolder, tenantStore } from './state.ts';
import { type Coverage, type CutPass, coverageOf, headOptions, type TenantStore } from './tenant-store.ts';

const MAGIC = 0x53534b53;
const VERSION = 2;
const PREFIX_BYTES = 16;
const READ_BYTES = 1024 * 1024;

interface Header {
  /** Id of the cluster whose log this is about. */
  readonly cluster: string;
  readonly applied: number;
  readonly frameLog: PackedFrameLog;
  readonly ledger: LedgerFacts;
  readonly damage: readonly string[];
  readonly blocksKnown: boolean;
  readonly tenants: readonly {
    readonly tenant: string;
    readonly coverage: readonly Coverage[];
    readonly passes: readonly CutPass[];
    /** Names of the blocks that, with the head, are everything up to `applied`. */
    readonly blocks: readonly string[];
    /** What each of `blocks` was made from, as its meta.json lists it: compactions of them are told by it. Absent from older snapshots. */
    readonly sources?: readonly (readonly string[])[];
    /** Absent from snapshots of versions that did not keep them. */
    readonly refusals?: readonly Refusal[];
  }[];
}

// An envelope knows bytes, not columns of integers.
type PackedFrameLog = {
  readonly began?: number;
  readonly writers: readonly (Omit<FrameLogFacts['writers'][number], 'epochs'> & {
    readonly epochs: readonly (Omit<FrameLogFacts['writers'][number]['epochs'][number], 'refs'> & {
      readonly refs: Uint8Array;
    })[];
  })[];
};

function packRefs({ writers, ...rest }: FrameLogFacts): PackedFrameLog {
  const pack = (refs: Uint32Array): Uint8Array =>
    new Uint8Array(refs.buffer, refs.byteOffset, refs.byteLength);
  return {
    ...rest,
    writers: writers.map((writer) => ({
      ...writer,
      epochs: writer.epochs.map((epoch) => ({ ...epoch, refs: pack(epoch.refs) })),
    })),
  };
}

function unpackRefs({ writers, ...rest }: PackedFrameLog): FrameLogFacts {
  const unpack = (bytes: Uint8Array): Uint32Array => new Uint32Array(new Uint8Array(bytes).buffer);
  return {
    ...rest,
    writers: writers.map((writer) => ({
      ...writer,
      epochs: writer.epochs.map((epoch) => ({ ...epoch, refs: unpack(epoch.refs) })),
    })),
  };
}

function nameOf(partition: number): string {
  return `${shardFolder(partition)}/snapshot`;
}

/** Writes the snapshot; nothing is applied meanwhile. Errors: the disk's. */
export async function writeShardSnapshot(state: ShardState, context: ShardContext): Promise<void> {
  let resume = (): void => {};
  state.pause = new Promise((resolve) => {
    resume = resolve;
  });
  const began = context.clock.monotonic();
  const target = nameOf(state.partition);
  try {
    const file = await context.disk.open(`${target}.new`, 'create');
    try {
      await file.truncate(0);
      await writeAll(state, file);
      await file.sync();
    } finally {
      await file.close();
    }
    await context.disk.rename(`${target}.new`, target);
    state.unsavedBytes = 0;
    state.savedAt = context.clock.monotonic();
    state.metrics.snapshotSeconds.observe((state.savedAt - began) / 1000);
  } finally {
    state.pause = undefined;
    resume();
  }
}

async function writeAll(state: ShardState, file: DiskFile): Promise<void> {
  const stores = [...state.tenants.values()];
  const header: Header = {
    cluster: state.place.world.cluster.id,
    applied: state.applied,
    frameLog: packRefs(state.frameLog.facts()),
    ledger: state.ledger.facts(),
    damage: state.damage,
    blocksKnown: state.bucket.blocksKnown,
    tenants: stores.map(({ tenant, coverage, passes, blocks, refusals }) => ({
      tenant,
      coverage,
      passes,
      blocks: blocks.metas().map(({ ulid }) => ulid),
      sources: blocks.metas().map(({ compaction }) => compaction.sources),
      refusals: refusals.list(),
    })),
  };
  const bytes = encodeEnvelope(header);
  const prefix = new DataView(new ArrayBuffer(PREFIX_BYTES));
  prefix.setUint32(0, MAGIC, true);
  prefix.setUint32(4, VERSION, true);
  prefix.setUint32(8, bytes.length, true);
  prefix.setUint32(12, crc32c(bytes), true);
  await file.write(new Uint8Array(prefix.buffer), 0);
  await file.write(bytes, PREFIX_BYTES);
  let at = PREFIX_BYTES + bytes.length;
  for (const store of stores) {
    for (const piece of writeSnapshot(store.head)) {
      await file.write(lengthPrefix(piece.length), at);
      await file.write(piece, at + 4);
      at += 4 + piece.length;
    }
    // A piece of no bytes ends a tenant's head.
    await file.write(lengthPrefix(0), at);
    at += 4;
  }
}

function lengthPrefix(length: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, length, true);
  return bytes;
}

/** The snapshot of a partition, or undefined where there is none; closed by the caller. */
export async function openShardSnapshot(
  partition: number,
  { disk }: ShardContext,
): Promise<DiskFile | undefined> {
  try {
    return await disk.open(nameOf(partition), 'read');
  } catch (error) {
    if (asDomainError(error).code === 'not_found') return undefined;
    throw error;
  }
}

/** What a snapshot must go together with. */
export interface SnapshotSurroundings {
  readonly bounds: LogBounds;
  /** Metas of the blocks of the partition by tenant. */
  readonly found: ReadonlyMap<string, readonly BlockMeta[]>;
}

/**
 * Restores a snapshot if it checks, if the log goes on from it, and if it can be told from what the blocks found in the bucket cover;
 * else leaves the state empty. With a snapshot all of whose blocks are found, the blocks are known.
 */
export async function readShardSnapshot(
  file: DiskFile,
  state: ShardState,
  { bounds, found }: SnapshotSurroundings,
  context: ShardContext,
): Promise<void> {
  try {
    await restore(state, bounds, found, file);
  } catch (error) {
    state.tenants.clear();
    state.frameLog = new FrameLog();
    state.ledger = new LogLedger();
    state.applied = bounds.first - 1;
    context.log.warn('the snapshot is of no use, replaying the log instead', {
      partition: state.partition,
      error: errorText(error),
    });
  }
}

async function restore(
  state: ShardState,
  bounds: LogBounds,
  found: ReadonlyMap<string, readonly BlockMeta[]>,
  file: DiskFile,
): Promise<void> {
  const pieces = new PieceReader(file, state.partition);
  const header = await pieces.header();
  if (header.cluster !== state.place.world.cluster.id)
    throw new DomainError('corrupt', `it is of another cluster (${header.cluster})`);
  if (header.applied + 1 < bounds.first || header.applied > bounds.last)
    throw new DomainError(
      'corrupt',
      `it ends with message ${header.applied}, the log holds ${bounds.first} to ${bounds.last}`,
    );
  for (const { tenant, coverage, passes, refusals = [] } of header.tenants) {
    const store = tenantStore(state, tenant);
    const reader = new SnapshotReader(headOptions(state.config));
    for await (const piece of pieces.untilEnd()) reader.push(piece);
    store.head = reader.finish();
    store.coverage = [...coverage];
    store.passes = [...passes];
    store.refusals.restore(refusals);
    for (const meta of found.get(tenant) ?? []) refuseForeignPass(store, meta, header.applied);
  }
  state.frameLog = FrameLog.from(unpackRefs(header.frameLog));
  state.ledger = LogLedger.from(header.ledger);
  state.damage.push(...header.damage);
  state.applied = header.applied;
  const isFound = header.tenants.every(({ tenant, blocks, sources }) =>
    blocks.every((ulid, i) => isCovered(found.get(tenant) ?? [], ulid, sources?.[i] ?? [ulid])),
  );
  if (header.blocksKnown && isFound) state.bucket.blocksKnown = true;
}

// Whether a block, or everything it was made from, is among those found: it may have been merged, and deleted, since.
function isCovered(found: readonly BlockMeta[], ulid: string, sources: readonly string[]): boolean {
  if (holderOf(found, ulid) !== undefined) return true;
  return sources.length > 0 && sources.every((source) => holderOf(found, source) !== undefined);
}

// A pass by other rules that ended within what the snapshot holds: which late samples of ours it does not cover cannot be told any
// more. The log can: it is kept as far as the blocks do not reach.
function refuseForeignPass(store: TenantStore, meta: BlockMeta, applied: number): void {
  const pass = coverageOf(meta);
  if (pass === undefined || store.standingOf(pass, applied) !== 'foreign') return;
  throw new DomainError(
    'corrupt',
    `it ends with message ${applied} and lacks the cut made at message ${pass.applied} (block ${meta.ulid})`,
  );
}

// Reads the file front to back, a megabyte at a time.
class PieceReader {
  readonly #file: DiskFile;
  readonly #partition: number;
  #buffer = new Uint8Array(0);
  #at = 0;
  #next = 0;

  constructor(file: DiskFile, partition: number) {
    this.#file = file;
    this.#partition = partition;
  }

  async header(): Promise<Header> {
    const prefix = await this.#take(PREFIX_BYTES);
    const view = new DataView(prefix.buffer, prefix.byteOffset, PREFIX_BYTES);
    if (view.getUint32(0, true) !== MAGIC || view.getUint32(4, true) !== VERSION)
      throw new DomainError('corrupt', `snapshot of partition ${this.#partition} has an unknown beginning`);
    const bytes = await this.#take(view.getUint32(8, true));
    if (crc32c(bytes) !== view.getUint32(12, true))
      throw new DomainError(
        'corrupt',
        `header of the snapshot of partition ${this.#partition} does not check`,
      );
    return decodeEnvelope<Header>(bytes);
  }

  async *untilEnd(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const prefix = await this.#take(4);
      const length = new DataView(prefix.buffer, prefix.byteOffset, 4).getUint32(0, true);
      if (length === 0) return;
      yield await this.#take(length);
    }
  }

  // A view that stays valid until the next call.
  async #take(length: number): Promise<Uint8Array> {
    if (this.#buffer.length - this.#at < length) {
      const rest = this.#buffer.subarray(this.#at);
      const more = await this.#file.read(this.#next, Math.max(READ_BYTES, length - rest.length));
      this.#next += more.length;
      const joined = new Uint8Array(rest.length + more.length);
      joined.set(rest);
      joined.set(more, rest.length);
      this.#buffer = joined;
      this.#at = 0;
      if (joined.length < length)
        throw new DomainError('corrupt', `snapshot of partition ${this.#partition} ends too early`);
    }
    this.#at += length;
    return this.#buffer.subarray(this.#at - length, this.#at);
  }
}
