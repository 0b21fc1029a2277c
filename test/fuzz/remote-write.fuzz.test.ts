// Whatever arrives, the way in throws nothing but a DomainError and stays within its memory.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { INGEST_DEFAULTS } from '../../src/actors/receiver/ingest/config.ts';
import { createIngestor, type WriteProtocol } from '../../src/actors/receiver/ingest/ingestor.ts';
import { createHasher } from '../../src/codec/hash.ts';
import {
  decodeWriteRequest,
  encodeWriteRequest,
  encodeWriteRequestV2,
} from '../../src/codec/proto/remote-write.ts';
import { decodeSnappy, encodeSnappy, SnappyTarget } from '../../src/codec/snappy.ts';
import { DomainError } from '../../src/model/errors.ts';
import { seededRandom } from '../../src/platform/random.ts';
import { Replay } from '../actors/receiver/ingest/replay.ts';
import { requestsV1, requestsV2 } from '../codec/remote-write/requests.ts';

const hasher = await createHasher();
const ingestor = createIngestor(
  { ...INGEST_DEFAULTS, partitions: 4, seriesBytesMax: 4_000_000 },
  { hasher, random: seededRandom(5) },
);
const target = new SnappyTarget();
const RUNS = { numRuns: 1500 };

/** Ingests and reads back; returns the samples stored, or undefined for a refused body. */
function feed(body: Uint8Array, protocol: WriteProtocol): number | undefined {
  // Bytes beyond the body, as a reused buffer has them: reading them would show.
  const padded = new Uint8Array(body.length + 64).fill(0x0a);
  padded.set(body);
  let outcome: { samples: number } | undefined;
  try {
    const now = 1_700_000_100_000;
    outcome = ingestor.ingest({
      tenant: 'f',
      protocol,
      body: padded.subarray(0, body.length),
      now,
      newest: () => undefined,
    });
  } catch (error) {
    expect(error).toBeInstanceOf(DomainError);
  }
  const replay = new Replay();
  replay.drain(ingestor);
  expect(replay.samples.length).toBe(outcome?.samples ?? 0);
  expect(ingestor.usage().bytes).toBeLessThan(16_000_000);
  return outcome?.samples;
}

const bodies = fc.oneof(
  requestsV1.map((message) => ({ protocol: 'v1' as const, body: encodeWriteRequest(message) })),
  requestsV2.map((message) => ({ protocol: 'v2' as const, body: encodeWriteRequestV2(message) })),
);
const damage = fc.array(fc.tuple(fc.nat(), fc.nat(255), fc.constantFrom('set', 'insert', 'delete')), {
  minLength: 1,
  maxLength: 4,
});

function damaged(body: Uint8Array, changes: [number, number, string][]): Uint8Array {
  const bytes = [...body];
  for (const [at, byte, how] of changes) {
    const i = at % (bytes.length + 1);
    bytes.splice(i, how === 'insert' ? 0 : 1, ...(how === 'delete' ? [] : [byte]));
  }
  return Uint8Array.from(bytes);
}

describe('remote write under fuzz', () => {
  it('survives random bytes', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.constantFrom('v1' as const, 'v2' as const),
        (body, protocol) => {
          feed(body, protocol);
        },
      ),
      RUNS,
    );
  });

  it('survives requests with bytes changed, inserted and lost', () => {
    fc.assert(
      fc.property(bodies, damage, ({ protocol, body }, changes) => {
        feed(damaged(body, changes), protocol);
      }),
      RUNS,
    );
  });

  it('survives requests cut at every byte', () => {
    fc.assert(
      fc.property(bodies, ({ protocol, body }) => {
        for (let cut = 0; cut <= body.length; cut++) feed(body.slice(0, cut), protocol);
      }),
      { numRuns: 15 },
    );
  });

  it('refuses every damaged 1.0 body that protobufjs refuses', () => {
    const v1 = requestsV1.map((message) => encodeWriteRequest(message));
    fc.assert(
      fc.property(v1, fc.nat(), (body, at) => {
        const cut = body.slice(0, body.length === 0 ? 0 : at % body.length);
        let parses = true;
        try {
          decodeWriteRequest(cut);
        } catch {
          parses = false;
        }
        if (!parses) expect(feed(cut, 'v1')).toBeUndefined();
      }),
      RUNS,
    );
  });

  it('survives damaged snappy', () => {
    fc.assert(
      fc.property(bodies, damage, ({ body }, changes) => {
        try {
          const length = decodeSnappy(damaged(encodeSnappy(body), changes), target, 1_000_000);
          expect(length).toBeLessThanOrEqual(1_000_000);
        } catch (error) {
          expect(error).toBeInstanceOf(DomainError);
        }
      }),
      RUNS,
    );
    expect(target.bytes.length).toBeLessThan(1_200_000);
  });
});
