// Synthetic remote-write 1.0 bodies for the ingest benchmark: node-exporter-like series of 12 labels and about 230 label
// bytes, one sample each, in scrape order as a Prometheus shard sends them.

import { ByteWriter } from '../src/codec/bytes.ts';

const METRICS = [
  'node_cpu_seconds_total',
  'node_memory_available_bytes',
  'http_request_duration_seconds_bucket',
];

/** The labels of series `i`, sorted by name. */
export function benchLabels(i: number): [string, string][] {
  const host = Math.floor(i / 250);
  return [
    ['__name__', METRICS[Math.floor(i / 80) % 3]!],
    ['cluster', 'eu-west-1-production'],
    ['code', String(200 + (i % 5))],
    ['container', 'application-main'],
    ['endpoint', 'http-metrics'],
    ['handler', `/api/v1/resource/${i % 250}`],
    ['instance', `10.${host >> 8}.${host & 255}.17:9100`],
    ['job', 'kubernetes-pods'],
    ['le', String((i % 16) / 8)],
    ['namespace', 'team-observability'],
    ['pod', `application-main-7d9f8b6c5-${host.toString(36).padStart(5, 'x')}`],
    ['zone', `eu-west-1${'abc'[host % 3]}`],
  ];
}

/** Bodies of `perBody` series each that together hold series 0..count-1, with the samples of so many scrapes from `round` on. */
export function benchBodies(count: number, perBody: number, round: number, rounds = 1): Uint8Array[] {
  const out: Uint8Array[] = [];
  for (let first = 0; first < count; first += perBody) {
    const body = new ByteWriter(perBody * 320);
    for (let i = first; i < Math.min(first + perBody, count); i++) writeSeries(body, i, round, rounds);
    out.push(body.copy());
  }
  return out;
}

function writeSeries(body: ByteWriter, i: number, first: number, rounds: number): void {
  const series = new ByteWriter(400);
  for (const [name, value] of benchLabels(i)) {
    const label = new ByteWriter(64);
    label.u8(0x0a);
    label.text(name);
    label.u8(0x12);
    label.text(value);
    series.u8(0x0a);
    series.uvarint(label.length);
    series.raw(label.written());
  }
  for (let round = first; round < first + rounds; round++) {
    const sample = new ByteWriter(24);
    sample.u8(0x09);
    sample.f64(i * 1.37 + round * (1 + (i % 7)));
    sample.u8(0x10);
    sample.uvarint(1_760_000_000_000 + round * 15_000 + (Math.floor(i / 250) % 15_000));
    series.u8(0x12);
    series.uvarint(sample.length);
    series.raw(sample.written());
  }
  body.u8(0x0a);
  body.uvarint(series.length);
  body.raw(series.written());
}
