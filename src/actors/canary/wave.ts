// The wave: what the canary writes. Its value is a function of series and time alone, so that whoever reads a sample, however much
// later, can tell whether it is right.

import { encodeWriteRequest } from '../../codec/proto/remote-write.ts';
import { encodeSnappy } from '../../codec/snappy.ts';

/** Metric name of every series. */
export const WAVE_NAME = 'skein_canary_sine';
const PERIOD_MS = 600_000;
/** Values are multiples of this: the last bits of Math.sin may change from one JavaScript engine to the next. */
const GRAIN: number = 2 ** -20;

/** The value of a series at a time: a sine of amplitude series + 1 and a phase of its own. */
export function waveValue(series: number, timeMs: number): number {
  const angle = 2 * Math.PI * ((timeMs % PERIOD_MS) / PERIOD_MS) + series;
  return Math.round(((series + 1) * Math.sin(angle)) / GRAIN) * GRAIN;
}

/** A PromQL selector of all series of one canary. */
export function waveSelector(canary: string): string {
  return `${WAVE_NAME}{canary=${JSON.stringify(canary)}}`;
}

/** A remote write 1.0 body, compressed: samples of series 0 to `series` - 1 at every time. */
export function waveBody(canary: string, series: number, timesMs: readonly number[]): Uint8Array {
  return encodeSnappy(
    encodeWriteRequest({
      timeseries: Array.from({ length: series }, (_, number) => ({
        labels: [
          { name: '__name__', value: WAVE_NAME },
          { name: 'canary', value: canary },
          { name: 'series', value: String(number) },
        ],
        samples: timesMs.map((timestamp) => ({ timestamp, value: waveValue(number, timestamp) })),
        exemplars: [],
        histograms: [],
      })),
      metadata: [],
    }),
  );
}
