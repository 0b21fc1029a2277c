// Random PromQL: expressions over floats that both servers can be asked. Rarely useful, mostly valid.

/** A query with the parts it is made of that are queries themselves. */
export interface QueryNode {
  readonly text: string;
  readonly children: readonly QueryNode[];
}

/** What the data has. */
export interface Workload {
  readonly metrics: readonly string[];
  readonly jobs: readonly string[];
  readonly instances: readonly string[];
  /** A time with data around it, seconds. */
  readonly at: number;
}

/** Seeded choices. */
export interface FuzzRandom {
  below(limit: number): number;
  pick<T>(items: readonly T[]): T;
}

/** mulberry32. */
export function makeRandom(seed: number): FuzzRandom {
  let state = seed >>> 0;
  const below = (limit: number): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 4294967296) * limit);
  };
  return { below, pick: (items) => items[below(items.length)]! };
}

const DURATIONS = ['30s', '1m', '90s', '5m', '7m30s', '10m', '1h'];
const SHORT = ['1m', '5m', '10m'];
const LABELS = ['job', 'instance', 'le', 'code', 'mode', 'device', '__name__', 'none'];
const RANGE_FUNCTIONS = [
  'rate',
  'increase',
  'delta',
  'irate',
  'idelta',
  'deriv',
  'changes',
  'resets',
  'avg_over_time',
  'min_over_time',
  'max_over_time',
  'sum_over_time',
  'count_over_time',
  'last_over_time',
  'stddev_over_time',
  'stdvar_over_time',
  'present_over_time',
  'absent_over_time',
];
const PLAIN_FUNCTIONS = [
  'abs',
  'ceil',
  'floor',
  'exp',
  'ln',
  'log2',
  'log10',
  'sqrt',
  'sgn',
  'round',
  'sin',
  'cos',
  'tan',
  'atan',
  'sinh',
  'tanh',
  'acosh',
  'asinh',
  'deg',
  'rad',
  'timestamp',
  'absent',
  'sort',
  'sort_desc',
  'minute',
  'hour',
  'day_of_week',
  'day_of_year',
  'days_in_month',
  'month',
];
const NUMBERS = ['0', '1', '-1', '2.5', '0.1', '1e6', '100', 'Inf', '-Inf', 'NaN', '3600', '0x1f', '5m'];

/** A maker of queries. */
export function queryMaker(random: FuzzRandom, data: Workload): () => QueryNode {
  const maker = new Maker(random, data);
  return () => (random.below(12) === 0 ? maker.scalar(2) : maker.vector(1 + random.below(4)));
}

class Maker {
  readonly #random: FuzzRandom;
  readonly #data: Workload;

  constructor(random: FuzzRandom, data: Workload) {
    this.#random = random;
    this.#data = data;
  }

