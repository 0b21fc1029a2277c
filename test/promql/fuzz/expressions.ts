// Random PromQL over the whole grammar. Rarely useful, mostly valid; functions come from the parser's table, so that none is forgotten.

import { FUNCTIONS, type FunctionSignature } from '../../../src/query/parse/function-table.ts';
import type { FuzzRandom } from './random.ts';
import { SelectorMaker } from './selectors.ts';

const LABELS = ['job', 'instance', 'code', 'le', 'version', '__name__', 'none', '"größe"'];
const NUMBERS = [
  '0',
  '1',
  '-1',
  '2.5',
  '0.1',
  '1e6',
  '100',
  'Inf',
  '-Inf',
  'NaN',
  '3600',
  '0x1f',
  '5m',
  '-0',
  '1e-9',
  '1_000',
];
const FEW = ['0', '0.05', '0.3', '0.5', '0.99', '1', '-1', '1.5', 'NaN', '2'];
const ARITHMETIC = ['+', '-', '*', '/', '%', '^', 'atan2'];
const COMPARISONS = ['==', '!=', '>', '<', '>=', '<='];
/** A group of a regular expression as Go's templates also write it. */
const GROUP_IN_BRACES = ['$', '{1}y'].join('');
const SETS = ['and', 'or', 'unless'];
const TRIMS = ['</', '>/'];
const SIMPLE_AGGREGATIONS = ['sum', 'sum', 'avg', 'avg', 'min', 'max', 'count', 'group', 'stddev', 'stdvar'];
const COUNTED = ['rate', 'increase', 'irate', 'resets', 'changes'];
const OVER_TIME = [...FUNCTIONS.values()].filter(({ args }) => args.length === 1 && args[0] === 'matrix');
const OF_VECTOR = [...FUNCTIONS.values()].filter(
  ({ name, args }) => args[0] === 'vector' && isPlain(name, args),
);
const OF_HISTOGRAMS = OF_VECTOR.filter(({ name }) => name.startsWith('histogram_'));
const PARSE_ERRORS = [
  '(',
  ')',
  '{',
  '}',
  '[',
  ']',
  ',',
  '"',
  'by',
  'on',
  ' offset ',
  ' @ ',
  '5m',
  '=~',
  'sum',
  ':',
  '!',
  ' bool ',
  '%',
  '#',
];

function isPlain(name: string, args: readonly string[]): boolean {
  return args.every((type) => type === 'vector' || type === 'scalar') && name !== 'info';
}

/** A maker of queries. */
export function queryMaker(random: FuzzRandom): () => string {
  const maker = new ExpressionMaker(random);
  return () => maker.query();
}

class ExpressionMaker {
  readonly #random: FuzzRandom;
  readonly #selectors: SelectorMaker;

  constructor(random: FuzzRandom) {
    this.#random = random;
    this.#selectors = new SelectorMaker(random);
  }

  /** A whole query, broken ones included. */
  query(): string {
    const random = this.#random;
    const depth = random.pick([0, 1, 1, 2, 2, 2, 3, 3, 4]);
    const text = random.pick([
      ...Array.from({ length: 30 }, () => () => this.vector(depth)),
      () => this.scalar(2),
      () => this.scalar(3),
      () => this.#matrix(depth),
      () => random.pick(['"text"', "'a\\nb'", '`raw`', '("x")']),
    ])();
    const written = random.once(12) ? this.#rewritten(text) : text;
    return random.once(40) ? this.#broken(written) : written;
  }

