import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { INGEST_DEFAULTS, type IngestConfig } from '../../../../src/actors/receiver/ingest/config.ts';
import {
  createIngestor,
  type IngestOutcome,
  type Ingestor,
} from '../../../../src/actors/receiver/ingest/ingestor.ts';
import { createHasher } from '../../../../src/codec/hash.ts';
import { partitionOfHash, placementHash } from '../../../../src/codec/label-bytes.ts';
import { encodeWriteRequest, encodeWriteRequestV2 } from '../../../../src/codec/proto/remote-write.ts';
import { histogramsEqual } from '../../../../src/model/histogram-equality.ts';
import { labelsFrom, labelsOf } from '../../../../src/model/labels.ts';
import { seededRandom } from '../../../../src/platform/random.ts';
import { histogramMessage } from '../../../helpers/histogram-messages.ts';
import { histogramSequence } from '../../../helpers/histogram-sequences.ts';
import { bitsOf, Replay } from './replay.ts';

const hasher = await createHasher();
const NOW = 1_760_000_000_000;
const HOUR = 3_600_000;

function ingestorOf(config: Partial<IngestConfig> = {}): Ingestor {
  return createIngestor({ ...INGEST_DEFAULTS, ...config }, { hasher, random: seededRandom(7) });
}

type Pairs = [string, string][] | Record<string, string>;
interface Series {
  labels: Pairs;
  samples?: [number, number][];
  exemplars?: { labels: Record<string, string>; value: number; timestamp: number }[];
  histograms?: number;
}
interface Metadata {
  type: number;
  family: string;
  help: string;
}

const entries = (labels: Pairs): [string, string][] =>
  Array.isArray(labels) ? labels : Object.entries(labels);
const named = (pairs: [string, string][]): { name: string; value: string }[] =>
  pairs.map(([name, value]) => ({ name, value }));
const histogramsOf = (count = 0): { timestamp: number; sum: number }[] =>
  Array(count).fill({ timestamp: NOW, sum: 1 });

function v1(series: Series[], metadata: Metadata[] = []): Uint8Array {
  return encodeWriteRequest({
    timeseries: series.map(({ labels, samples = [], exemplars = [], histograms }) => ({
      labels: named(entries(labels)),
      samples: samples.map(([timestamp, value]) => ({ timestamp, value })),
      exemplars: exemplars.map((exemplar) => ({
        ...exemplar,
        labels: named(Object.entries(exemplar.labels)),
      })),
      histograms: histogramsOf(histograms),
    })),
    metadata: metadata.map(({ type, family, help }) => ({ type, metricFamilyName: family, help, unit: '' })),
  });
}

function v2(
  series: (Series & { start?: number; metadata?: { type: number; help: string; unit: string } })[],
): Uint8Array {
  const symbols = [''];
  const refOf = (text: string): number => {
    if (!symbols.includes(text)) symbols.push(text);
    return symbols.indexOf(text);
  };
  const refsOf = (labels: Pairs): number[] => entries(labels).flat().map(refOf);
  const timeseries = series.map(
    ({ labels, samples = [], exemplars = [], histograms, start = 0, metadata }) => ({
      labelsRefs: refsOf(labels),
      samples: samples.map(([timestamp, value]) => ({ timestamp, value, startTimestamp: start })),
      histograms: histogramsOf(histograms),
      exemplars: exemplars.map(({ labels, ...rest }) => ({ ...rest, labelsRefs: refsOf(labels) })),
      metadata: metadata && {
        type: metadata.type,
        helpRef: refOf(metadata.help),
        unitRef: refOf(metadata.unit),
      },
    }),
  );
  return encodeWriteRequestV2({ symbols, timeseries });
}

function send(
  ingestor: Ingestor,
  body: Uint8Array,
  { protocol = 'v1' as 'v1' | 'v2', now = NOW, newest = undefined as number | undefined, tenant = 't' } = {},
): IngestOutcome {
  return ingestor.ingest({ tenant, protocol, body, now, newest: () => newest });
}

const up = { __name__: 'up', job: 'a' };

