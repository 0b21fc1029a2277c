// Indexes made from spooled series: what does not show through IndexWriter, which has one pass and uses every symbol.

import { afterAll, describe, expect, it } from 'vitest';
import { compareLabels } from '../../../src/model/labels.ts';
import { compareText } from '../../../src/model/text.ts';
import { writeIndex } from '../../../src/storage/index/index-sections.ts';
import { openIndexWriter } from '../../../src/storage/index/index-writer.ts';
import { openSeriesSpool } from '../../../src/storage/index/series-spool.ts';
import { chooseSymbols, SymbolTableBuilder } from '../../../src/storage/index/symbol-table.ts';
import { someSeries, temporaryDisk } from '../block/fixtures.ts';

const temporary = temporaryDisk();
afterAll(() => temporary.close());
const { disk } = temporary;
const pause = (): void => undefined;
const series = someSeries(200, 0)
  .map(({ labels }) => labels)
  .sort(compareLabels);
const oneChunk = { count: 1, minTimes: [0], maxTimes: [1], refs: [8] };

async function written(extraTexts: readonly string[], perPass?: number): Promise<Uint8Array> {
  const texts = [...new Set(['', ...series.flat(), ...extraTexts])].sort(compareText);
  const builder = new SymbolTableBuilder();
  for (const text of texts) builder.addText(text);
  const table = builder.finish();
  const used = new Uint8Array(texts.length);
  const spool = await openSeriesSpool(disk, 'made');
  used[0] = 1;
  for (const labels of series) {
    const ids = labels.map((text) => texts.indexOf(text));
    for (const id of ids) used[id] = 1;
    await spool.add(ids, labels.length / 2, oneChunk);
  }
  const symbols = chooseSymbols(table, used);
  await writeIndex(disk, 'made', { spool, symbols, pause, ...(perPass === undefined ? {} : { perPass }) });
  await spool.remove();
  return disk.readFile('made');
}

async function reference(): Promise<Uint8Array> {
  const writer = await openIndexWriter(disk, 'reference', pause);
  for (const labels of series) await writer.add(labels, oneChunk);
  await writer.finish();
  return disk.readFile('reference');
}

describe('index-sections', () => {
  it('leaves out symbols that no series uses', async () => {
    expect(await written(['aa', 'host-00001x', 'zzz', 'i'])).toEqual(await reference());
  });

  it('gives the same bytes however many passes the postings take', async () => {
    const one = await reference();
    for (const perPass of [1, 250, 600]) expect(await written(['unused'], perPass)).toEqual(one);
  });
});
