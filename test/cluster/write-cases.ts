// Writes that are sent to Skein and to a real Prometheus alike: content types, encodings, broken bodies, odd and bad data.

import { compressSync } from 'snappy';
import {
  encodeWriteRequest,
  encodeWriteRequestV2,
  type WriteRequestMessage,
  type WriteRequestV2Message,
} from '../../src/codec/proto/remote-write.ts';

/** A write to both servers. */
export interface WriteCase {
  readonly title: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  /** `status` where the text is the library's own and not worth copying. */
  readonly compare?: 'all' | 'status';
  /** Where Skein's status is another on purpose: Prometheus's, then Skein's. */
  readonly statuses?: readonly [theirs: number, ours: number];
}

export const V1 = 'application/x-protobuf;proto=prometheus.WriteRequest';
export const V2 = 'application/x-protobuf;proto=io.prometheus.write.v2.Request';

type SeriesV1 = WriteRequestMessage['timeseries'][number];
type SeriesV2 = WriteRequestV2Message['timeseries'][number];

/** A series of remote write 1.0. */
export function series(
  labels: readonly (readonly [string, string])[],
  samples: readonly (readonly [timestamp: number, value: number])[],
  more: Partial<SeriesV1> = {},
): SeriesV1 {
  return {
    labels: labels.map(([name, value]) => ({ name, value })),
    samples: samples.map(([timestamp, value]) => ({ timestamp, value })),
    exemplars: [],
    histograms: [],
    ...more,
  };
}

/** A remote write 1.0 body. */
export function bodyV1(...timeseries: SeriesV1[]): Uint8Array {
  return compressSync(encodeWriteRequest({ timeseries, metadata: [] }));
}

/** A remote write 2.0 body; refs count from 1, symbol 0 is ''. */
export function bodyV2(symbols: readonly string[], ...timeseries: SeriesV2[]): Uint8Array {
  return compressSync(encodeWriteRequestV2({ symbols: ['', ...symbols], timeseries }));
}

function seriesV2(labelsRefs: readonly number[], more: Partial<SeriesV2> = {}): SeriesV2 {
  return { labelsRefs, samples: [], histograms: [], exemplars: [], ...more };
}

/** The headers of an ordinary sender. */
export function writeHeaders(contentType: string): Record<string, string> {
  return { 'content-type': contentType, 'content-encoding': 'snappy' };
}

// Prometheus drops series with bad labels in remote write 1.0 and says nothing; Skein stores the others and says 400.
const SAID: readonly [number, number] = [204, 400];
// Prometheus reads the old sample before it answers; Skein's receiver has only the log. Nothing is overwritten in either.
const SECOND: readonly [number, number] = [400, 204];

