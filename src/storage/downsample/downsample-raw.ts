// One series of raw samples to the aggregate chunks of a resolution. Staleness markers and NaN are left out. Floats are decoded once
// and held; histograms, which are large, are decoded twice, one chunk at a time: first when and of which kind they are, then
// what they say.

import { ALL_TIMES, type Chunk } from '../../codec/chunk.ts';
import { readChunk } from '../../codec/sample-chunks.ts';
import { DomainError } from '../../model/errors.ts';
import { CUSTOM_BUCKETS_SCHEMA, type HistogramColumns, RESET_HINT } from '../../model/histogram.ts';
import { clearSamples, isStaleAt, type SampleColumns, sampleColumns } from '../../model/samples.ts';
import { encodingName, isHistogramEncoding } from '../block/chunk-segments.ts';
import { floatAggregates } from './float-windows.ts';
import { HistogramChunks, HistogramCounter, HistogramSum } from './histogram-windows.ts';
import { type Batch, planBatches, windowEnd } from './windows.ts';

/** Memory that is used for series after series. */
export interface Scratch {
  readonly floats: SampleColumns;
  readonly chunk: SampleColumns;
}

/** Makes the memory. */
export function downsampleScratch(): Scratch {
  return { floats: sampleColumns(4096), chunk: sampleColumns(256) };
}

/**
 * The aggregate chunks of raw chunks that follow each other in time, none where no sample is a number. Errors: `corrupt`, `execution`
 * for an encoding that is not known.
 */
export function downsampleRaw(chunks: readonly Chunk[], resolution: number, scratch: Scratch): Chunk[] {
  const out: Chunk[] = [];
  for (let from = 0; from < chunks.length; ) {
    const isHistogram = isHistogramEncoding(chunks[from]!.encoding);
    let end = from + 1;
    while (end < chunks.length && isHistogramEncoding(chunks[end]!.encoding) === isHistogram) end++;
    const run = chunks.slice(from, end);
    if (isHistogram) downsampleHistograms(run, resolution, scratch, out);
    else downsampleFloats(run, resolution, scratch, out);
    from = end;
  }
  return out;
}

function decode(chunk: Chunk, target: SampleColumns): void {
  if (readChunk(chunk, ALL_TIMES, target)) return;
  throw new DomainError(
    'execution',
    `cannot downsample a series: its chunks are encoded as ${encodingName(chunk.encoding)}`,
  );
}

function downsampleFloats(
  chunks: readonly Chunk[],
  resolution: number,
  { floats }: Scratch,
  out: Chunk[],
): void {
  clearSamples(floats);
  for (const chunk of chunks) {
    const before = floats.count;
    decode(chunk, floats);
    dropStaleSamples(floats, before);
  }
  const { values } = floats;
  const run = { from: 0, to: floats.count };
  let from = 0;
  for (const batch of planBatches(floats.timestamps, run, resolution, (i) => !Number.isNaN(values[i]!))) {
    out.push(floatAggregates(floats, { ...batch, from }, resolution));
    from = batch.end;
  }
}

function dropStaleSamples(columns: SampleColumns, from: number): void {
  const { timestamps, bits } = columns;
  let kept = from;
  for (let i = from; i < columns.count; i++) {
    if (isStaleAt(bits, i)) continue;
    timestamps[kept] = timestamps[i]!;
    bits[2 * kept] = bits[2 * i]!;
    bits[2 * kept + 1] = bits[2 * i + 1]!;
    kept++;
  }
  columns.count = kept;
}

/** Histograms of one kind, as the first look finds them; `schemas` of those whose sum is NaN is NOT_COUNTED. */
interface HistogramRun {
  readonly times: number[];
  readonly schemas: number[];
  readonly isGauge: boolean;
}

const NOT_COUNTED = Number.MAX_SAFE_INTEGER;

function downsampleHistograms(
  chunks: readonly Chunk[],
  resolution: number,
  scratch: Scratch,
  out: Chunk[],
): void {
  const runs = findRuns(chunks, scratch);
  let run = 0;
  let windows: RunWindows | undefined;
  forEachHistogram(chunks, scratch, (time, columns, row) => {
    windows ??= new RunWindows(runs[run]!, resolution, out);
    if (!windows.add(time, columns, row)) return;
    windows = undefined;
    run++;
  });
}

