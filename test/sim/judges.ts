// Judges of what happens to logs and blocks, at the moment it happens: nothing leaves a log that is not in a durable block, what stays
// keeps its definitions, blocks hold what was sent and each sample once, and only the holder of a lease uploads and trims.

import { decodeEnvelope } from '../../src/codec/envelope.ts';
import { decodeFrame } from '../../src/codec/frame-reader.ts';
import { type Labels, labelsKey } from '../../src/model/labels.ts';
import { sampleColumns } from '../../src/model/samples.ts';
import {
  decodeBlockMeta,
  META_FILE,
  PARTITION_LABEL,
  TENANT_LABEL,
} from '../../src/storage/block/block-meta.ts';
import { blockCaches } from '../../src/storage/block/block-reader.ts';
import { BlockSet } from '../../src/storage/block/block-set.ts';
import { openBucketBlock } from '../../src/storage/block/open-block.ts';
import { createMemoryDisk } from '../bus/local/memory-disk.ts';
import type { SimHost } from './host.ts';
import type { Model } from './model.ts';
import type { Services } from './node.ts';

/** Told what is wrong: which judge says so, and what it saw. */
export type Blame = (judge: string, text: string) => void;

/** Between looking at the lease and sending meta.json lie two requests to the bucket, each at most this long. */
const UPLOAD_GRACE_MS = 2 * 5000 + 1000;

interface Row {
  readonly tenant: string;
  readonly labels: Labels;
  readonly time: number;
}

interface LoggedFrame {
  readonly sequence: number;
  readonly rows: readonly Row[];
  /** Oldest message that defines a series of this one. */
  readonly needs: number;
}

interface PartitionFacts {
  frames: LoggedFrame[];
  /** Where series were defined: by writer, tenant, epoch and ref. */
  readonly definitions: Map<string, { readonly labels: Labels; readonly sequence: number }>;
  /** Blocks that hold a sample, by tenant, series and time. */
  readonly durable: Map<string, string[]>;
}

/** What a host looks like to the judge of leases. */
interface Loss {
  readonly at: number;
  readonly pausedMs: number;
}

/** Watches log, bucket and directory. */
export class StorageJudge {
  readonly #services: Services;
  readonly #model: Model;
  readonly #blame: Blame;
  readonly #partitions = new Map<number, PartitionFacts>();
  readonly #holders = new Map<number, string>();
  readonly #losses = new Map<string, Loss>();
  readonly #blocks = new Set<string>();
  /** Blocks put into the bucket, log messages trimmed. */
  readonly counts: { blocks: number; trimmed: number } = { blocks: 0, trimmed: 0 };

  constructor(services: Services, model: Model, blame: Blame, pausedMs: (host: string) => number) {
    this.#services = services;
    this.#model = model;
    this.#blame = blame;
    const { logs, bucket, directory, loop } = services;
    logs.watcher = {
      onAppend: (partition, sequence, payload) => this.#onAppend(partition, sequence, payload),
      onTrim: (partition, was, first) => this.#onTrim(partition, was, first),
      onTrimSent: (partition, host) => this.#checkHolder('trim', partition, host, 0, pausedMs),
    };
    bucket.onSend = (key, host, bytes) => {
      if (!key.endsWith(`/${META_FILE}`)) return;
      const partition = Number(decodeBlockMeta(bytes).thanos?.labels[PARTITION_LABEL]);
      this.#checkHolder(`upload of ${key}`, partition, host, UPLOAD_GRACE_MS, pausedMs);
    };
    bucket.onPut = (key) => {
      if (key.endsWith(`/${META_FILE}`)) void this.#onBlock(key.slice(0, key.indexOf('/')));
    };
    directory.state.watch('lease.', (entries) => {
      for (const [partition, holder] of [...this.#holders]) {
        const entry = entries.find(({ key }) => key === `lease.${partition}`);
        if (entry !== undefined && this.#holderOf(partition) === holder) continue;
        this.#losses.set(`${partition}/${holder}`, { at: loop.now, pausedMs: pausedMs(holder) });
        this.#holders.delete(partition);
      }
      for (const { key } of entries) {
        const partition = Number(key.slice('lease.'.length));
        const holder = this.#holderOf(partition);
        if (holder !== undefined) this.#holders.set(partition, holder);
      }
    });
  }

  /** Whether a sample is in a block of the bucket. */
  isDurable(tenant: string, labels: Labels, time: number): boolean {
    const key = rowKey(tenant, labels, time);
    return [...this.#partitions.values()].some(({ durable }) => durable.has(key));
  }

  #holderOf(partition: number): string | undefined {
    const entry = this.#services.directory.state.get(`lease.${partition}`);
    return entry && decodeEnvelope<{ process: string }>(entry.value).process;
  }

  #checkHolder(
    what: string,
    partition: number,
    host: SimHost,
    graceMs: number,
    pausedMs: (host: string) => number,
  ): void {
    if (this.#holderOf(partition) === host.name) return;
    const loss = this.#losses.get(`${partition}/${host.name}`);
    const running =
      loss === undefined
        ? Number.POSITIVE_INFINITY
        : this.#services.loop.now - loss.at - (pausedMs(host.name) - loss.pausedMs);
    if (running <= graceMs) return;
    this.#blame(
      'one owner',
      `${what} by ${host.name}, which has not held partition ${partition} for ${running} ms of its time; holder: ${this.#holderOf(partition) ?? 'nobody'}`,
    );
  }

  #facts(partition: number): PartitionFacts {
    let found = this.#partitions.get(partition);
    if (found === undefined)
      this.#partitions.set(partition, (found = { frames: [], definitions: new Map(), durable: new Map() }));
    return found;
  }