describe('Ingestor', () => {
  it('stores every sample of a stream of requests exactly once, whatever order series come in', () => {
    const name = fc.constantFrom('up', 'down', 'sideways');
    const series = fc.record({
      labels: fc
        .tuple(
          name,
          fc.dictionary(fc.constantFrom('a', 'b', 'c', 'zone', 'A', 'ß'), fc.constantFrom('1', '2', '', 'é')),
        )
        .chain(([metric, others]) =>
          fc.shuffledSubarray(Object.entries({ ...others, __name__: metric }), {
            minLength: Object.keys(others).length + 1,
          }),
        ),
      samples: fc.array(fc.tuple(fc.integer({ min: NOW - 10_000, max: NOW }), fc.double()), {
        minLength: 1,
        maxLength: 3,
      }),
    });
    const request = fc.record({
      protocol: fc.constantFrom('v1' as const, 'v2' as const),
      series: fc.array(series, { maxLength: 12 }),
    });
    fc.assert(
      fc.property(
        fc.array(request, { maxLength: 12 }),
        fc.constantFrom(1, 4, 8),
        fc.nat(3),
        (requests, partitions, drainEvery) => {
          const ingestor = ingestorOf({ partitions, replicaLabels: ['zone'], frameBytesMax: 4000 });
          const replay = new Replay();
          requests.forEach(({ protocol, series }, i) => {
            const now = NOW + i * 60_000;
            const outcome = send(ingestor, protocol === 'v1' ? v1(series) : v2(series), { protocol, now });
            expect(outcome).toMatchObject({ status: 204, errorCount: 0 });
            expect(outcome.samples).toBe(series.reduce((sum, { samples }) => sum + samples.length, 0));
            if (i % (drainEvery + 1) === 0) replay.drain(ingestor);
          });
          replay.drain(ingestor);
          expect([replay.undefinedRefs, replay.gaps, replay.repeats]).toEqual([0, 0, 0]);
          const expected = requests.flatMap(({ series }) =>
            series.flatMap(({ labels, samples }) => {
              const sorted = labelsFrom(labels);
              const partition = partitionOfHash(placementHash(hasher, sorted, new Set(['zone'])), partitions);
              return samples.map(([timestamp, value]) => ({
                partition,
                labels: sorted,
                timestamp,
                bits: bitsOf(value),
                start: 0,
              }));
            }),
          );
          const order = (a: unknown, b: unknown): number => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);
          expect(replay.samples.sort(order)).toEqual(expected.sort(order));
        },
      ),
    );
  });

  it('defines a series once an epoch and never again while the log acknowledges', () => {
    const ingestor = ingestorOf({ partitions: 1, epochMs: 60_000 });
    const replay = new Replay();
    const body = v1([
      { labels: up, samples: [[NOW, 1]] },
      { labels: { __name__: 'b' }, samples: [[NOW, 1]] },
    ]);
    for (let i = 0; i < 12; i++) {
      send(ingestor, body, { now: NOW + i * 15_000 });
      replay.drain(ingestor);
    }
    expect(replay.definitions.length).toBe(2 * 3); // 12 requests over 180 s
    expect(replay.samples.length).toBe(24);
  });

  it('treats all spellings of a label set as one series', () => {
    const ingestor = ingestorOf({ partitions: 1 });
    const replay = new Replay();
    for (const labels of [
      [
        ['__name__', 'up'],
        ['a', '1'],
        ['b', '2'],
      ],
      [
        ['b', '2'],
        ['__name__', 'up'],
        ['a', '1'],
      ],
      [
        ['__name__', 'up'],
        ['a', '1'],
        ['b', '2'],
        ['c', ''],
      ],
    ] as [string, string][][]) {
      send(ingestor, v1([{ labels, samples: [[NOW, 1]] }]));
      replay.drain(ingestor);
    }
    expect(replay.definitions).toEqual([labelsOf({ __name__: 'up', a: '1', b: '2' })]);
    expect(replay.samples.length).toBe(3);
  });

  it('keeps the staleness marker, infinities and start timestamps', () => {
    const ingestor = ingestorOf();
    const replay = new Replay();
    const body = v2([
      {
        labels: up,
        start: NOW - 5,
        samples: [
          [NOW, Number.POSITIVE_INFINITY],
          [NOW + 1, 4.25],
        ],
      },
    ]).slice();
    const stale = Uint8Array.of(2, 0, 0, 0, 0, 0, 0xf0, 0x7f);
    body.set(stale, Buffer.from(body).indexOf(Uint8Array.of(0, 0, 0, 0, 0, 0, 0x11, 0x40)));
    send(ingestor, body, { protocol: 'v2' });
    replay.drain(ingestor);
    expect(replay.samples.map(({ bits, start }) => [bits, start])).toEqual([
      ['7ff0000000000000', NOW - 5],
      ['7ff0000000000002', NOW - 5],
    ]);
  });

  it('names the frames that carry a request, so that its answer can wait for them', () => {
    const ingestor = ingestorOf({ partitions: 1, frameBytesMax: 8000 });
    const many = Array.from({ length: 2000 }, (_, i): [number, number] => [NOW + i, i]);
    const first = send(ingestor, v1([{ labels: up, samples: [[NOW, 1]] }])).parts[0]!;
    const second = send(ingestor, v1([{ labels: up, samples: many }])).parts[0]!;
    expect([first.firstSerial, first.lastSerial]).toEqual([1, 1]);
    expect(second.firstSerial).toBe(1);
    const replay = new Replay();
    const frames = replay.drain(ingestor);
    expect(frames.at(-1)!.serial).toBe(second.lastSerial);
    expect(frames.reduce((sum, { samples }) => sum + samples, 0)).toBe(2001);
    for (const { bytes } of frames) expect(bytes.length).toBeLessThanOrEqual(8000);
    expect(second.newest).toBe(NOW + 1999);
  });

  it('answers with the last frame even when the request filled it to the brim', () => {
    for (let samples = 1; samples < 1200; samples += 37) {
      const ingestor = ingestorOf({ partitions: 1, frameBytesMax: 6000 });
      const rows = Array.from({ length: samples }, (_, i): [number, number] => [NOW + i, i]);
      const [part] = send(ingestor, v1([{ labels: up, samples: rows }])).parts;
      expect(new Replay().drain(ingestor).at(-1)!.serial).toBe(part!.lastSerial);
    }
  });
});

