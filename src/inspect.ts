// `skein inspect`: the bytes of frames, of a partition's local log and of blocks, for people to read. Only reads.

import path from 'node:path';
import { segmentFirst } from './bus/local/segment.ts';
import { decodeSegmentHeader, parseRecords, segmentHeaderBytes } from './bus/local/wal-record.ts';
import type { DecodedFrame } from './codec/frame.ts';
import { decodeFrame } from './codec/frame-reader.ts';
import { histogramText } from './codec/histogram-text.ts';
import { DomainError, errorText } from './model/errors.ts';
import { labelsText } from './model/labels.ts';
import { realDisk } from './platform/disk.ts';
import { decodeBlockMeta, META_FILE } from './storage/block/block-meta.ts';

type Print = (line: string) => void;

/** Prints what is in a file or folder. Kinds: frame, wal, block; anything else is a `config` error that says so. */
export async function inspect(kind: string, target: string, print: Print): Promise<void> {
  if (kind === 'frame') printFrame(decodeFrame(await readFile(target)), print, true);
  else if (kind === 'wal') await inspectLog(target, print);
  else if (kind === 'block') await inspectBlock(target, print);
  else
    throw new DomainError(
      'config',
      `cannot inspect "${kind}": choose frame (a file), wal (a partition folder of the log) or block (a block folder)`,
    );
}

function readFile(file: string): Promise<Uint8Array> {
  return realDisk(path.dirname(path.resolve(file))).readFile(path.basename(file));
}

async function inspectLog(folder: string, print: Print): Promise<void> {
  const disk = realDisk(path.resolve(folder));
  let segments = 0;
  for (const entry of await disk.list('')) {
    if (segmentFirst(entry.name) === undefined) continue;
    segments++;
    const bytes = await disk.readFile(entry.name);
    const header = decodeSegmentHeader(bytes.subarray(0, segmentHeaderBytes), entry.name);
    print(
      `segment ${entry.name}: from message ${header.first}, ${bytes.length} bytes, made ${new Date(header.createdMs).toISOString()}`,
    );
    const parsed = parseRecords(bytes.subarray(segmentHeaderBytes), header.first, header.seed);
    for (const message of parsed.messages) {
      try {
        printFrame(decodeFrame(message.payload), (line) => print(`  ${message.sequence}: ${line}`), false);
      } catch (error) {
        print(`  ${message.sequence}: not a frame: ${errorText(error)}`);
      }
    }
    if (parsed.damage)
      print(`  damage at byte ${segmentHeaderBytes + parsed.damage.offset}: ${parsed.damage.reason}`);
  }
  if (segments === 0) throw new DomainError('not_found', `cannot inspect ${folder}: it has no log segments`);
}

function printFrame(frame: DecodedFrame, print: Print, whole: boolean): void {
  const writer = Buffer.from(frame.writer).toString('hex');
  print(
    `tenant ${frame.tenant} writer ${writer} epoch ${frame.epoch} counter ${frame.counter} settled ${frame.settled}: ${frame.count} samples, ${frame.histograms?.columns.count ?? 0} histograms, ${frame.definitions.length} definitions, ${frame.exemplars.length} exemplars, ${frame.metadata.length} metadata`,
  );
  if (!whole) return;
  for (const { ref, labels } of frame.definitions) print(`define ${ref} ${labelsText(labels)}`);
  for (let i = 0; i < frame.count; i++)
    print(`sample ${frame.refs[i]} ${frame.timestamps[i]} ${frame.values[i]}`);
  printHistograms(frame.histograms, print);
  for (const { ref, timestamp, value, labels } of frame.exemplars)
    print(`exemplar ${ref} ${timestamp} ${value} ${labelsText(labels)}`);
  for (const { family, type, help } of frame.metadata)
    print(`metadata ${family} ${type} ${JSON.stringify(help)}`);
}

function printHistograms(histograms: DecodedFrame['histograms'], print: Print): void {
  if (histograms === undefined) return;
  const { columns, refs, timestamps } = histograms;
  for (const [row, ref] of refs.entries())
    print(`histogram ${ref} ${timestamps[row]} ${histogramText({ columns, row })}`);
}

async function inspectBlock(folder: string, print: Print): Promise<void> {
  const disk = realDisk(path.resolve(folder));
  const meta = decodeBlockMeta(await disk.readFile(META_FILE), path.join(folder, META_FILE));
  const { stats, thanos, compaction } = meta;
  print(`block ${meta.ulid}`);
  print(`from ${new Date(meta.minTime).toISOString()} to ${new Date(meta.maxTime).toISOString()}`);
  print(
    `${stats.numSeries} series, ${stats.numSamples} samples, ${stats.numChunks} chunks, ${stats.numTombstones} tombstones`,
  );
  print(`compaction level ${compaction.level}, sources ${compaction.sources.join(' ')}`);
  if (thanos) {
    print(
      `labels ${JSON.stringify(thanos.labels)} resolution ${thanos.resolutionMs} ms source ${thanos.source}`,
    );
    if (thanos.extensions) print(`extensions ${JSON.stringify(thanos.extensions)}`);
    for (const file of thanos.files) print(`file ${file.relPath} ${file.sizeBytes ?? '?'} bytes`);
  }
}
