// Random selectors, durations and time modifiers.

import { DATA_MS, METRICS } from './data.ts';
import type { FuzzRandom } from './random.ts';

const DATA_SECONDS = DATA_MS / 1000;
const PLAIN_NAME = /^[A-Za-z_:][\w:]*$/;
const MATCHERS = [
  'job="a"',
  'job!="a"',
  'job=~"a|b"',
  'job=~".+"',
  'instance="1"',
  'instance=~"[01]"',
  'instance!~"2|3"',
  'instance=~"0|1|2|none"',
  'code="200"',
  'code!~"5.."',
  'le!="+Inf"',
  'le=~"1.*|\\\\+Inf"',
  'none=""',
  'none!="x"',
  '"größe"="x"',
  '"größe"=~".*"',
  "job='a'",
  'job=~`a|\\w`',
  'job="\\u0061"',
  'instance!=""',
  'job=~"(?i:A)"',
];
const DURATIONS = [
  '15s',
  '30s',
  '1m',
  '90s',
  '2m',
  '5m',
  '7m30s',
  '10m',
  '20m',
  '1h',
  '120',
  '0.5',
  '17s500ms',
];
const OFFSETS = ['15s', '1m', '-1m', '7m', '13s', '-30s', '1ms', '90', '-0.5'];
const DURATION_EXPRESSIONS = [
  '5m * 2',
  '1m + 30s',
  '10m - 1m',
  '20m / 3',
  '2m ^ 1',
  '7m % 4m',
  '(1m + 1m)',
  '-(-2m)',
  'step() + 1m',
  '2 * step() + 1s',
  'max_of(step(), 1m)',
  'min_of(5m, range() + 1m)',
  'range() + 2m',
  '1m + 1 * 30',
  '(5m - step()) * 1',
];

/** Writes selectors and what belongs to them. */
export class SelectorMaker {
  readonly #random: FuzzRandom;

  constructor(random: FuzzRandom) {
    this.#random = random;
  }

  /** A name of a metric of one of these kinds, of any kind when none is given. */
  name(...kinds: readonly (keyof typeof METRICS)[]): string {
    const from = kinds.length > 0 ? kinds : (Object.keys(METRICS) as (keyof typeof METRICS)[]);
    return this.#random.pick(METRICS[this.#random.pick(from)]);
  }

  /** A selector without time modifiers; of one metric, mostly. */
  bare(name: string = this.name()): string {
    const random = this.#random;
    const matchers = Array.from({ length: random.pick([0, 0, 0, 0, 0, 1, 1, 2]) }, () =>
      random.pick(MATCHERS),
    );
    if (random.once(25)) {
      const names = random.pick(['temp|load', 'hits_.*', 'n[hf]', '(nh|temp|mix)', 'lat_.*|ncb', '.*_info']);
      return `{${[`__name__=~"${names}"`, ...matchers].join(random.pick([',', ', ']))}}`;
    }
    if (!PLAIN_NAME.test(name) || random.once(20)) return `{${[`"${name}"`, ...matchers].join(',')}}`;
    if (random.once(30)) return `{${[`__name__="${name}"`, ...matchers].join(',')}}`;
    return matchers.length === 0 && !random.once(20) ? name : `${name}{${matchers.join(',')}}`;
  }

  /** `offset` and `@`, mostly neither. */
  modifiers(): string {
    const random = this.#random;
    const parts: string[] = [];
    if (random.once(8))
      parts.push(`offset ${random.once(4) ? `(${this.#durationExpression()})` : random.pick(OFFSETS)}`);
    if (random.once(9)) {
      const at = `${random.below(DATA_SECONDS * 1.2) - 100}${random.pick(['', '', '.5'])}`;
      parts.push(`@ ${random.pick(['start()', 'end()', at, at])}`);
    }
    if (random.once(2)) parts.reverse();
    return parts.map((part) => ` ${part}`).join('');
  }

  /** A vector selector. */
  vector(name?: string): string {
    const extended = this.#random.once(25) ? this.#random.pick([' smoothed', ' smoothed', ' anchored']) : '';
    return `${this.bare(name)}${extended}${this.modifiers()}`;
  }

  /** A range selector. */
  matrix(name?: string): string {
    const random = this.#random;
    const extended = random.once(6) ? random.pick([' anchored', ' smoothed']) : '';
    return `${this.bare(name)}[${this.duration()}]${extended}${this.modifiers()}`;
  }

  /** The brackets of a subquery. */
  subquery(): string {
    const step = this.#random.pick(['', '15s', '30s', '1m', '37s', '2m', '(step() + 10s)', '0.5m', '90']);
    return `[${this.#random.pick(['1m', '2m', '5m', '10m', '0', this.duration()])}:${step === '0.5m' ? '30' : step}]${this.modifiers()}`;
  }

  /** A duration, sometimes to be computed. */
  duration(): string {
    return this.#random.once(7) ? this.#durationExpression() : this.#random.pick(DURATIONS);
  }

  #durationExpression(): string {
    return this.#random.pick(DURATION_EXPRESSIONS);
  }
}