describe('Ingestor judging time', () => {
  it('refuses what lies more than ten minutes ahead of the clock and stores the rest', () => {
    const ingestor = ingestorOf();
    const rows: [number, number][] = [
      [NOW + 600_000, 1],
      [NOW + 600_001, 2],
    ];
    const outcome = send(ingestor, v1([{ labels: up, samples: rows }]));
    expect(outcome).toMatchObject({ status: 400, samples: 1, rejected: { tooFarInFuture: 1, tooOld: 0 } });
    expect(outcome.errors).toEqual([
      'out of bounds: timestamp is too far in the future for series {__name__="up", job="a"}',
    ]);
  });

  it('refuses what is older than the window before the newest sample of the partition, not of the clock', () => {
    const ingestor = ingestorOf();
    const newest = NOW - 50 * HOUR;
    const rows: [number, number][] = [
      [newest - HOUR - 1, 1],
      [newest - HOUR, 2],
      [newest + 5, 3],
    ];
    for (const protocol of ['v1', 'v2'] as const) {
      const body =
        protocol === 'v1' ? v1([{ labels: up, samples: rows }]) : v2([{ labels: up, samples: rows }]);
      const outcome = send(ingestor, body, { protocol, newest });
      expect(outcome).toMatchObject({ status: 400, samples: 2, rejected: { tooOld: 1 } });
      expect(outcome.errors).toEqual(['too old sample for series {__name__="up", job="a"}']);
    }
  });

  it('takes any age while nothing is known of the partition, but no time a frame cannot hold', () => {
    const outcome = send(
      ingestorOf(),
      v1([
        {
          labels: up,
          samples: [
            [1, 1],
            [-(2 ** 53) + 1, 2],
            [2 ** 53 - 1, 3],
          ],
        },
      ]),
    );
    expect(outcome).toMatchObject({ samples: 1, rejected: { tooOld: 1, tooFarInFuture: 1 } });
    expect(outcome.errors[0]).toBe('out of bounds for series {__name__="up", job="a"}');
  });

  it('lists some complaints and counts all', () => {
    const rows = Array.from({ length: 500 }, (): [number, number] => [NOW + HOUR, 1]);
    const outcome = send(ingestorOf({ errorsMax: 3 }), v1([{ labels: up, samples: rows }]));
    expect([outcome.errors.length, outcome.errorCount, outcome.parts.length]).toEqual([3, 500, 0]);
  });
});

