// npm run roundtrip -- DIR
// Writes every native histogram of a folder's promqltest files by remote write 2.0 and reads it again, from the head and from a block; any
// bit that is not the same makes the run fail.

import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { roundTrip } from './round-trip.ts';
import { scriptSeries } from './script-series.ts';

async function main(): Promise<number> {
  const [folder] = process.argv.slice(2);
  if (folder === undefined) {
    console.error('usage: npm run roundtrip -- DIR');
    return 2;
  }
  const files = readdirSync(folder).filter((name) => /\.(?:test|promql)$/.test(name));
  let [total, bad] = [0, 0];
  for (const name of files.sort()) {
    const series = scriptSeries(readFileSync(path.join(folder, name), 'utf8'));
    if (series.length === 0) continue;
    const { histograms, differences, refused } = await roundTrip(series);
    console.log(
      `${name}: ${series.length} series, ${histograms} histograms, ${differences.length} differences`,
    );
    for (const text of new Set(refused)) console.log(`  refused: ${text}`);
    for (const text of differences) console.log(`  ${text}`);
    total += histograms;
    bad += differences.length;
  }
  console.log(`${total} histograms, ${bad} differences`);
  return bad === 0 && total > 0 ? 0 : 1;
}

process.exitCode = await main();
