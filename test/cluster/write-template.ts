// Bodies of a heavy load: one scrape of a lane is encoded once, by the slow and plain encoders; every further scrape only puts other
// times and values into the same bytes.

import { compressSync } from 'snappy';
import { encodeWriteRequest, encodeWriteRequestV2 } from '../../src/codec/proto/remote-write.ts';

/** The bodies of a lane's scrapes: series i has the value `first + i` at `time` (ms). Snappy, owned by the caller. */
export type ScrapeBody = (time: number, first: number) => Uint8Array;

type LabelPairs = readonly (readonly [name: string, value: string])[];

// Any time of this century takes six bytes as a varint.
const TIME = Date.UTC(2026, 0);
const TIME_BYTES = 6;
const VALUE_BYTES = 8;
const TAG_BYTES = 1;

/** Makes the bodies of these series, in remote write 1.0 or 2.0; labels are sorted by name. */
export function scrapeBody(version: 'v1' | 'v2', series: readonly LabelPairs[]): ScrapeBody {
  const bytes = Buffer.from(version === 'v1' ? encodedV1(series) : encodedV2(series));
  const places: number[] = [];
  const pattern = Buffer.alloc(VALUE_BYTES);
  let from = 0;
  for (let i = 0; i < series.length; i++) {
    pattern.writeDoubleLE(marker(i));
    from = bytes.indexOf(pattern, from);
    if (from < 0) throw new Error(`the sample of series ${i} is not where it should be`);
    places.push(from);
    from += VALUE_BYTES;
  }
  const timeBytes = Buffer.alloc(TIME_BYTES);
  return (time, first) => {
    writeVarint(timeBytes, time);
    for (let i = 0; i < places.length; i++) {
      bytes.writeDoubleLE(first + i, places[i]!);
      timeBytes.copy(bytes, places[i]! + VALUE_BYTES + TAG_BYTES);
    }
    return compressSync(bytes);
  };
}

// A value whose bytes stand nowhere else in the body.
const marker = (i: number): number => -Math.PI * (i + 1);

function encodedV1(series: readonly LabelPairs[]): Uint8Array {
  const timeseries = series.map((labels, i) => ({
    labels: labels.map(([name, value]) => ({ name, value })),
    samples: [{ value: marker(i), timestamp: TIME }],
    exemplars: [],
    histograms: [],
  }));
  return encodeWriteRequest({ timeseries, metadata: [] });
}

function encodedV2(series: readonly LabelPairs[]): Uint8Array {
  const symbols = [''];
  const known = new Map<string, number>();
  const ref = (text: string): number => {
    const found = known.get(text) ?? symbols.push(text) - 1;
    known.set(text, found);
    return found;
  };
  const timeseries = series.map((labels, i) => ({
    labelsRefs: labels.flatMap(([name, value]) => [ref(name), ref(value)]),
    samples: [{ value: marker(i), timestamp: TIME, startTimestamp: 0 }],
    histograms: [],
    exemplars: [],
  }));
  return encodeWriteRequestV2({ symbols, timeseries });
}

function writeVarint(target: Buffer, value: number): void {
  let rest = value;
  for (let i = 0; i < TIME_BYTES; i++) {
    target[i] = (rest % 128) + (i < TIME_BYTES - 1 ? 128 : 0);
    rest = Math.floor(rest / 128);
  }
}
