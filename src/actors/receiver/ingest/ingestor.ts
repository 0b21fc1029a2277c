// From the plain bytes of a remote-write request to samples in partition writers, synchronously and without I/O:
//
//   body ──walk──▶ columns + series ids ──judge──▶ PartitionWriter.sample …  ──▶ outcome
//
// A body that does not parse leaves nothing behind but recognised series. Samples that are refused (too old, too far in the
// future, bad labels) do not keep the others from being stored; the outcome says what came of each kind.

import type { Hasher } from '../../../codec/hash.ts';
import { labelRanges, type RequestColumns } from '../../../codec/remote-write/columns.ts';
import { WalkerV1 } from '../../../codec/remote-write/walk-v1.ts';
import { WalkerV2 } from '../../../codec/remote-write/walk-v2.ts';
import { DomainError, invariant } from '../../../model/errors.ts';
import type { Random } from '../../../platform/random.ts';
import type { IngestConfig } from './config.ts';
import { ExemplarIntake, MetadataIntake } from './extras.ts';
import { LabelCheck, labelText } from './label-check.ts';
import { PartitionWriter } from './partition-writer.ts';
import { createPlacement } from './placement.ts';
import { DROPPED, SeriesTable } from './series-table.ts';

/** Remote write's two messages: prometheus.WriteRequest and io.prometheus.write.v2.Request. */
export type WriteProtocol = 'v1' | 'v2';

/** One request to take in. */
export interface IngestRequest {
  readonly tenant: string;
  readonly protocol: WriteProtocol;
  /** The plain (decompressed) body; borrowed until `ingest` returns. */
  readonly body: Uint8Array;
  /** Wall clock in ms. */
  readonly now: number;
  /** Newest sample (ms) the log holds of this tenant's partition, or undefined when none is known: nothing is too old then. */
  readonly newest: (partition: number) => number | undefined;
}

/** What of a request went into one partition's writer. */
export interface IngestPart {
  readonly partition: number;
  readonly writer: PartitionWriter;
  samples: number;
  histograms: number;
  exemplars: number;
  metadata: number;
  /** First and last serial of the frames that carry it: the request is stored when all of them are acknowledged. */
  firstSerial: number;
  lastSerial: number;
  /** Newest timestamp among its samples, ms. */
  newest: number;
}

/** What came of a request. */
export interface IngestOutcome {
  /** 204, or 400 when something was refused for good (the rest is stored all the same). */
  readonly status: 204 | 400;
  /** Complaints in Prometheus's words, at most `errorsMax`; `errorCount` counts all. */
  readonly errors: readonly string[];
  readonly errorCount: number;
  /** Parts that got something; empty when nothing is to be stored. */
  readonly parts: readonly IngestPart[];
  /** Sums over the parts: what the Written headers say once the frames are acknowledged. */
  readonly samples: number;
  readonly histograms: number;
  readonly exemplars: number;
  readonly metadata: number;
  /** Refused or dropped, by reason. */
  readonly rejected: {
    readonly tooOld: number;
    readonly tooFarInFuture: number;
    readonly invalidLabels: number;
    /** Samples of series without a metric name in remote write 1.0: dropped without an error, as Prometheus does. */
    readonly nameless: number;
    readonly exemplars: number;
    readonly metadata: number;
    /** Native histograms that make no sense (their spans, buckets or bounds). */
    readonly histograms: number;
  };
}

/** What an Ingestor needs besides its configuration. */
export interface IngestServices {
  readonly hasher: Hasher;
  readonly random: Random;
}

interface Tenant {
  table: SeriesTable;
  readonly writers: (PartitionWriter | undefined)[];
  readonly metadata: MetadataIntake;
  usedAt: number;
  sweptAt: number;
}

/** Before this, times cannot be written to a frame (71,000 years away). */
const TIME_LIMIT = 2 ** 51;

/** Makes an Ingestor. */
export function createIngestor(config: IngestConfig, services: IngestServices): Ingestor {
  return new Ingestor(config, services);
}

/** Takes requests in, one at a time; holds the series and writers of all tenants. */
export class Ingestor {
  readonly #config: IngestConfig;
  readonly #services: IngestServices;
  readonly #processId: Uint8Array;
  readonly #walkers: { v1: WalkerV1; v2: WalkerV2 };
  readonly #check: LabelCheck;
  readonly #exemplars: ExemplarIntake;
  readonly #tenants = new Map<string, Tenant>();

