// What the simulation knows of the data: every sample that was sent, whether it was acknowledged, and what a single engine over all of
// it would answer.

import { type Labels, labelsKey, labelsOf } from '../../src/model/labels.ts';
import type { Matcher } from '../../src/model/matcher.ts';
import { growColumns, STALE_NAN_HIGH, STALE_NAN_LOW } from '../../src/model/samples.ts';
import type { SeriesSource } from '../../src/query/source.ts';

/** A sample that was sent. A staleness marker has no value. */
export interface KnownSample {
  readonly time: number;
  readonly value: number | undefined;
  /** Virtual time since which it must be readable; undefined while nobody has said that it is durable. */
  acknowledgedAt: number | undefined;
  /** Times it was sent. */
  sent: number;
}

/** A series of a tenant. */
export interface KnownSeries {
  readonly tenant: string;
  readonly labels: Labels;
  readonly samples: Map<number, KnownSample>;
}

/** Everything that was sent. */
export class Model {
  readonly #tenants: Map<string, Map<string, KnownSeries>> = new Map();

  /** The series with these labels. */
  series(tenant: string, labels: Labels): KnownSeries {
    let all = this.#tenants.get(tenant);
    if (all === undefined) this.#tenants.set(tenant, (all = new Map()));
    const key = labelsKey(labels);
    let found = all.get(key);
    if (found === undefined) all.set(key, (found = { tenant, labels, samples: new Map() }));
    return found;
  }

  find(tenant: string, labels: Labels): KnownSeries | undefined {
    return this.#tenants.get(tenant)?.get(labelsKey(labels));
  }

  /** All series of a tenant. */
  all(tenant: string): KnownSeries[] {
    return [...(this.#tenants.get(tenant)?.values() ?? [])];
  }

  get tenants(): string[] {
    return [...this.#tenants.keys()];
  }

  /** Notes that a sample is sent. */
  send(series: KnownSeries, time: number, value: number | undefined): KnownSample {
    const known = series.samples.get(time);
    if (known !== undefined) {
      known.sent++;
      return known;
    }
    const made = { time, value, acknowledgedAt: undefined, sent: 1 };
    series.samples.set(time, made);
    return made;
  }

  /** Whether every sample of the tenant in a stretch (both ends included) was acknowledged by `before`. */
  isSettled(tenant: string, start: number, end: number, before: number): boolean {
    for (const { samples } of this.all(tenant))
      for (const { time, acknowledgedAt } of samples.values())
        if (time >= start && time <= end && (acknowledgedAt === undefined || acknowledgedAt > before))
          return false;
    return true;
  }

  /** The samples of a tenant as a source of the reference engine. */
  source(tenant: string): SeriesSource {
    const all = this.all(tenant);
    return {
      async *select({ matchers }) {
        const found = all.filter(({ labels }) => matchers.every((matcher) => matches(labels, matcher)));
        if (found.length === 0) return;
        yield {
          labels: found.map(({ labels }) => labels),
          read(index, start, end, target) {
            const rows = [...found[index]!.samples.values()]
              .filter(({ time }) => time >= start && time <= end)
              .sort((a, b) => a.time - b.time);
            growColumns(target, rows.length);
            target.count = rows.length;
            for (const [i, { time, value }] of rows.entries()) {
              target.timestamps[i] = time;
              if (value !== undefined) target.values[i] = value;
              else {
                target.bits[2 * i] = STALE_NAN_LOW;
                target.bits[2 * i + 1] = STALE_NAN_HIGH;
              }
            }
          },
        };
      },
    };
  }
}

function matches(labels: Labels, { name, op, value }: Matcher): boolean {
  const at = labels.findIndex((text, i) => i % 2 === 0 && text === name);
  const actual = at < 0 ? '' : labels[at + 1]!;
  if (op === '=') return actual === value;
  if (op === '!=') return actual !== value;
  return new RegExp(`^(?:${value})$`, 's').test(actual) === (op === '=~');
}

/** The labels of series `index` of a writer's metric. */
export function labelsOfSeries(metric: string, writer: string, index: number): Labels {
  return labelsOf({ __name__: metric, job: writer, instance: `i${index}` });
}
