// Writers of the simulation: they send remote write as Prometheus does, one request after the other, again when they got no answer, and
// note what was acknowledged.

import { encodeWriteRequest } from '../../src/codec/proto/remote-write.ts';
import { encodeSnappy } from '../../src/codec/snappy.ts';
import { DomainError } from '../../src/model/errors.ts';
import { STALE_NAN_HIGH, STALE_NAN_LOW } from '../../src/model/samples.ts';
import type { Random } from '../../src/platform/random.ts';
import { callNode } from './clients.ts';
import { type KnownSample, type KnownSeries, labelsOfSeries } from './model.ts';
import type { SimWorld } from './world.ts';

const STEPS_PER_WRITE = 2;
const STEPS_MAX = 20;
const RETRY_MS = 400;

interface Batch {
  readonly body: Uint8Array;
  readonly samples: readonly KnownSample[];
  readonly oldest: number;
}

/** One writer. */
export class Writer {
  readonly tenant: string;
  readonly #world: SimWorld;
  readonly #name: string;
  readonly #metric: string;
  readonly #random: Random;
  readonly #stepMs: number;
  #indexes: number[];
  #nextIndex: number;
  #nextTime: number;
  #isBusy = false;
  #isOver = false;

  constructor(world: SimWorld, number: number, random: Random) {
    const { plan } = world;
    this.#world = world;
    this.#name = `w${number}`;
    this.#metric = number % 2 === 0 ? 'requests' : 'bytes';
    this.#random = random;
    this.tenant = `tenant-${number % plan.tenants}`;
    this.#stepMs = (plan.speed * plan.writeEveryMs) / STEPS_PER_WRITE;
    this.#indexes = Array.from({ length: plan.seriesPerWriter }, (_, i) => i);
    this.#nextIndex = plan.seriesPerWriter;
    this.#nextTime = world.dataNow();
    this.#later();
  }

  /** Whether nothing of it is under way. */
  get isIdle(): boolean {
    return !this.#isBusy;
  }

  /** Sends nothing new from now on. */
  stop(): void {
    this.#isOver = true;
  }

  #later(): void {
    const { loop, plan } = this.#world;
    loop.after(plan.writeEveryMs, `${this.#name} writes`, () => {
      if (this.#isOver) return;
      this.#later();
      if (this.#isBusy) return;
      this.#isBusy = true;
      void this.#deliver(this.#batch()).finally(() => {
        this.#isBusy = false;
      });
    });
  }

  // What was not sent while the last batch was under way comes along, as far as it is not too much.
  #batch(): Batch {
    const { dataNow, model, plan } = this.#world;
    const now = dataNow();
    this.#nextTime = Math.max(this.#nextTime, now - STEPS_MAX * this.#stepMs);
    const times: number[] = [];
    for (; this.#nextTime <= now; this.#nextTime += this.#stepMs) times.push(this.#nextTime);
    const sent = new Map<KnownSeries, KnownSample[]>();
    const send = (index: number, time: number, isStale: boolean): void => {
      const series = model.series(this.tenant, labelsOfSeries(this.#metric, this.#name, index));
      const value = isStale ? undefined : (((time / 1000) * (1 + (index % 3))) % 20_000) + index / 8;
      const list = sent.get(series) ?? [];
      list.push(model.send(series, time, value));
      sent.set(series, list);
    };
    if (this.#random.integer(12) === 0 && times.length > 0) {
      const place = this.#random.integer(this.#indexes.length);
      send(this.#indexes[place]!, times[0]! - 1, true);
      this.#indexes[place] = this.#nextIndex++;
    }
    // One that comes late: between two steps, well within the window.
    if (this.#random.integer(5) === 0) {
      const index = this.#indexes[this.#random.integer(this.#indexes.length)]!;
      send(index, now - this.#random.integer(plan.windowMs / 2) - 7, false);
    }
    for (const index of this.#indexes) for (const time of times) send(index, time, false);
    return this.#encode(sent);
  }

  #encode(sent: ReadonlyMap<KnownSeries, readonly KnownSample[]>): Batch {
    const timeseries = [...sent].map(([{ labels }, samples]) => ({
      labels: Array.from({ length: labels.length / 2 }, (_, i) => ({
        name: labels[2 * i]!,
        value: labels[2 * i + 1]!,
      })),
      samples: [...samples]
        .sort((a, b) => a.time - b.time)
        .map(({ time, value }) => ({ timestamp: time, value: value ?? STALE })),
      exemplars: [],
      histograms: [],
    }));
    const samples = [...sent.values()].flat();
    return {
      body: encodeSnappy(encodeWriteRequest({ timeseries, metadata: [] })),
      samples,
      oldest: Math.min(...samples.map(({ time }) => time)),
    };
  }

  async #deliver(batch: Batch): Promise<void> {
    const { loop, network, plan, dataNow } = this.#world;
    for (let attempt = 0; ; attempt++) {
      const node = this.#world.anyNode(this.#random);
      if (attempt > 0) for (const sample of batch.samples) sample.sent++;
      try {
        if (node === undefined) throw new DomainError('unavailable', 'nobody is there');
        const { tenant } = this;
        const reply = await callNode(network, node, `write of ${this.#name}`, ({ receiver }) =>
          receiver.ask('write', { tenant, protocol: 'v1', body: batch.body.slice() }),
        );
        if (reply.status === 204) this.#acknowledge(batch);
        return;
      } catch (error) {
        const code = error instanceof DomainError ? error.code : 'internal';
        if (code !== 'unavailable' && code !== 'full' && code !== 'timeout') {
          this.#world.blame('writes', `a write of ${this.#name} failed: ${String(error)}`);
          return;
        }
        this.#world.counts.refused++;
      }
      await new Promise<void>((resolve) => void loop.after(RETRY_MS, `${this.#name} tries again`, resolve));
      if (this.#isOver || dataNow() - batch.oldest > plan.windowMs) return;
    }
  }

  // A sample that has left the window meanwhile may have been refused after it was acknowledged: it is not counted on.
  #acknowledge({ samples }: Batch): void {
    const { loop, plan, dataNow } = this.#world;
    this.#world.counts.acknowledged += samples.length;
    for (const sample of samples)
      if (dataNow() - sample.time < plan.windowMs) sample.acknowledgedAt ??= loop.now;
  }
}

const STALE = ((): number => {
  const bits = new Uint32Array([STALE_NAN_LOW, STALE_NAN_HIGH]);
  return new Float64Array(bits.buffer)[0]!;
})();