/** All writes; times in ms around `now`. */
export function writeCases(now: number): WriteCase[] {
  const good = bodyV1(series([['__name__', 'good']], [[now, 1]]));
  const cases: WriteCase[] = [];
  for (const contentType of [
    '',
    'application/x-protobuf',
    V1,
    'application/x-protobuf; proto=prometheus.WriteRequest',
    'application/x-protobuf;proto=nothing',
    'application/x-protobuf;proto',
    'application/x-protobuf;charset=utf-8',
    'application/x-protobuf;proto=prometheus.WriteRequest;a=b',
    'application/json',
    'text/plain',
  ])
    cases.push({
      title: `content type "${contentType}"`,
      headers: {
        ...(contentType === '' ? {} : { 'content-type': contentType }),
        'content-encoding': 'snappy',
      },
      body: good,
    });
  for (const encoding of ['', 'snappy', 'gzip', 'zstd', 'identity', 'snappy, gzip'])
    for (const type of [V1, V2])
      cases.push({
        title: `encoding "${encoding}" of ${type}`,
        headers: { 'content-type': type, ...(encoding === '' ? {} : { 'content-encoding': encoding }) },
        body:
          type === V1
            ? good
            : bodyV2(
                ['__name__', 'good'],
                seriesV2([1, 2], { samples: [{ timestamp: now, value: 1, startTimestamp: 0 }] }),
              ),
      });
  const v1 = (title: string, body: Uint8Array, compare: WriteCase['compare'] | typeof SAID = 'all'): void =>
    void cases.push({
      title: `1.0: ${title}`,
      headers: writeHeaders(V1),
      body,
      ...(typeof compare === 'object' ? { statuses: compare } : { compare }),
    });
  const v2 = (title: string, body: Uint8Array, compare: WriteCase['compare'] = 'all'): void =>
    void cases.push({ title: `2.0: ${title}`, headers: writeHeaders(V2), body, compare });
  for (const [title, write] of [
    ['1.0', v1],
    ['2.0', v2],
  ] as const) {
    write(`${title} nothing at all`, new Uint8Array(0), 'status');
    write('an empty message', compressSync(new Uint8Array(0)));
    write('truncated snappy', good.subarray(0, good.length - 4), 'status');
    write('no snappy', Buffer.from('hello'), 'status');
    write('a claim of 4 GB', Buffer.from('ffffffff0f00', 'hex'), 'status');
    write('no protobuf', compressSync(Buffer.from('hello, this is no protobuf')), 'status');
    write('a length past the end', compressSync(Buffer.from('0aff01', 'hex')), 'status');
  }
  const name: [string, string] = ['__name__', 'm'];
  v1('a good sample', bodyV1(series([name], [[now, 1]])));
  v1('the same sample again', bodyV1(series([name], [[now, 1]])));
  v1(
    'NaN, infinities, -0',
    bodyV1(
      series(
        [['__name__', 'odd']],
        [
          [now, Number.NaN],
          [now + 1, Infinity],
          [now + 2, -Infinity],
          [now + 3, -0],
        ],
      ),
    ),
  );
  v1('duplicate label names', bodyV1(series([name, ['a', '1'], ['a', '2']], [[now, 1]])), SAID);
  v1('unsorted labels', bodyV1(series([['z', '1'], name, ['b', '2']], [[now, 1]])));
  v1('no metric name', bodyV1(series([['a', '1']], [[now, 1]])));
  v1('an empty label name', bodyV1(series([name, ['', '1']], [[now, 1]])), SAID);
  v1('an empty label value', bodyV1(series([name, ['a', '']], [[now, 2]])), SECOND);
  v1('a UTF-8 label name', bodyV1(series([name, ['ä.b', '1']], [[now, 1]])));
  v1(
    'invalid UTF-8',
    compressSync(Buffer.from('0a1c0a0d0a085f5f6e616d655f5f1201ff120b09000000000000f03f1001', 'hex')),
    SAID,
  );
  v1('too far in the future', bodyV1(series([name], [[now + 20 * 60_000, 1]])), 'status');
  v1('too old', bodyV1(series([name], [[now - 3 * 3_600_000, 1]])), 'status');
  v1('a little in the future', bodyV1(series([['__name__', 'f']], [[now + 5 * 60_000, 1]])));
  v1('a series without samples', bodyV1(series([name], [])));
  v1(
    'an exemplar that is too long',
    bodyV1(
      series([['__name__', 'ex']], [[now, 1]], {
        exemplars: [{ labels: [{ name: 'a', value: 'x'.repeat(200) }], value: 1, timestamp: now }],
      }),
    ),
  );
  v1(
    'an exemplar',
    bodyV1(
      series([['__name__', 'ex2']], [[now, 1]], {
        exemplars: [{ labels: [{ name: 'a', value: 'x' }], value: 1, timestamp: now }],
      }),
    ),
  );
  v1(
    'good and bad together',
    bodyV1(
      series([['__name__', 'm2']], [[now, 1]]),
      series(
        [
          ['__name__', 'm2'],
          ['a', '1'],
          ['a', '1'],
        ],
        [[now, 1]],
      ),
    ),
    SAID,
  );
  const sample = { timestamp: now, value: 1, startTimestamp: 0 };
  v2('a good sample', bodyV2(['__name__', 'n'], seriesV2([1, 2], { samples: [sample] })));
  v2(
    'two samples and an exemplar',
    bodyV2(
      ['__name__', 'n2', 'trace', 'x'],
      seriesV2([1, 2], {
        samples: [sample, { ...sample, timestamp: now + 1 }],
        exemplars: [{ labelsRefs: [3, 4], value: 1, timestamp: now }],
      }),
    ),
  );
  v2(
    'metadata',
    bodyV2(
      ['__name__', 'n3', 'Help.', 'seconds'],
      seriesV2([1, 2], { samples: [sample], metadata: { type: 1, helpRef: 3, unitRef: 4 } }),
    ),
  );
  v2('no samples', bodyV2(['__name__', 'n'], seriesV2([1, 2])));
  v2('no metric name', bodyV2(['a', 'n'], seriesV2([1, 2], { samples: [sample] })));
  v2(
    'a symbol that is not there',
    bodyV2(['__name__', 'n'], seriesV2([1, 9], { samples: [sample] })),
    'status',
  );
  v2(
    'an odd number of refs',
    bodyV2(['__name__', 'n'], seriesV2([1, 2, 1], { samples: [sample] })),
    'status',
  );
  v2(
    'duplicate label names',
    bodyV2(['__name__', 'n', 'a'], seriesV2([1, 2, 3, 2, 3, 2], { samples: [sample] })),
  );
  v2(
    'too far in the future',
    bodyV2(['__name__', 'n'], seriesV2([1, 2], { samples: [{ ...sample, timestamp: now + 20 * 60_000 }] })),
    'status',
  );
  v2(
    'good and bad together',
    bodyV2(
      ['__name__', 'n4', 'a'],
      seriesV2([1, 2], { samples: [sample] }),
      seriesV2([1, 2, 3, 2, 3, 2], { samples: [sample] }),
    ),
  );
  return cases;
}
