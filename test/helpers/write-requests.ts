// Series of floats and native histograms as requests of remote write 2.0.

import type { HistogramMessage, WriteRequestV2Message } from '../../src/codec/proto/remote-write.ts';
import type { HistogramRow } from '../../src/model/histogram-equality.ts';
import { STALE_NAN_HIGH, STALE_NAN_LOW } from '../../src/model/samples.ts';
import { histogramMessage } from './histogram-messages.ts';

/** A float or a native histogram at a time in ms; `start` is its start timestamp where it has one. */
export interface WrittenSample {
  readonly time: number;
  readonly start?: number;
  readonly value: number | HistogramRow;
}

/** A series, its samples in time order. */
export interface WrittenSeries {
  readonly labels: readonly (readonly [string, string])[];
  readonly samples: readonly WrittenSample[];
}

/** A staleness marker; survives as a number until it is written. */
export function staleMarker(): number {
  return new Float64Array(new Uint32Array([STALE_NAN_LOW, STALE_NAN_HIGH]).buffer)[0]!;
}

/** Whether a number is a staleness marker. */
export function isStaleMarker(value: number): boolean {
  const [low, high] = new Uint32Array(Float64Array.of(value).buffer);
  return low === STALE_NAN_LOW && high === STALE_NAN_HIGH;
}

/** Requests of remote write 2.0, to be sent in order: where a series changes between floats and histograms the next one goes on. */
export function writeRequests(series: readonly WrittenSeries[]): WriteRequestV2Message[] {
  const parts = series.map(({ labels, samples }) => ({ labels, runs: runsOf(samples) }));
  const count = Math.max(0, ...parts.map(({ runs }) => runs.length));
  return Array.from({ length: count }, (_, index) => {
    const symbols = new Map<string, number>([['', 0]]);
    const refOf = (text: string): number => {
      if (!symbols.has(text)) symbols.set(text, symbols.size);
      return symbols.get(text)!;
    };
    const timeseries = parts
      .filter(({ runs }) => runs.length > index)
      .map(({ labels, runs }) => {
        const sorted = [...labels].sort(([a], [b]) => (a < b ? -1 : 1));
        return { labelsRefs: sorted.flat().map(refOf), exemplars: [], ...runMessage(runs[index]!) };
      });
    return { symbols: [...symbols.keys()], timeseries };
  });
}

// Staleness markers behind histograms make runs of their own: in one request with floats Prometheus stores them after these, or not at all.
function runsOf(samples: readonly WrittenSample[]): WrittenSample[][] {
  const runs: WrittenSample[][] = [];
  let kind: 'float' | 'histogram' | 'end of histograms' | undefined;
  for (const sample of samples) {
    const { value } = sample;
    const isEnd = typeof value === 'number' && isStaleMarker(value) && kind !== 'float' && kind !== undefined;
    const next = typeof value !== 'number' ? 'histogram' : isEnd ? 'end of histograms' : 'float';
    if (next === kind) runs.at(-1)!.push(sample);
    else runs.push([sample]);
    kind = next;
  }
  return runs;
}

function runMessage(
  run: readonly WrittenSample[],
): Pick<WriteRequestV2Message['timeseries'][number], 'samples' | 'histograms'> {
  const samples: { value: number; timestamp: number; startTimestamp: number }[] = [];
  const histograms: HistogramMessage[] = [];
  for (const { time, start = 0, value } of run)
    if (typeof value === 'number') samples.push({ value, timestamp: time, startTimestamp: start });
    else histograms.push(histogramMessage(value.columns, value.row, time, start));
  return { samples, histograms };
}
