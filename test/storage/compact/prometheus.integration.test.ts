// Merged blocks with the real promtool and Prometheus: they say the same of the result as of its sources.

import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ChunkSeries } from '../../../src/codec/chunk.ts';
import { createHasher } from '../../../src/codec/hash.ts';
import { encodeSamples } from '../../../src/codec/sample-chunks.ts';
import { compareLabels, labelsOf } from '../../../src/model/labels.ts';
import { histogramsOf, pushHistogram, sampleColumns } from '../../../src/model/samples.ts';
import { type BlockMeta, blockUlid } from '../../../src/storage/block/block-meta.ts';
import { writeBlock } from '../../../src/storage/block/block-writer.ts';
import { openDiskSources } from '../../../src/storage/block/open-block.ts';
import { compactBlocks } from '../../../src/storage/compact/compact-blocks.ts';
import { histogramSequence } from '../../helpers/histogram-sequences.ts';
import { describeWithServers, findBinary } from '../../helpers/servers.ts';
import { factsOf, temporaryDisk } from '../block/fixtures.ts';
import { prometheusOn } from '../block/prometheus-on.ts';

const HOUR_MS = 3_600_000;
/** Long past: 2023-11-14 22:00 UTC. */
const START_MS = 1_699_999_200_000;
const END_MS = START_MS + 4 * HOUR_MS;

function promtool(...args: string[]): string {
  return execFileSync(findBinary('promtool')!, args, { encoding: 'utf8', maxBuffer: 64 << 20 });
}

interface Given {
  readonly start: number;
  /** Which of every three scrapes the block has. */
  readonly scrapes: readonly number[];
  readonly perChunk: number;
}

/** Series that are the same whoever writes them, as far as he has the scrapes. */
function seriesOf({ start, scrapes, perChunk }: Given): ChunkSeries[] {
  const out: ChunkSeries[] = [];
  for (let s = 0; s < 40; s++) {
    const samples = sampleColumns(600);
    const { histograms } = histogramSequence(s);
    const isHistogram = s % 2 === 1;
    for (let i = 0; i < 300; i++) {
      const time = start + 20_000 * i + s;
      if (!scrapes.includes(i % 3)) continue;
      if (isHistogram) {
        histogramsOf(samples).copyRow(histograms, i % histograms.count);
        pushHistogram(samples, samples.histograms!, time);
      } else {
        samples.timestamps[samples.count] = time;
        samples.values[samples.count++] = s + ((time - START_MS) / 1000) * (s % 5);
      }
    }
    const labels = labelsOf({ __name__: isHistogram ? 'h' : `f_${s % 3}`, id: String(s), job: `j${s % 4}` });
    out.push({ labels, chunks: encodeSamples(samples, 0, samples.count, perChunk) });
  }
  return out.sort((a, b) => compareLabels(a.labels, b.labels));
}

await describeWithServers(['promtool', 'prometheus'], 'merged blocks with promtool and Prometheus', () => {
  const temporary = temporaryDisk();
  const { disk, root } = temporary;
  let metas: readonly BlockMeta[];
  const ulidOf = (salt: string): string =>
    blockUlid({ tenant: 't', partition: 0, minTime: START_MS, maxTime: END_MS, level: 1, salt });

  beforeAll(async () => {
    const given: Given[] = [
      { start: START_MS, scrapes: [0, 1], perChunk: 120 },
      { start: START_MS, scrapes: [1, 2], perChunk: 50 },
      { start: START_MS + 2 * HOUR_MS, scrapes: [0, 1, 2], perChunk: 120 },
    ];
    const names: string[] = [];
    for (const [i, one] of given.entries()) {
      const ulid = ulidOf(String(i));
      names.push(`sources/${ulid}`);
      const facts = factsOf(ulid, one.start, one.start + 2 * HOUR_MS);
      await writeBlock(disk, `sources/${ulid}`, seriesOf(one), facts);
    }
    const sources = await Promise.all(names.map((name) => openDiskSources(disk, name)));
    metas = await compactBlocks(sources, {
      disk,
      folder: 'merged',
      targets: ['a', 'b'].map((split) => ({ ulid: ulidOf(split), labels: { split } })),
      deduplication: 'one-to-one',
      hasher: await createHasher(),
      pause: () => undefined,
    });
    for (const source of sources) await source.close();
    for (const folder of ['sources', 'merged'])
      mkdirSync(path.join(root, folder, 'wal'), { recursive: true });
  });
  afterAll(() => temporary.close());

  it('promtool lists and analyzes what was merged', () => {
    const list = promtool('tsdb', 'list', path.join(root, 'merged'));
    for (const { ulid, stats } of metas) {
      expect(list).toMatch(
        new RegExp(`${ulid}\\s+${START_MS}\\s+${END_MS}\\s+4h0m0s\\s+${stats.numSamples}\\s`),
      );
      const analysis = promtool('tsdb', 'analyze', path.join(root, 'merged'), ulid);
      expect(analysis).toContain(`Total Series: ${stats.numSeries}`);
    }
    expect(metas.reduce((sum, { stats }) => sum + stats.numSeries, 0)).toBe(40);
    expect(metas.reduce((sum, { stats }) => sum + stats.numSamples, 0)).toBe(40 * 600);
  });

  it('promtool dumps the same samples as of the sources', () => {
    const dump = (folder: string): string[] =>
      promtool('tsdb', 'dump', path.join(root, folder)).trimEnd().split('\n').sort();
    const merged = dump('merged');
    expect(merged).toEqual(dump('sources'));
    // It swallows the first one or two histograms of a series, which the queries below see.
    expect(merged.filter((line) => line.includes('__name__="f_')).length).toBe(20 * 600);
  });

  it('Prometheus started on the result answers with the same numbers as on the sources', async () => {
    const queries = [
      'f_0[4h]',
      'h[4h]',
      'sum by (job) (rate({__name__=~"f_.+"}[10m]))',
      'increase(h[2h])',
      'resets(h[4h])',
      'histogram_quantile(0.9, h)',
      'count_over_time({id=~".+"}[3h])',
    ];
    const answers = async (folder: string): Promise<unknown[]> => {
      const server = await prometheusOn(path.join(root, folder));
      try {
        return await Promise.all(
          queries.map(async (query) => {
            const time = (START_MS + 3 * HOUR_MS + HOUR_MS / 2) / 1000;
            const url = `http://127.0.0.1:${server.port}/api/v1/query?query=${encodeURIComponent(query)}&time=${time}`;
            const answer = (await (await fetch(url)).json()) as { data: { result: { metric: object }[] } };
            const text = answer.data.result.map((row) => JSON.stringify(row));
            expect(text.length).toBeGreaterThan(0);
            return text.sort();
          }),
        );
      } finally {
        await server.dispose();
      }
    };
    expect(await answers('merged')).toEqual(await answers('sources'));
  });
});
