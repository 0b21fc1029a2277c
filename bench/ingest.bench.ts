// Ingest on one core: snappy, walk, recognition, frames. `node bench/ingest.bench.ts [SERIES] [PER_BODY]`.
// The naive twin decodes with protobufjs into objects and finds series in a Map by their joined labels.

import { INGEST_DEFAULTS } from '../src/actors/receiver/ingest/config.ts';
import { createIngestor } from '../src/actors/receiver/ingest/ingestor.ts';
import { createHasher } from '../src/codec/hash.ts';
import { decodeWriteRequest } from '../src/codec/proto/remote-write.ts';
import { decodeSnappy, encodeSnappy, SnappyTarget } from '../src/codec/snappy.ts';
import { seededRandom } from '../src/platform/random.ts';
import { benchBodies } from './remote-write-bodies.ts';

const SERIES = Number(process.argv[2] ?? 100_000);
const PER_BODY = Number(process.argv[3] ?? 2000);
const ROUNDS = 12;
const NOW = 1_760_000_000_000;

/** This thread's CPU time: other work on the machine disturbs it less than the wall clock. */
function cpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

function line(name: string, samples: number, ms: number): void {
  console.log(`${name.padEnd(44)} ${(samples / ms / 1000).toFixed(2).padStart(6)} M samples/s`);
}

const rounds = [0, 1, 2].map((round) =>
  benchBodies(SERIES, PER_BODY, round).map((body) => encodeSnappy(body)),
);
const ingestor = createIngestor(INGEST_DEFAULTS, { hasher: await createHasher(), random: seededRandom(1) });
const target = new SnappyTarget();
let frameBytes = 0;
let snappyMs = 0;

function ingestAll(round: number): number {
  const began = cpuMs();
  for (const block of rounds[round % 3]!) {
    const before = cpuMs();
    const length = decodeSnappy(block, target, 32 * 1024 * 1024);
    snappyMs += cpuMs() - before;
    const outcome = ingestor.ingest({
      tenant: 'default-tenant',
      protocol: 'v1',
      body: target.bytes.subarray(0, length),
      now: NOW + 15_000 * round,
      newest: () => NOW,
    });
    for (const { writer } of outcome.parts) {
      if (writer.pendingBytes < 65_536) continue;
      for (let frame = writer.take(); frame !== undefined; frame = writer.take()) {
        frameBytes += frame.bytes.length;
        writer.acknowledge(frame.serial);
      }
    }
  }
  return cpuMs() - began;
}

const cold = ingestAll(0);
line(`first sight of ${SERIES} series`, SERIES, cold);
ingestAll(1);
ingestAll(2);
frameBytes = snappyMs = 0;
let best = Number.POSITIVE_INFINITY;
let total = 0;
for (let round = 3; round < 3 + ROUNDS; round++) {
  const ms = ingestAll(round % 3 === 0 ? 3 : round);
  best = Math.min(best, ms);
  total += ms;
}
line('hot, snappy included, mean', SERIES * ROUNDS, total);
line('hot, snappy included, best round', SERIES, best);
line('hot, without snappy, mean', SERIES * ROUNDS, total - snappyMs);
console.log(`frame bytes per sample ${(frameBytes / SERIES / ROUNDS).toFixed(2)}; usage`, ingestor.usage());

const known = new Map<string, number>();
function naive(round: number): number {
  const began = cpuMs();
  for (const block of rounds[round]!.slice(0, 5)) {
    const length = decodeSnappy(block, target, 32 * 1024 * 1024);
    for (const series of decodeWriteRequest(target.bytes.subarray(0, length)).timeseries) {
      const key = series.labels.map(({ name, value }) => `${name}\xff${value}`).join('\xfe');
      if (!known.has(key)) known.set(key, known.size);
    }
  }
  return cpuMs() - began;
}
naive(0);
line('naive twin: protobufjs, Map', 5 * PER_BODY, naive(1));