  #onAppend(partition: number, sequence: number, payload: Uint8Array): void {
    const facts = this.#facts(partition);
    const frame = decodeFrame(payload);
    const epoch = `${Buffer.from(frame.writer).toString('hex')}/${frame.tenant}/${frame.epoch}`;
    for (const { ref, labels } of frame.definitions)
      if (!facts.definitions.has(`${epoch}/${ref}`))
        facts.definitions.set(`${epoch}/${ref}`, { labels, sequence });
    const { first } = this.#services.logs.bounds(partition);
    const rows: Row[] = [];
    let needs = sequence;
    for (let i = 0; i < frame.count; i++) {
      const definition = facts.definitions.get(`${epoch}/${frame.refs[i]}`);
      if (definition === undefined || definition.sequence < first) {
        this.#blame(
          'definitions',
          `message ${sequence} of log ${partition} has a sample of series ${frame.refs[i]}, which no kept message defines (${definition === undefined ? 'never defined' : `defined in ${definition.sequence}, trimmed up to ${first}`})`,
        );
        return;
      }
      needs = Math.min(needs, definition.sequence);
      rows.push({ tenant: frame.tenant, labels: definition.labels, time: frame.timestamps[i]! });
    }
    facts.frames.push({ sequence, rows, needs });
  }

  #onTrim(partition: number, was: number, first: number): void {
    this.counts.trimmed += first - was;
    const facts = this.#facts(partition);
    for (const { sequence, rows } of facts.frames.filter((frame) => frame.sequence < first))
      for (const { tenant, labels, time } of rows) {
        const sample = this.#model.find(tenant, labels)?.samples.get(time);
        if (sample?.acknowledgedAt === undefined) continue;
        if (facts.durable.has(rowKey(tenant, labels, time))) continue;
        this.#blame(
          'trim',
          `log ${partition} is trimmed to ${first}, and message ${sequence} has ${labels.join(' ')} at ${time}, acknowledged at ${sample.acknowledgedAt}, in no block`,
        );
        return;
      }
    facts.frames = facts.frames.filter((frame) => frame.sequence >= first);
    const orphan = facts.frames.find((frame) => frame.needs < first);
    if (orphan !== undefined)
      this.#blame(
        'definitions',
        `log ${partition} is trimmed to ${first}, and message ${orphan.sequence} needs definitions of message ${orphan.needs}`,
      );
  }

  async #onBlock(ulid: string): Promise<void> {
    if (this.#blocks.has(ulid)) return;
    this.#blocks.add(ulid);
    this.counts.blocks++;
    const { store } = this.#services.bucket;
    const meta = decodeBlockMeta(await store.get(`${ulid}/${META_FILE}`));
    const tenant = meta.thanos?.labels[TENANT_LABEL] ?? '';
    const partition = Number(meta.thanos?.labels[PARTITION_LABEL]);
    const { durable } = this.#facts(partition);
    const limits = {
      pageBytesMax: 1 << 16,
      postingsBytesMax: 1 << 16,
      tableBytesMax: 1 << 16,
      headerBytesMax: 1 << 16,
    };
    const blocks = new BlockSet();
    const place = { objects: store, cacheDisk: createMemoryDisk() };
    await blocks.add(
      await openBucketBlock(place, meta, { caches: blockCaches(limits), pause: () => undefined }),
    );
    const all = await blocks.select([], meta.minTime, meta.maxTime);
    const loaded = await all.load(0, all.labels.length);
    const samples = sampleColumns(64);
    for (const [index, labels] of all.labels.entries()) {
      loaded.read(index, meta.minTime, meta.maxTime, samples);
      for (let i = 0; i < samples.count; i++) {
        const time = samples.timestamps[i]!;
        const value = samples.values[i]!;
        const known = this.#model.find(tenant, labels)?.samples.get(time);
        const isRight =
          known !== undefined && (known.value === undefined ? Number.isNaN(value) : known.value === value);
        if (!isRight)
          this.#blame(
            'blocks',
            `block ${ulid} has ${value} for ${labels.join(' ')} at ${time}, ${known === undefined ? 'which was never sent' : `sent was ${known.value}`}`,
          );
        const key = rowKey(tenant, labels, time);
        const others = durable.get(key) ?? [];
        if (others.length > 0 && known?.sent === 1)
          this.#blame(
            'blocks',
            `${labels.join(' ')} at ${time}, sent once, is in blocks ${others.join(', ')} and ${ulid}`,
          );
        durable.set(key, [...others, ulid]);
      }
    }
    await all.release();
    await blocks.close();
  }
}

function rowKey(tenant: string, labels: Labels, time: number): string {
  return `${tenant}\xfe${labelsKey(labels)}\xfe${time}`;
}
