import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { histogramSequence } from '../../helpers/histogram-sequences.ts';
import type { WrittenSeries } from '../../helpers/write-requests.ts';
import { roundTrip } from './round-trip.ts';
import { scriptSeries } from './script-series.ts';

const scripts = path.resolve(import.meta.dirname, '..');
const STEP_MS = 40_000;

function sequenceOf(seed: number): WrittenSeries {
  const { histograms, times } = histogramSequence(seed);
  const samples = times.map((_, row) => ({ time: row * STEP_MS, value: { columns: histograms, row } }));
  return {
    labels: [
      ['__name__', 'h'],
      ['seed', String(seed)],
    ],
    samples,
  };
}

describe('a native histogram written by remote write 2.0', () => {
  it('comes back bit by bit from the head and from a block, whatever kind it is of', async () => {
    const series = Array.from({ length: 120 }, (_, i) => sequenceOf(i + 1));
    const { histograms, differences, refused } = await roundTrip(series);
    expect({ differences, refused }).toEqual({ differences: [], refused: [] });
    expect(histograms).toBeGreaterThan(3000);
  });

  it('does so for every one of the scenario files', async () => {
    const files = readdirSync(scripts).filter((name) => name.endsWith('.promql'));
    const series = files.flatMap((name) =>
      scriptSeries(readFileSync(path.join(scripts, name), 'utf8')).map(({ labels, samples }) => ({
        labels: [...labels, ['file', name] as const],
        samples,
      })),
    );
    const { histograms, differences, refused } = await roundTrip(series);
    expect({ differences, refused }).toEqual({ differences: [], refused: [] });
    expect(histograms).toBeGreaterThan(100);
  });

  it('is missed when it does not', async () => {
    const { labels, samples } = sequenceOf(3);
    // The second sample of a time is not stored.
    const twice = [...samples.slice(0, 2), { ...samples[2]!, time: samples[1]!.time }];
    const { differences } = await roundTrip([{ labels, samples: twice }]);
    expect(differences).toEqual([
      expect.stringMatching(/^head: .* has 2 samples, not 3$/),
      expect.stringMatching(/^block: .* has 2 samples, not 3$/),
    ]);
  });
});