  /** A vector expression. */
  vector(depth: number): string {
    if (depth <= 0) return this.#selectors.vector();
    return this.#random.pick([
      () => this.#selectors.vector(),
      () => this.#overTime(depth),
      () => this.#overTime(depth),
      () => this.#overTime(depth),
      () => this.#withArguments(depth),
      () => this.#ofVector(depth),
      () => this.#ofVector(depth),
      () => this.#ofVector(depth),
      () => this.#aggregation(depth),
      () => this.#aggregation(depth),
      () => this.#aggregation(depth),
      () => this.#binary(depth),
      () => this.#binary(depth),
      () => this.#binary(depth),
      () => this.#withScalar(depth),
      () => this.#withScalar(depth),
      () => this.#labels(depth),
      () => this.#quantile(depth),
      () => this.#ofHistograms(depth),
      () => this.#info(depth),
      () => this.#oddities(depth),
    ])();
  }

  /** A scalar expression. */
  scalar(depth: number): string {
    const random = this.#random;
    if (depth > 0 && random.once(3)) return `scalar(${this.vector(depth - 1)})`;
    if (depth > 0 && random.once(3)) {
      const [left, right] = [this.scalar(depth - 1), this.scalar(depth - 1)];
      const op = random.once(4) ? `${random.pick(COMPARISONS)} bool` : random.pick(ARITHMETIC);
      return `(${left} ${op} ${right})`;
    }
    if (depth > 0 && random.once(8))
      return `${random.pick(['min_of', 'max_of'])}(${this.scalar(0)}, ${this.scalar(0)})`;
    if (random.once(6)) return random.pick(['time()', 'pi()', 'start()', 'end()', 'range()', 'step()']);
    return random.once(12) ? `-(${random.pick(NUMBERS)})` : random.pick(NUMBERS);
  }

  #matrix(depth: number): string {
    if (depth > 1 && this.#random.once(4)) return `${this.#operand(depth - 1)}${this.#selectors.subquery()}`;
    return this.#selectors.matrix();
  }

  // An operand, in parentheses where it may need them.
  #operand(depth: number): string {
    const text = this.vector(depth);
    return /^[A-Za-z_]\w*$/.test(text) || (this.#random.once(2) && isOneCall(text)) ? text : `(${text})`;
  }

  #overTime(depth: number): string {
    const random = this.#random;
    if (random.once(3)) {
      const name = this.#selectors.name('counter', 'counter', 'native', 'bucket');
      return `${random.pick(COUNTED)}(${this.#selectors.matrix(name)})`;
    }
    return `${random.pick(OVER_TIME).name}(${this.#matrix(depth)})`;
  }

  #withArguments(depth: number): string {
    const random = this.#random;
    const range = this.#matrix(depth);
    const scalar = (list: readonly string[]): string => (random.once(8) ? this.scalar(1) : random.pick(list));
    return random.pick([
      () => `quantile_over_time(${scalar(FEW)}, ${range})`,
      () => `quantile_over_time(${scalar(FEW)}, ${range})`,
      () => `predict_linear(${range}, ${scalar(['0', '60', '3600', '-600'])})`,
      () =>
        `double_exponential_smoothing(${range}, ${scalar(['0.5', '0.1', '0.99'])}, ${scalar(['0.5', '0.1', '0.9'])})`,
    ])();
  }

  #ofVector(depth: number): string {
    const signature = this.#random.pick(OF_VECTOR);
    return this.#call(signature, () => this.vector(depth - 1));
  }

  #ofHistograms(depth: number): string {
    const name = this.#selectors.name('native', 'mixed');
    const inner = this.#random.once(2)
      ? `rate(${this.#selectors.matrix(name)})`
      : this.#selectors.vector(name);
    if (depth > 2 && this.#random.once(2))
      return this.#call(this.#random.pick(OF_HISTOGRAMS), () => this.vector(depth - 1));
    return this.#call(this.#random.pick(OF_HISTOGRAMS), () => inner);
  }

  #call({ name, args, variadic }: FunctionSignature, vector: () => string): string {
    const random = this.#random;
    const count = variadic === 0 || random.once(2) ? args.length : args.length - 1;
    const written = args
      .slice(0, count)
      .map((type) => (type === 'scalar' ? this.scalar(random.below(2)) : vector()));
    return `${name}(${written.join(', ')})`;
  }

  #labelList(): string {
    const { pick, below } = this.#random;
    return Array.from({ length: below(3) }, () => pick(LABELS)).join(', ');
  }

  #aggregation(depth: number): string {
    const random = this.#random;
    const inner = this.vector(depth - 1);
    const op = random.pick([
      ...SIMPLE_AGGREGATIONS,
      ...SIMPLE_AGGREGATIONS,
      'quantile',
      'topk',
      'bottomk',
      'count_values',
      'limitk',
      'limit_ratio',
    ]);
    const parameter = this.#aggregationParameter(op);
    const args = `(${parameter === '' ? '' : `${parameter}, `}${inner})`;
    if (random.once(4)) return `${op}${args}`;
    const grouping = `${random.pick(['by', 'without'])} (${this.#labelList()})`;
    return random.once(2) ? `${op} ${grouping} ${args}` : `${op}${args} ${grouping}`;
  }

  #aggregationParameter(op: string): string {
    const random = this.#random;
    if (op === 'quantile') return random.once(8) ? this.scalar(1) : random.pick(FEW);
    if (op === 'topk' || op === 'bottomk' || op === 'limitk')
      return random.once(8)
        ? this.scalar(1)
        : random.pick(['1', '2', '3', '5', '1000', '0', '-1', 'NaN', '1.9']);
    if (op === 'limit_ratio')
      return random.pick(['0', '0.5', '-0.5', '1', '-1', '0.3', '2', '-0.7', 'NaN', '-3']);
    return op === 'count_values' ? random.pick(['"value"', '"v"', '"job"', '"größe"', '"__name__"']) : '';
  }

  #binary(depth: number): string {
    const random = this.#random;
    const left = this.#operand(depth - 1);
    const right = random.once(2) ? left : this.#operand(depth - 1);
    const isSet = random.once(4);
    const op = isSet ? random.pick(SETS) : random.pick(random.once(3) ? COMPARISONS : ARITHMETIC);
    const bool = COMPARISONS.includes(op) && random.once(2) ? ' bool' : '';
    return `${left} ${op}${bool}${this.#matching(isSet)} ${right}`;
  }

  #matching(isSet: boolean): string {
    const random = this.#random;
    let text = random.pick([
      () => '',
      () => '',
      () => ` on (${this.#labelList()})`,
      () => ` ignoring (${this.#labelList()})`,
      () => ' on (job, instance)',
      () => ' ignoring (code)',
    ])();
    if (!isSet && text !== '' && random.once(3))
      text += random.pick([
        ' group_left',
        ' group_right',
        ' group_left (code)',
        ' group_left (version, none)',
        ' group_right (le)',
        ' group_left ("größe")',
      ]);
    if (!isSet && random.once(6)) {
      const number = random.pick(['0', '1', '-2.5', 'NaN', 'Inf', '5e3']);
      text += random.pick([
        ` fill (${number})`,
        ` fill_left (${number})`,
        ` fill_right (${number})`,
        ` fill_left (${number}) fill_right (1)`,
      ]);
    }
    return text;
  }

  #withScalar(depth: number): string {
    const random = this.#random;
    const inner = this.#operand(depth - 1);
    const scalar = this.scalar(1);
    const op = random.pick([...ARITHMETIC, ...COMPARISONS, '== bool', '> bool', '!= bool', ...TRIMS]);
    return random.once(2) ? `${inner} ${op} ${scalar}` : `${scalar} ${op} ${inner}`;
  }

  #labels(depth: number): string {
    const random = this.#random;
    const inner = this.vector(depth - 1);
    const plain = (): string => random.pick(LABELS).replaceAll('"', '');
    return random.pick([
      () =>
        `label_replace(${inner}, "${random.pick(['copy', 'job', '__name__', 'größe', 'instance'])}", "${random.pick(['$1', 'x-$1', '', '$1$1', GROUP_IN_BRACES, '$a', '$2', 'ö'])}", "${plain()}", "${random.pick(['(.*)', '(.+)', '([a-z]+).*', '(?P<a>.).*', 'a|b', ''])}")`,
      () =>
        `label_join(${inner}, "${random.pick(['joined', 'job', '__name__', 'größe'])}", "${random.pick(['-', '', ','])}", "${plain()}", "${plain()}")`,
      () => `label_join(${inner}, "job", "-")`,
      () => `${random.pick(['sort_by_label', 'sort_by_label_desc'])}(${inner}, "${plain()}", "${plain()}")`,
    ])();
  }

  #quantile(depth: number): string {
    const random = this.#random;
    const name = this.#selectors.name('bucket', 'bucket', 'native', 'mixed');
    const rate = `rate(${this.#selectors.matrix(name)})`;
    const label = random.pick(['job', 'instance', '__name__']);
    const inner = random.pick([
      () => rate,
      () => this.#selectors.vector(name),
      () => `sum by (le, ${label}) (${rate})`,
      () => `sum by (${label}) (${rate})`,
      () => this.vector(depth - 1),
      () => `(${rate}) or ${this.#selectors.vector('nh')}`,
    ])();
    const number = (list: readonly string[]): string =>
      random.once(10) ? this.scalar(1) : random.pick(list);
    return random.pick([
      () => `histogram_quantile(${number(FEW)}, ${inner})`,
      () => `histogram_quantile(${number(FEW)}, ${inner})`,
      () =>
        `histogram_fraction(${number(['-Inf', '0', '0.1', '-3'])}, ${number(['0.5', '1', '+Inf', '7'])}, ${inner})`,
      () =>
        `histogram_quantiles(${inner}, "${random.pick(['q', 'job', 'le'])}", ${random.pick(FEW)}, ${random.pick(FEW)})`,
    ])();
  }

  #info(depth: number): string {
    const random = this.#random;
    const data = random.pick([
      '',
      ', {version=~".+"}',
      ', {version="1"}',
      ', {"größe"=~".*"}',
      ', {__name__="build_info"}',
      ', {__name__=~".*_info", branch="main"}',
      ', {__name__=~"target_info|build_info"}',
      ', {none="x"}',
      ', {__name__="temp"}',
      ', {__name__!="target_info", version!=""}',
    ]);
    return `info(${this.vector(depth - 1)}${data})`;
  }

  #oddities(depth: number): string {
    const random = this.#random;
    return random.pick([
      () => `-${this.#operand(depth - 1)}`,
      () => `+${this.#operand(depth - 1)}`,
      () => `vector(${this.scalar(2)})`,
      () => `absent(${this.vector(depth - 1)})`,
      () => `${this.#operand(depth - 1)} # a comment`,
      () => `((${this.vector(depth - 1)}))`,
      () => `${random.pick(['hour', 'year', 'minute', 'month'])}()`,
      () => `SUM(${this.vector(depth - 1)})`,
      () => `timestamp(${this.#selectors.vector()})`,
      () => `${this.#operand(depth - 1)} ${random.pick(TRIMS)} ${this.#operand(depth - 1)}`,
      () =>
        `${this.vector(depth - 1)} ${random.pick([...ARITHMETIC, ...SETS])} ${this.vector(depth - 1)} ${random.pick([...ARITHMETIC, ...COMPARISONS])} ${this.vector(depth - 1)}`,
    ])();
  }

  // The same query in other layouts and letters; places in messages have lines and bytes then.
  #rewritten(text: string): string {
    const random = this.#random;
    const comment = random.pick(['', '', '# ein Größenvergleich\n', '  \t', '\n']);
    const keywords = random.once(2)
      ? text.replace(/\b(by|on|ignoring|without|offset|and|or|bool)\b/g, upperCase)
      : text;
    return comment + keywords.replaceAll(' ', () => random.pick([' ', ' ', '  ', '\n', ' # ü\n', '\t']));
  }

  // Something put in or left out.
  #broken(text: string): string {
    const random = this.#random;
    const at = random.below(text.length + 1);
    return random.once(2)
      ? text.slice(0, at) + random.pick(PARSE_ERRORS) + text.slice(at)
      : text.slice(0, at) + text.slice(at + 1 + random.below(3));
  }
}

function upperCase(text: string): string {
  return text.toUpperCase();
}

// Whether the text is a function with its arguments, and no more.
function isOneCall(text: string): boolean {
  const open = /^\w+\(/.exec(text)?.[0].length;
  if (open === undefined || !text.endsWith(')') || /["'`#]/.test(text)) return false;
  let depth = 1;
  for (let i = open; i < text.length; i++) {
    if (text[i] === '(') depth++;
    else if (text[i] === ')' && --depth === 0) return i === text.length - 1;
  }
  return false;
}