function forEachHistogram(
  chunks: readonly Chunk[],
  { chunk: scratch }: Scratch,
  each: (time: number, columns: HistogramColumns, row: number) => void,
): void {
  for (const chunk of chunks) {
    clearSamples(scratch);
    decode(chunk, scratch);
    const { histograms, rows, timestamps, count } = scratch;
    if (histograms === undefined) continue;
    for (let i = 0; i < count; i++)
      if (!isStaleAt(histograms.sumBits, rows[i]!)) each(timestamps[i]!, histograms, rows[i]!);
  }
}

// Cuts histograms where they can no longer be added up as one: counters and gauges, exponential and custom buckets, other bounds.
function findRuns(chunks: readonly Chunk[], scratch: Scratch): HistogramRun[] {
  const runs: HistogramRun[] = [];
  let run: HistogramRun | undefined;
  let bounds = NO_BOUNDS;
  let isCustom = false;
  forEachHistogram(chunks, scratch, (time, columns, row) => {
    const isGauge = columns.hints[row] === RESET_HINT.gauge;
    const schema = columns.schemas[row]!;
    const own = columns.bounds.subarray(columns.boundStarts[row], columns.boundStarts[row + 1]);
    const isOwnCustom = schema === CUSTOM_BUCKETS_SCHEMA;
    if (
      run === undefined ||
      run.isGauge !== isGauge ||
      isCustom !== isOwnCustom ||
      !sameNumbers(own, bounds)
    ) {
      run = { times: [], schemas: [], isGauge };
      runs.push(run);
      bounds = own.slice();
      isCustom = isOwnCustom;
    }
    run.times.push(time);
    run.schemas.push(Number.isNaN(columns.sums[row]!) ? NOT_COUNTED : schema);
  });
  return runs;
}

const NO_BOUNDS = new Float64Array(0);

function sameNumbers(a: Float64Array, b: Float64Array): boolean {
  return a.length === b.length && a.every((number, i) => number === b[i]);
}

/** The second look at a run: its histograms one by one, window by window, batch by batch. */
class RunWindows {
  readonly #run: HistogramRun;
  readonly #resolution: number;
  readonly #batches: readonly Batch[];
  readonly #chunks: HistogramChunks;
  readonly #counter = new HistogramCounter();
  readonly #sum = new HistogramSum();
  #batch = -1;
  #batchEnd = 0;
  #schema = 0;
  #index = 0;
  #count = 0;
  #until = 0;

  constructor(run: HistogramRun, resolution: number, out: Chunk[]) {
    this.#run = run;
    this.#resolution = resolution;
    const { times, schemas } = run;
    const all = { from: 0, to: times.length };
    this.#batches = planBatches(times, all, resolution, (i) => schemas[i] !== NOT_COUNTED);
    this.#chunks = new HistogramChunks(out);
  }

  /** Takes the next histogram; whether it was the run's last. */
  add(time: number, columns: HistogramColumns, row: number): boolean {
    const { times, schemas } = this.#run;
    const index = this.#index++;
    if (schemas[index] !== NOT_COUNTED) {
      if (index >= this.#batchEnd) this.#nextBatch(index);
      if (this.#count > 0 && time > this.#until) this.#closeWindow();
      if (this.#count === 0) {
        this.#until = Math.min(windowEnd(time, this.#resolution), this.#batches[this.#batch]!.lastTime);
        this.#sum.open();
        this.#counter.open();
      }
      this.#counter.add({ columns, row });
      this.#sum.add({ columns, row }, this.#schema);
      this.#count++;
    }
    const isLast = this.#index === times.length;
    if (isLast) this.#closeBatch();
    return isLast;
  }

  #nextBatch(index: number): void {
    this.#closeBatch();
    do this.#batch++;
    while (this.#batches[this.#batch]!.end <= index);
    this.#batchEnd = this.#batches[this.#batch]!.end;
    this.#schema = NOT_COUNTED;
    for (let i = index; i < this.#batchEnd; i++) this.#schema = Math.min(this.#schema, this.#run.schemas[i]!);
    this.#counter.begin(this.#schema);
  }

  #closeWindow(): void {
    this.#chunks.append({
      time: this.#until,
      count: this.#count,
      sum: this.#sum,
      counter: this.#counter,
      isGauge: this.#run.isGauge,
    });
    this.#count = 0;
  }

  #closeBatch(): void {
    if (this.#count > 0) this.#closeWindow();
    this.#chunks.finish();
  }
}