  constructor(config: IngestConfig, services: IngestServices) {
    const { partitions } = config;
    invariant(partitions >= 1 && partitions <= 1024, `partitions must be 1..1024, got ${partitions}`);
    invariant(
      Number.isInteger(Math.log2(partitions)),
      `partitions must be a power of two, got ${partitions}`,
    );
    this.#config = config;
    this.#services = services;
    this.#processId = services.random.bytes(12);
    this.#walkers = { v1: new WalkerV1(config), v2: new WalkerV2(config) };
    this.#check = new LabelCheck(config);
    this.#exemplars = new ExemplarIntake(config);
  }

  /**
   * Takes a request in. Errors, with nothing appended: `bad_data` (does not parse), `too_large` (a limit of the request),
   * `limited` (too many tenants). Everything else is in the outcome.
   */
  ingest(request: IngestRequest): IngestOutcome {
    const tenant = this.#tenant(request.tenant, request.now);
    const { body, protocol } = request;
    const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
    tenant.table.begin({ now: request.now, dropNameless: protocol === 'v1' });
    const walker = this.#walkers[protocol];
    walker.walk(body, view, tenant.table);
    const run = new IngestRun(this.#config, request, tenant.table, (p) =>
      this.#writer(tenant, request.tenant, p),
    );
    run.complain(tenant.table);
    run.samples(walker.columns, protocol);
    this.#exemplars.take(walker.columns, body, view, run);
    if (protocol === 'v2') run.exemplarProblems(this.#walkers.v2.exemplarProblems);
    tenant.metadata.take(walker.columns, body, view, run);
    return run.outcome();
  }

  /** The writer of a tenant's partition if it has one. */
  writer(tenant: string, partition: number): PartitionWriter | undefined {
    return this.#tenants.get(tenant)?.writers[partition];
  }

  /** All writers that exist. */
  *writers(): IterableIterator<PartitionWriter> {
    for (const tenant of this.#tenants.values()) {
      for (const writer of tenant.writers) if (writer !== undefined) yield writer;
    }
  }

  /** After a publish failed for good: the tenant's metadata is sent again with the next request that carries it. */
  forgetMetadata(tenant: string): void {
    this.#tenants.get(tenant)?.metadata.forget();
  }

  /** Forgets series and tenants that were not seen for `seriesIdleMs`. To be called about once a minute. */
  sweep(now: number): void {
    const limit = now - this.#config.seriesIdleMs;
    for (const [name, tenant] of this.#tenants) {
      if (now - tenant.sweptAt >= this.#config.seriesIdleMs / 2) {
        tenant.table.forget(limit);
        tenant.sweptAt = now;
      }
      if (tenant.usedAt < limit && tenant.writers.every((writer) => writer === undefined || writer.idle)) {
        this.#tenants.delete(name);
      }
    }
  }

  /** Series remembered and bytes held for recognising them. */
  usage(): { tenants: number; series: number; bytes: number } {
    let series = 0;
    let bytes = 0;
    for (const { table } of this.#tenants.values()) {
      series += table.count;
      bytes += table.bytes;
    }
    return { tenants: this.#tenants.size, series, bytes };
  }

  #tenant(name: string, now: number): Tenant {
    let tenant = this.#tenants.get(name);
    if (tenant === undefined) {
      if (this.#tenants.size >= this.#config.tenantsMax) {
        throw new DomainError(
          'limited',
          `cannot ingest for tenant ${name}: ${this.#tenants.size} tenants are active, the limit`,
        );
      }
      tenant = {
        table: this.#table(),
        writers: new Array<PartitionWriter | undefined>(this.#config.partitions).fill(undefined),
        metadata: new MetadataIntake(this.#config, this.#services.hasher),
        usedAt: now,
        sweptAt: now,
      };
      this.#tenants.set(name, tenant);
    }
    tenant.usedAt = now;
    this.#boundTable(tenant, now);
    return tenant;
  }

  #boundTable(tenant: Tenant, now: number): void {
    if (tenant.table.bytes <= this.#config.seriesBytesMax) return;
    tenant.table.forget(now - 60_000);
    if (tenant.table.bytes > this.#config.seriesBytesMax) tenant.table = this.#table();
  }

  #table(): SeriesTable {
    const { hasher, random } = this.#services;
    const place = createPlacement(hasher, this.#config.partitions, this.#config.replicaLabels);
    return new SeriesTable({
      check: this.#check,
      place,
      seed: new DataView(random.bytes(4).buffer).getUint32(0),
    });
  }

  #writer(tenant: Tenant, name: string, partition: number): PartitionWriter {
    const known = tenant.writers[partition];
    if (known !== undefined) return known;
    const { frameBytesMax, epochMs, partitions } = this.#config;
    const writer = new PartitionWriter({
      tenant: name,
      partition,
      processId: this.#processId,
      frameBytesMax,
      epochMs,
      firstEpochShare: 0.5 + (partition + 1) / (2 * partitions),
    });
    tenant.writers[partition] = writer;
    return writer;
  }
}

/** One request's way through judging and appending; what ExemplarIntake and MetadataIntake append through. */
export class IngestRun {
  readonly table: SeriesTable;
  readonly now: number;
  readonly partitions: number;
  /** Latest timestamp that is accepted, ms. */
  readonly timeMax: number;
  exemplarsRejected = 0;
  metadataRejected = 0;
  readonly #config: IngestConfig;
  readonly #request: IngestRequest;
  readonly #open: (partition: number) => PartitionWriter;
  readonly #parts: (IngestPart | undefined)[] = [];
  readonly #floors: Float64Array;
  readonly #errors: string[] = [];
  readonly #labels = labelRanges();
  #errorCount = 0;
  #tooOld = 0;
  #future = 0;
  #invalid = 0;
  #nameless = 0;
  #histograms = 0;

  constructor(
    config: IngestConfig,
    request: IngestRequest,
    table: SeriesTable,
    open: (partition: number) => PartitionWriter,
  ) {
    this.#config = config;
    this.#request = request;
    this.#open = open;
    this.table = table;
    this.now = request.now;
    this.partitions = config.partitions;
    this.timeMax = request.now + config.futureMs;
    this.#floors = new Float64Array(config.partitions);
  }

  /** The part of a partition, made on first use; every append must be noted in it. */
  part(partition: number): IngestPart {
    const known = this.#parts[partition];
    if (known !== undefined) return known;
    const writer = this.#open(partition);
    const newest = this.#request.newest(partition);
    this.#floors[partition] = newest === undefined ? -TIME_LIMIT : newest - this.#config.outOfOrderWindowMs;
    const part: IngestPart = {
      partition,
      writer,
      samples: 0,
      histograms: 0,
      exemplars: 0,
      metadata: 0,
      firstSerial: 0,
      lastSerial: 0,
      newest: Number.NEGATIVE_INFINITY,
    };
    this.#parts[partition] = part;
    return part;
  }

  /** Notes in which frame the append made last to `part` stands. */
  noteSerial(part: IngestPart): void {
    part.lastSerial = part.writer.lastSerial;
    if (part.firstSerial === 0) part.firstSerial = part.lastSerial;
  }

  /** Notes a complaint. */
  error(text: string): void {
    this.#errorCount++;
    if (this.#errors.length < this.#config.errorsMax) this.#errors.push(text);
  }

  /** Takes over what recognition complained about. */
  complain(table: SeriesTable): void {
    for (const { reason } of table.problems) this.error(reason);
  }

  /** Takes over what could not be read of exemplars (remote write 2.0). */
  exemplarProblems(problems: readonly { series: number; reason: string }[]): void {
    this.exemplarsRejected += problems.length;
    for (const { reason } of problems) this.error(`parsing exemplar: ${reason}`);
  }

  /** Judges and appends all samples. */
  samples(columns: RequestColumns, protocol: WriteProtocol): void {
    const { seriesIds, firstSample, firstHistogram, seriesCount } = columns;
    for (let i = 0; i < seriesCount; i++) {
      const series = seriesIds[i]!;
      const first = firstSample[i]!;
      const end = i + 1 < seriesCount ? firstSample[i + 1]! : columns.sampleCount;
      const histogram = firstHistogram[i]!;
      const histogramEnd = i + 1 < seriesCount ? firstHistogram[i + 1]! : columns.histogramCount;
      if (series < 0) this.#refuseSeries(series, end - first + histogramEnd - histogram);
      else {
        if (end > first) this.#appendSeries(columns, series, first, end);
        if (histogramEnd > histogram) this.#appendHistograms(columns, series, histogram, histogramEnd);
        else if (protocol === 'v2' && end === first)
          this.error(
            `TimeSeries must contain at least one sample or histogram for series ${this.#seriesText(series)}`,
          );
      }
    }
  }

  /** Closes the request. */
  outcome(): IngestOutcome {
    const parts = this.#parts.filter(
      (part): part is IngestPart =>
        part !== undefined && part.samples + part.histograms + part.exemplars + part.metadata > 0,
    );
    const sum = (key: 'samples' | 'histograms' | 'exemplars' | 'metadata'): number =>
      parts.reduce((total, part) => total + part[key], 0);
    return {
      status: this.#errorCount > 0 ? 400 : 204,
      errors: this.#errors,
      errorCount: this.#errorCount,
      parts,
      samples: sum('samples'),
      histograms: sum('histograms'),
      exemplars: sum('exemplars'),
      metadata: sum('metadata'),
      rejected: {
        tooOld: this.#tooOld,
        tooFarInFuture: this.#future,
        invalidLabels: this.#invalid,
        nameless: this.#nameless,
        exemplars: this.exemplarsRejected,
        metadata: this.metadataRejected,
        histograms: this.#histograms,
      },
    };
  }

  // The hot loop: no allocation per sample once the part exists.
  #appendSeries(columns: RequestColumns, series: number, first: number, end: number): void {
    const { timestamps, bits, starts, hasStarts } = columns;
    const { table, now, timeMax } = this;
    const partition = table.partitionOf[series]!;
    const part = this.#parts[partition] ?? this.part(partition);
    const { writer } = part;
    const floor = this.#floors[partition]!;
    for (let s = first; s < end; s++) {
      const timestamp = timestamps[s]!;
      if (timestamp > timeMax || timestamp < floor) {
        this.#refuseSample(series, timestamp);
        continue;
      }
      const start = hasStarts && Math.abs(starts[s]!) < TIME_LIMIT ? starts[s]! : 0;
      writer.sample(table, series, timestamp, bits[2 * s]!, bits[2 * s + 1]!, start, now);
      part.samples++;
      if (part.firstSerial === 0) part.firstSerial = writer.lastSerial;
      if (timestamp > part.newest) part.newest = timestamp;
    }
    part.lastSerial = writer.lastSerial;
  }

  #appendHistograms(columns: RequestColumns, series: number, first: number, end: number): void {
    const { histograms, histogramTimes, histogramStarts, histogramProblems } = columns;
    const partition = this.table.partitionOf[series]!;
    const part = this.part(partition);
    const floor = this.#floors[partition]!;
    for (let row = first; row < end; row++) {
      const timestamp = histogramTimes[row]!;
      const problem = histogramProblems.get(row);
      if (problem !== undefined) {
        this.#histograms++;
        this.error(`${problem} for series ${this.#seriesText(series)}`);
      } else if (timestamp > this.timeMax || timestamp < floor) this.#refuseSample(series, timestamp);
      else {
        const known = Math.abs(histogramStarts[row]!) < TIME_LIMIT;
        const start = known ? histogramStarts[row]! : 0;
        part.writer.histogram(this.table, series, { columns: histograms, row, timestamp, start }, this.now);
        part.histograms++;
        this.noteSerial(part);
        if (timestamp > part.newest) part.newest = timestamp;
      }
    }
  }

  #refuseSeries(id: number, samples: number): void {
    if (id === DROPPED) this.#nameless += samples;
    else this.#invalid += samples;
  }

  #refuseSample(series: number, timestamp: number): void {
    const future = timestamp > this.timeMax;
    if (future) this.#future++;
    else this.#tooOld++;
    if (this.#errors.length >= this.#config.errorsMax) {
      this.#errorCount++;
      return;
    }
    const reason = future
      ? 'out of bounds: timestamp is too far in the future'
      : timestamp < -TIME_LIMIT
        ? 'out of bounds'
        : 'too old sample';
    this.error(`${reason} for series ${this.#seriesText(series)}`);
  }

  #seriesText(series: number): string {
    this.table.readLabels(series, this.#labels);
    return labelText(this.table.arena, this.#labels);
  }
}
