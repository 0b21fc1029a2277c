// Test helper: takes the frames an Ingestor made, reads them as a shard would, and says what they hold.

import type { Ingestor } from '../../../../src/actors/receiver/ingest/ingestor.ts';
import type { SealedFrame } from '../../../../src/actors/receiver/ingest/partition-writer.ts';
import type { FrameExemplar, FrameMetadata } from '../../../../src/codec/frame.ts';
import { FrameLog } from '../../../../src/codec/frame-log.ts';
import { decodeFrame } from '../../../../src/codec/frame-reader.ts';
import type { HistogramRow } from '../../../../src/model/histogram-equality.ts';
import type { Labels } from '../../../../src/model/labels.ts';

/** A stored sample; the value as 16 hex digits of its bits. */
export interface StoredSample {
  partition: number;
  labels: Labels;
  timestamp: number;
  bits: string;
  start: number;
}

/** A stored native histogram: a row of its frame's. */
export interface StoredHistogram extends HistogramRow {
  labels: Labels;
  timestamp: number;
  start: number;
}

/** The bits of a float64 as 16 hex digits. */
export function bitsOf(value: number): string {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  return view.getBigUint64(0).toString(16).padStart(16, '0');
}

/** One partition's reader: applies frames in order, fails loudly on anything a healthy log cannot hold. */
export class Replay {
  readonly samples: StoredSample[] = [];
  readonly histograms: StoredHistogram[] = [];
  readonly exemplars: (Omit<FrameExemplar, 'ref'> & { series: Labels })[] = [];
  readonly metadata: FrameMetadata[] = [];
  readonly definitions: Labels[] = [];
  undefinedRefs = 0;
  gaps = 0;
  repeats = 0;
  readonly #logs = new Map<number, FrameLog>();
  readonly #series: Labels[] = [];
  #sequence = 0;

  /** Applies one frame. */
  apply(partition: number, bytes: Uint8Array): void {
    const frame = decodeFrame(bytes);
    const log = this.#logs.get(partition) ?? new FrameLog();
    this.#logs.set(partition, log);
    const outcome = log.accept(frame, ++this.#sequence);
    if (outcome.gap !== undefined) this.gaps += outcome.gap.count;
    if (outcome.repeated) {
      this.repeats++;
      return;
    }
    for (const { ref, labels } of frame.definitions) {
      this.definitions.push(labels);
      outcome.refs.set(ref, this.#series.push(labels) - 1);
    }
    const { histograms } = frame;
    for (let row = 0; row < (histograms?.columns.count ?? 0); row++)
      this.histograms.push({
        labels: this.#series[outcome.refs.get(histograms!.refs[row]!)] ?? ['?', '?'],
        timestamp: histograms!.timestamps[row]!,
        start: histograms!.startTimestamps[row]!,
        columns: histograms!.columns,
        row,
      });
    const resolved = new Uint32Array(frame.count);
    this.undefinedRefs += outcome.refs.resolve(frame.refs, frame.count, resolved);
    for (let i = 0; i < frame.count; i++) {
      this.samples.push({
        partition,
        labels: this.#series[resolved[i]!] ?? ['?', '?'],
        timestamp: frame.timestamps[i]!,
        bits: hex(frame.bits[2 * i + 1]!) + hex(frame.bits[2 * i]!),
        start: frame.startTimestamps?.[i] ?? 0,
      });
    }
    for (const { ref, labels, timestamp, value } of frame.exemplars) {
      const series = this.#series[outcome.refs.get(ref)] ?? ['?', '?'];
      this.exemplars.push({ series, labels, timestamp, value });
    }
    this.metadata.push(...frame.metadata);
  }

  /** Takes, applies and acknowledges everything that waits. */
  drain(ingestor: Ingestor): SealedFrame[] {
    const frames: SealedFrame[] = [];
    for (const writer of ingestor.writers()) {
      for (let frame = writer.take(); frame !== undefined; frame = writer.take()) {
        this.apply(writer.partition, frame.bytes);
        writer.acknowledge(frame.serial);
        frames.push(frame);
      }
    }
    return frames;
  }
}

function hex(value: number): string {
  return value.toString(16).padStart(8, '0');
}