  #chance(oneIn: number): boolean {
    return this.#random.below(oneIn) === 0;
  }

  #matchers(): string {
    const { pick } = this.#random;
    const { jobs, instances } = this.#data;
    const narrow = pick([
      () => `instance="${pick(instances)}"`,
      () => `instance=~"${pick(instances).replaceAll('.', '\\\\.')}|${pick(instances)}"`,
      () => `instance=~".*${this.#random.below(10)}${this.#random.below(10)}:.*"`,
      () => `instance=~"10.20.0.[1-4]:.*",job!="${pick(jobs)}"`,
    ])();
    const more = pick([
      '',
      '',
      '',
      ',le!="+Inf"',
      ',code=~"5..|200"',
      ',code!~"2..",mode!="idle"',
      ',none=""',
      ',job!=""',
    ]);
    return `{${narrow}${more}}`;
  }

  #modifiers(): string {
    const { pick, below } = this.#random;
    let text = '';
    if (this.#chance(8)) text += ` offset ${pick(['1m', '-1m', '7m', '1h', '13s'])}`;
    if (this.#chance(10))
      text += pick([' @ start()', ' @ end()', ` @ ${Math.floor(this.#data.at) - below(7200)}`]);
    return text;
  }

  #selector(): QueryNode {
    const { pick } = this.#random;
    const name = this.#chance(15) ? '' : pick(this.#data.metrics);
    const matchers =
      name === '' ? this.#matchers().replace('{', '{__name__=~"node_(load|memory).*",') : this.#matchers();
    return { text: `${name}${matchers}${this.#modifiers()}`, children: [] };
  }

  #range(depth: number): { text: string; children: readonly QueryNode[] } {
    const { pick } = this.#random;
    if (depth > 1 && this.#chance(4)) {
      const inner = this.vector(depth - 1);
      return {
        text: `(${inner.text})[${pick(SHORT)}:${pick(['', '15s', '1m', '37s'])}]${this.#modifiers()}`,
        children: [inner],
      };
    }
    const matchers = this.#matchers();
    return {
      text: `${pick(this.#data.metrics)}${matchers}[${pick(DURATIONS)}]${this.#modifiers()}`,
      children: [],
    };
  }

  #call(name: string, depth: number): QueryNode {
    const range = this.#range(depth);
    return { text: `${name}(${range.text})`, children: range.children };
  }

  /** A scalar expression. */
  scalar(depth: number): QueryNode {
    const { pick } = this.#random;
    if (depth > 0 && this.#chance(3)) {
      const inner = this.vector(depth - 1);
      return { text: `scalar(${inner.text})`, children: [inner] };
    }
    if (depth > 0 && this.#chance(4)) {
      const [a, b] = [this.scalar(depth - 1), this.scalar(depth - 1)];
      return {
        text: `(${a.text} ${pick(['+', '-', '*', '/', '%', '^', 'atan2'])} ${b.text})`,
        children: [a, b],
      };
    }
    return { text: pick([...NUMBERS, 'time()', 'pi()']), children: [] };
  }

  /** A vector expression. */
  vector(depth: number): QueryNode {
    if (depth <= 0) return this.#selector();
    const makers = [
      () => this.#selector(),
      () => this.#call(this.#random.pick(RANGE_FUNCTIONS), depth),
      () => this.#call(this.#random.pick(RANGE_FUNCTIONS), depth),
      () => this.#rangeWithArguments(depth),
      () => this.#plain(depth),
      () => this.#aggregation(depth),
      () => this.#aggregation(depth),
      () => this.#binary(depth),
      () => this.#binary(depth),
      () => this.#withScalar(depth),
      () => this.#labels(depth),
      () => this.#histogram(),
    ];
    return this.#random.pick(makers)();
  }

  #rangeWithArguments(depth: number): QueryNode {
    const { pick } = this.#random;
    const range = this.#range(depth);
    const text = pick([
      `quantile_over_time(${pick(['0', '0.5', '0.9', '1', '-1', '2', 'NaN'])}, ${range.text})`,
      `predict_linear(${range.text}, ${pick(['0', '60', '3600', '-600'])})`,
    ]);
    return { text, children: range.children };
  }

  #plain(depth: number): QueryNode {
    const { pick } = this.#random;
    const inner = this.vector(depth - 1);
    const [low, high] = [pick(NUMBERS), pick(NUMBERS)];
    const text = pick([
      `${pick(PLAIN_FUNCTIONS)}(${inner.text})`,
      `${pick(PLAIN_FUNCTIONS)}(${inner.text})`,
      `${pick(PLAIN_FUNCTIONS)}(${inner.text})`,
      `clamp(${inner.text}, ${low}, ${high})`,
      `clamp_min(${inner.text}, ${low})`,
      `clamp_max(${inner.text}, ${high})`,
      `round(${inner.text}, ${pick(['0.5', '10', '7', '0'])})`,
      `-(${inner.text})`,
      `vector(scalar(${inner.text}))`,
    ]);
    return { text, children: [inner] };
  }

  #labelList(): string {
    const { pick, below } = this.#random;
    return Array.from({ length: below(3) }, () => pick(LABELS)).join(', ');
  }

  #grouping(): string {
    const { pick } = this.#random;
    return this.#chance(4) ? '' : ` ${pick(['by', 'without'])} (${this.#labelList()}) `;
  }

  #aggregation(depth: number): QueryNode {
    const { pick } = this.#random;
    const inner = this.vector(depth - 1);
    const grouping = this.#grouping();
    const op = pick([
      'sum',
      'avg',
      'min',
      'max',
      'count',
      'group',
      'stddev',
      'stdvar',
      'quantile',
      'count_values',
      'sum',
      'avg',
    ]);
    const parameter =
      op === 'quantile'
        ? `${pick(['0', '0.3', '0.99', '1', '2', 'NaN'])}, `
        : op === 'count_values'
          ? '"value", '
          : '';
    return { text: `${op}${grouping}(${parameter}${inner.text})`, children: [inner] };
  }

  #binary(depth: number): QueryNode {
    const { pick } = this.#random;
    const left = this.vector(depth - 1);
    const right = this.#chance(2) ? { ...left } : this.vector(depth - 1);
    const set = this.#chance(4);
    const op = set
      ? pick(['and', 'or', 'unless'])
      : pick(['+', '-', '*', '/', '%', '^', 'atan2', '==', '!=', '>', '<', '>=', '<=']);
    const bool = /[=<>]/.test(op) && this.#chance(2) ? ' bool' : '';
    let matching = pick([
      '',
      '',
      ` on (${this.#labelList()})`,
      ` ignoring (${this.#labelList()})`,
      ' on (instance)',
    ]);
    if (!set && matching !== '' && this.#chance(3))
      matching += pick([' group_left', ' group_right', ' group_left (job)']);
    return { text: `(${left.text}) ${op}${bool}${matching} (${right.text})`, children: [left, right] };
  }

  #withScalar(depth: number): QueryNode {
    const { pick } = this.#random;
    const inner = this.vector(depth - 1);
    const scalar = this.scalar(1);
    const op = pick([
      '+',
      '-',
      '*',
      '/',
      '%',
      '^',
      'atan2',
      '==',
      '!=',
      '>',
      '<',
      '>=',
      '<=',
      '== bool',
      '> bool',
    ]);
    const text = this.#chance(2)
      ? `(${inner.text}) ${op} ${scalar.text}`
      : `${scalar.text} ${op} (${inner.text})`;
    return { text, children: [inner, scalar] };
  }

  #labels(depth: number): QueryNode {
    const { pick } = this.#random;
    const inner = this.vector(depth - 1);
    const text = pick([
      `label_replace(${inner.text}, "${pick(['copy', 'job', '__name__'])}", "${pick(['$1', 'x-$1', '', '$1$1'])}", "${pick(LABELS)}", "${pick(['(.*)', '(.+)', '([a-z]+).*', '(?P<a>.).*'])}")`,
      `label_join(${inner.text}, "${pick(['joined', 'job', '__name__'])}", "${pick(['-', ''])}", "${pick(LABELS)}", "${pick(LABELS)}")`,
    ]);
    return { text, children: [inner] };
  }

  #histogram(): QueryNode {
    const { pick } = this.#random;
    const names = this.#data.metrics.filter((name) => name.endsWith('_bucket'));
    if (names.length === 0) return this.#selector();
    const rate = `rate(${pick(names)}${this.#matchers()}[${pick(SHORT)}])`;
    const summed = { text: pick([rate, `sum by (le, ${pick(LABELS)}) (${rate})`]), children: [] };
    const quantile = pick(['0', '0.5', '0.9', '0.99', '1', '-1', '1.5', 'NaN']);
    const text = pick([
      `histogram_quantile(${quantile}, ${summed.text})`,
      `histogram_quantile(${quantile}, ${summed.text})`,
      `histogram_fraction(${pick(['-Inf', '0', '0.1'])}, ${pick(['0.5', '1', '+Inf'])}, ${summed.text})`,
    ]);
    return { text, children: [summed] };
  }
}
