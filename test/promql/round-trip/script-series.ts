// The native histograms of promqltest files as series to be written: those of each `load` by themselves, as floats, and as integers
// where they can be.

import { HistogramColumns } from '../../../src/model/histogram.ts';
import { labelsKey } from '../../../src/model/labels.ts';
import { staleMarker, type WrittenSample, type WrittenSeries } from '../../helpers/write-requests.ts';
import { type LoadCommand, parseScript } from '../script.ts';
import { asIntegers } from './round-trip.ts';

/** The series with histograms that a script loads; the n-th load's have the label load="n". */
export function scriptSeries(text: string): WrittenSeries[] {
  const loads = parseScript(text).filter((command) => command.kind === 'load');
  return loads
    .flatMap((load, index) => loadedSeries(load, index))
    .flatMap((one) => [one, asIntegers(one) ?? []].flat());
}

function loadedSeries({ series, stepMs }: LoadCommand, index: number): WrittenSeries[] {
  // Of two lines for one series in a load command the later counts.
  const loaded = [...new Map(series.map((one) => [labelsKey(one.labels), one])).values()];
  return loaded
    .filter(({ values }) => values.some(({ kind }) => kind === 'histogram'))
    .map(({ labels, values }) => {
      const pairs = Array.from(
        { length: labels.length / 2 },
        (_, i) => [labels[2 * i]!, labels[2 * i + 1]!] as const,
      );
      const named = pairs.some(([name]) => name === '__name__')
        ? pairs
        : [['__name__', 'nameless'] as const, ...pairs];
      const samples = values.flatMap((value, i): WrittenSample[] => {
        const time = i * stepMs;
        if (value.kind === 'omitted') return [];
        if (value.kind === 'stale') return [{ time, value: staleMarker() }];
        if (value.kind === 'float') return [{ time, value: value.value }];
        const columns = new HistogramColumns(1);
        return [{ time, value: { columns, row: value.histogram.store(columns) } }];
      });
      return { labels: [...named, ['load', String(index)]], samples };
    });
}