describe('Ingestor judging labels', () => {
  const good: Series = { labels: up, samples: [[NOW, 1]] };
  const bad = (labels: Pairs): Series => ({
    labels,
    samples: [
      [NOW, 1],
      [NOW + 1, 1],
    ],
  });

  it('drops series without a metric name silently in 1.0 and refuses them in 2.0', () => {
    const nameless = [good, bad({ job: 'x' }), bad({ __name__: '', job: 'x' }), bad([])];
    expect(send(ingestorOf(), v1(nameless))).toMatchObject({
      status: 204,
      samples: 1,
      rejected: { nameless: 6, invalidLabels: 0 },
    });
    const outcome = send(ingestorOf(), v2(nameless), { protocol: 'v2' });
    expect(outcome).toMatchObject({ status: 400, samples: 1, rejected: { nameless: 0, invalidLabels: 6 } });
    expect(outcome.errors[0]).toBe('invalid metric name or labels, got {job="x"}');
  });

  it.each(['v1', 'v2'] as const)(
    'refuses duplicate names, empty names and long labels in %s, and stores the rest',
    (protocol) => {
      const series = [
        good,
        bad([
          ['__name__', 'up'],
          ['a', '1'],
          ['a', '2'],
        ]),
        bad([
          ['__name__', 'up'],
          ['', '1'],
        ]),
        bad({ __name__: 'up', a: 'x'.repeat(20_000) }),
        bad({ __name__: 'up', ['n'.repeat(2000)]: 'x' }),
        bad(
          Object.fromEntries([['__name__', 'up'], ...Array.from({ length: 128 }, (_, i) => [`l${i}`, 'x'])]),
        ),
        bad({ __name__: 'up', a: 'x'.repeat(10_000_000) }),
      ];
      const outcome = send(ingestorOf(), protocol === 'v1' ? v1(series) : v2(series), { protocol });
      expect(outcome).toMatchObject({ status: 400, samples: 1, rejected: { invalidLabels: 12 } });
      const limits = outcome.errors.map((error) => error.slice(0, 90));
      expect(limits).toEqual([
        'invalid labels for series, labels {__name__="up", a="1", a="2"}, duplicated label a',
        'invalid metric name or labels, got {="1", __name__="up"}',
        expect.stringMatching(/^value of label "a" of 20000 bytes exceeds the limit of 16384: \{/),
        expect.stringMatching(/^label name of 2000 bytes exceeds the limit of 1024: \{/),
        expect.stringMatching(/^series has 129 labels, the limit is 128: \{/),
        expect.stringMatching(/^labels of 100000\d\d bytes exceed the limit of 65536 bytes$/),
      ]);
      for (const error of outcome.errors) expect(error.length).toBeLessThan(600);
    },
  );

  it('refuses malformed UTF-8', () => {
    const body = v1([{ labels: { __name__: 'up', a: 'XY' }, samples: [[NOW, 1]] }, good]).slice();
    body.set([0xc3, 0x28], Buffer.from(body).indexOf('XY'));
    expect(send(ingestorOf(), body)).toMatchObject({
      status: 400,
      samples: 1,
      rejected: { invalidLabels: 1 },
    });
  });

  it('accepts names of any UTF-8', () => {
    const ingestor = ingestorOf();
    expect(send(ingestor, v1([bad({ __name__: 'größe.cpu', 'k8s.pod/name': 'ü' })]))).toMatchObject({
      status: 204,
      samples: 2,
    });
  });

  it('refuses a 2.0 series with neither samples nor histograms', () => {
    const outcome = send(ingestorOf(), v2([{ labels: up }, good]), { protocol: 'v2' });
    expect(outcome).toMatchObject({ status: 400, samples: 1 });
    expect(outcome.errors).toEqual([
      'TimeSeries must contain at least one sample or histogram for series {__name__="up", job="a"}',
    ]);
    expect(send(ingestorOf(), v1([{ labels: up }])).status).toBe(204);
  });
});

describe('Ingestor and what travels beside samples', () => {
  it('brings native histograms to the log as they were sent, with hints and start timestamps', () => {
    for (let seed = 0; seed < 120; seed++) {
      const { histograms, times, starts } = histogramSequence(seed);
      const ingestor = ingestorOf({ frameBytesMax: seed % 2 === 0 ? 4000 : 256 * 1024 });
      const body = encodeWriteRequestV2({
        symbols: ['', '__name__', 'h'],
        timeseries: [
          {
            labelsRefs: [1, 2],
            samples: [],
            exemplars: [],
            histograms: times.map((time, i) => histogramMessage(histograms, i, time, starts[i])),
          },
        ],
      });
      const outcome = send(ingestor, body, { protocol: 'v2', now: 2 ** 45 });
      expect(outcome.errors).toEqual([]);
      expect(outcome).toMatchObject({ status: 204, samples: 0, histograms: times.length });
      const replay = new Replay();
      replay.drain(ingestor);
      expect(replay.histograms.map(({ timestamp, start }) => [timestamp, start])).toEqual(
        times.map((time, i) => [time, starts[i]]),
      );
      for (const [i, { labels, columns, row }] of replay.histograms.entries()) {
        expect(labels).toEqual(['__name__', 'h']);
        expect(columns.hints[row]).toBe(histograms.hints[i]);
        expect(histogramsEqual({ columns, row }, { columns: histograms, row: i })).toBe(true);
      }
    }
  });

  it('stores the rest of a request with native histograms that make no sense, and says 400', () => {
    const bad = { timestamp: NOW, sum: 1, countInt: 5 };
    const body = encodeWriteRequest({
      timeseries: [
        {
          labels: named(entries(up)),
          samples: [{ timestamp: NOW, value: 1 }],
          exemplars: [],
          histograms: [bad],
        },
      ],
      metadata: [],
    });
    const outcome = send(ingestorOf(), body);
    expect(outcome).toMatchObject({ status: 400, samples: 1, histograms: 0, rejected: { histograms: 1 } });
    expect(outcome.errors).toEqual([
      '0 observations found in buckets, but the Count field is 5: histogram\'s observation count should equal the number of observations found in the buckets (in absence of NaN) for series {__name__="up", job="a"}',
    ]);
  });

  it('refuses native histograms that are too old or too far in the future', () => {
    const at = (timestamp: number) => ({ timestamp, sum: 0 });
    const body = encodeWriteRequest({
      timeseries: [
        {
          labels: named(entries(up)),
          samples: [],
          exemplars: [],
          histograms: [at(NOW), at(NOW - 2 * HOUR), at(NOW + HOUR)],
        },
      ],
      metadata: [],
    });
    const outcome = send(ingestorOf(), body, { newest: NOW });
    expect(outcome).toMatchObject({ status: 400, histograms: 1, rejected: { tooOld: 1, tooFarInFuture: 1 } });
  });

  it('passes exemplars on, sorted, and drops the unacceptable ones without an error', () => {
    const exemplar = (labels: Record<string, string>, timestamp = NOW) => ({ labels, value: 2, timestamp });
    for (const protocol of ['v1', 'v2'] as const) {
      const series = [
        {
          labels: up,
          samples: [[NOW, 1] as [number, number]],
          exemplars: [
            exemplar({ trace_id: 'é'.repeat(50), a: 'b' }),
            exemplar({ trace_id: 'x'.repeat(200) }),
            exemplar({}, NOW + HOUR),
          ],
        },
      ];
      const ingestor = ingestorOf();
      const outcome = send(ingestor, protocol === 'v1' ? v1(series) : v2(series), { protocol });
      expect(outcome).toMatchObject({ status: 204, exemplars: 1, rejected: { exemplars: 2 } });
      const replay = new Replay();
      replay.drain(ingestor);
      expect(replay.exemplars).toEqual([
        { series: labelsOf(up), labels: ['a', 'b', 'trace_id', 'é'.repeat(50)], value: 2, timestamp: NOW },
      ]);
    }
  });

  it('passes metadata on when it is new, changed, or an epoch has gone by', () => {
    const ingestor = ingestorOf({ epochMs: 60_000 });
    const replay = new Replay();
    const say = (help: string, now = NOW): number => {
      send(ingestor, v1([], [{ type: 1, family: 'up', help }]), { now });
      replay.drain(ingestor);
      return replay.metadata.length;
    };
    expect([say('x'), say('x'), say('y'), say('y'), say('y', NOW + 60_001)]).toEqual([1, 1, 2, 2, 3]);
    expect(replay.metadata[0]).toEqual({ family: 'up', type: 'counter', help: 'x', unit: '' });
    ingestor.forgetMetadata('t');
    expect(say('y', NOW + 60_002)).toBe(4);
  });

  it("takes a 2.0 series' metadata under the name of its family", () => {
    const ingestor = ingestorOf();
    const replay = new Replay();
    const metadata = { type: 3, help: 'Latency.', unit: 'seconds' };
    const body = v2(
      ['h_bucket', 'h_sum', 'h_count'].map((name) => ({
        labels: { __name__: name },
        samples: [[NOW, 1]],
        metadata,
      })),
    );
    send(ingestor, body, { protocol: 'v2' });
    send(ingestor, body, { protocol: 'v2' });
    replay.drain(ingestor);
    expect(replay.metadata).toEqual([{ family: 'h', type: 'histogram', help: 'Latency.', unit: 'seconds' }]);
  });
});

describe('Ingestor keeping its state', () => {
  it('appends nothing of a body that does not parse, wherever it breaks', () => {
    const series = Array.from({ length: 5 }, (_, i) => ({
      labels: { __name__: `m${i}` },
      samples: [[NOW, i] as [number, number]],
    }));
    for (const protocol of ['v1', 'v2'] as const) {
      const body = protocol === 'v1' ? v1(series) : v2(series);
      const ingestor = ingestorOf({ partitions: 1 });
      let parsed = 0;
      for (let cut = 0; cut < body.length; cut++) {
        try {
          parsed += send(ingestor, body.slice(0, cut), { protocol }).samples;
        } catch (error) {
          expect(error).toMatchObject({ code: 'bad_data' });
        }
      }
      const replay = new Replay();
      replay.drain(ingestor);
      expect(replay.samples.length).toBe(parsed); // prefixes that end between two fields are requests of their own
      expect(send(ingestor, body, { protocol }).samples).toBe(5);
    }
  });

  it('keeps tenants apart and limits how many there are', () => {
    const ingestor = ingestorOf({ partitions: 1, tenantsMax: 2 });
    for (const tenant of ['a', 'b']) send(ingestor, v1([{ labels: up, samples: [[NOW, 1]] }]), { tenant });
    expect(ingestor.writer('a', 0)).not.toBe(ingestor.writer('b', 0));
    expect(() => send(ingestor, v1([]), { tenant: 'c' })).toThrow(/2 tenants are active/);
    new Replay().drain(ingestor);
    ingestor.sweep(NOW + 16 * 60_000);
    expect(ingestor.usage()).toEqual({ tenants: 0, series: 0, bytes: 0 });
  });

  it('forgets series that were not seen and goes on without a break for the others', () => {
    const ingestor = ingestorOf({ partitions: 2, seriesIdleMs: 60_000, epochMs: HOUR });
    const replay = new Replay();
    const series = (count: number, step: number): Series[] =>
      Array.from({ length: count }, (_, i) => ({
        labels: { __name__: 'm', i: String(i * step) },
        samples: [[NOW, i * step]],
      }));
    send(ingestor, v1(series(1000, 1)));
    replay.drain(ingestor);
    send(ingestor, v1(series(100, 10)), { now: NOW + 50_000 });
    ingestor.sweep(NOW + 80_000);
    expect(ingestor.usage().series).toBe(100);
    replay.drain(ingestor);
    const before = replay.definitions.length;
    for (let round = 0; round < 3; round++)
      send(ingestor, v1(series(100, 10)), { now: NOW + 90_000 + round });
    send(ingestor, v1(series(1000, 1)), { now: NOW + 95_000 });
    replay.drain(ingestor);
    expect(replay.definitions.length - before).toBe(900);
    expect(replay.undefinedRefs).toBe(0);
    for (const { labels, bits } of replay.samples) expect(bits).toBe(bitsOf(Number(labels[3])));
  });

  it('starts recognition anew when it has grown past its memory, losing nothing', () => {
    const ingestor = ingestorOf({ partitions: 1, seriesBytesMax: 200_000 });
    const replay = new Replay();
    for (let round = 0; round < 20; round++) {
      const series = Array.from({ length: 200 }, (_, i) => ({
        labels: { __name__: 'm', id: `${round}-${i}-${'x'.repeat(100)}` },
        samples: [[NOW, i] as [number, number]],
      }));
      send(ingestor, v1(series), { now: NOW + round });
      replay.drain(ingestor);
      expect(ingestor.usage().bytes).toBeLessThan(500_000);
    }
    expect([replay.samples.length, replay.undefinedRefs]).toEqual([4000, 0]);
  });
});
