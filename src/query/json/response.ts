// The JSON of query and query_range (Prometheus web/api/v1, util/jsonutil): one string per series, the text of each step's
// timestamp made once for all series.

import { formatSampleValue } from '../../codec/float-text.ts';
import type { Annotation } from '../../model/annotations.ts';
import { type Labels, labelsToRecord } from '../../model/labels.ts';
import type { QueryResult, QueryStatistics, QueryValue } from '../result.ts';
import { type StepBatch, type StepRange, stepCount } from '../source.ts';

/** What the request asked of the answer. */
export interface ResponseOptions {
  /** Most series; 0 = all. Truncation adds a warning. */
  readonly limit: number;
  /** The `stats` parameter: '' for none. */
  readonly stats: string;
}

/** Warnings and infos shown at most; the rest is counted. */
const NOTES_MAX = 10;

/** The whole response body as pieces of text, in order. */
export function encodeQueryResponse(result: QueryResult, options: ResponseOptions): string[] {
  const out: string[] = ['{"status":"success","data":{"resultType":"', typeOf(result.value), '","result":'];
  const truncated = writeValue(result.value, options.limit, out);
  if (options.stats !== '') out.push(',"stats":', JSON.stringify(statistics(result.statistics)));
  out.push('}');
  const warnings = texts(result.annotations, 'warning');
  if (truncated) warnings.push('results truncated due to limit');
  writeNotes('warnings', warnings, out);
  writeNotes('infos', texts(result.annotations, 'info'), out);
  out.push('}');
  return out;
}

function typeOf(value: QueryValue): string {
  return value.type === 'raw-matrix' ? 'matrix' : value.type;
}

function texts(annotations: readonly Annotation[], level: Annotation['level']): string[] {
  return annotations.filter((note) => note.level === level).map((note) => note.text);
}

function writeNotes(kind: 'warnings' | 'infos', notes: readonly string[], out: string[]): void {
  if (notes.length === 0) return;
  const hidden = notes.length - NOTES_MAX;
  const shown =
    hidden > 0
      ? [
          ...notes.slice(0, NOTES_MAX),
          `${hidden} more ${kind === 'warnings' ? 'warning' : 'info'} annotations omitted`,
        ]
      : notes;
  out.push(`,"${kind}":`, JSON.stringify(shown));
}

function statistics(counted: QueryStatistics): unknown {
  return {
    timings: {
      evalTotalTime: 0,
      resultSortTime: 0,
      queryPreparationTime: 0,
      innerEvalTime: 0,
      execQueueTime: 0,
      execTotalTime: 0,
    },
    samples: { totalQueryableSamples: counted.samplesRead, peakSamples: counted.samplesPeak },
  };
}

/** Seconds with the milliseconds that are not zero: 1435781430.781, 1435781430.7, 1435781430. */
function timeText(ms: number): string {
  return String(ms / 1000);
}

// Writes the value; true when the limit cut something off.
function writeValue(value: QueryValue, limit: number, out: string[]): boolean {
  switch (value.type) {
    case 'scalar':
      out.push(`[${timeText(value.timestamp)},"${formatSampleValue(value.value)}"]`);
      return false;
    case 'string':
      out.push(`[${timeText(value.timestamp)},${JSON.stringify(value.value)}]`);
      return false;
    case 'vector':
      return writeVector(value.batch, value.timestamp, limit, out);
    case 'matrix':
      return writeMatrix(value.batch, value.range, limit, out);
    case 'raw-matrix': {
      const shown = limit > 0 ? value.series.slice(0, limit) : value.series;
      const rows = shown.map(({ labels, timestamps, values }) => {
        let samples = '';
        for (let i = 0; i < timestamps.length; i++)
          samples += `${i === 0 ? '' : ','}[${timeText(timestamps[i]!)},"${formatSampleValue(values[i]!)}"]`;
        return `{"metric":${metric(labels)},"values":[${samples}]}`;
      });
      out.push(`[${rows.join(',')}]`);
      return shown.length < value.series.length;
    }
  }
}

function metric(labels: Labels): string {
  return JSON.stringify(labelsToRecord(labels));
}

function writeVector(batch: StepBatch, timestamp: number, limit: number, out: string[]): boolean {
  const time = timeText(timestamp);
  let written = 0;
  out.push('[');
  for (let s = 0; s < batch.labels.length; s++) {
    if (batch.present[s] !== 1) continue;
    if (limit > 0 && written === limit) {
      out.push(']');
      return true;
    }
    out.push(
      `${written === 0 ? '' : ','}{"metric":${metric(batch.labels[s]!)},"value":[${time},"${formatSampleValue(batch.values[s]!)}"]}`,
    );
    written++;
  }
  out.push(']');
  return false;
}

function writeMatrix(batch: StepBatch, range: StepRange, limit: number, out: string[]): boolean {
  const steps = stepCount(range);
  const times: string[] = new Array(steps);
  for (let i = 0; i < steps; i++) times[i] = `[${timeText(range.start + i * range.step)},"`;
  let written = 0;
  out.push('[');
  for (let s = 0; s < batch.labels.length; s++) {
    const base = s * steps;
    let samples = '';
    for (let i = 0; i < steps; i++) {
      if (batch.present[base + i] !== 1) continue;
      samples += `${samples === '' ? '' : ','}${times[i]}${formatSampleValue(batch.values[base + i]!)}"]`;
    }
    if (samples === '') continue;
    if (limit > 0 && written === limit) {
      out.push(']');
      return true;
    }
    out.push(`${written === 0 ? '' : ','}{"metric":${metric(batch.labels[s]!)},"values":[${samples}]}`);
    written++;
  }
  out.push(']');
  return false;
}
