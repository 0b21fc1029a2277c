import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Annotations } from '../../../src/model/annotations.ts';
import { errorText } from '../../../src/model/errors.ts';
import { StateMemory } from '../../../src/query/exec/aggregation.ts';
import {
  type BinaryContext,
  binaryScalars,
  binaryVectorScalar,
  binaryVectors,
  type VectorOperation,
} from '../../../src/query/exec/binary.ts';
import { labelSetText } from '../../../src/query/exec/vector-match.ts';
import type { BinaryOperator, VectorMatching } from '../../../src/query/parse/ast.ts';
import {
  arbitrarySeries,
  batchOf,
  keyOf,
  labelSet,
  pause,
  series,
  sortedSeries,
  type TestSeries,
} from './batches.ts';

const STEPS = 3;
const PLAIN: VectorMatching = { card: 'one-to-one', on: false, labels: [], include: [] };
const COMPARISONS = ['==', '!=', '<', '<=', '>', '>='];

interface Sample {
  readonly labels: Record<string, string>;
  readonly value: number;
}

function naiveNumber(op: BinaryOperator, a: number, b: number): { value: number; keep: boolean } {
  switch (op) {
    case '+':
      return { value: a + b, keep: true };
    case '-':
      return { value: a - b, keep: true };
    case '*':
      return { value: a * b, keep: true };
    case '/':
      return { value: a / b, keep: true };
    case '%':
      return { value: a % b, keep: true };
    case '^':
      return { value: a === 1 || (a === -1 && Math.abs(b) === Infinity) ? 1 : a ** b, keep: true };
    case 'atan2':
      return { value: Math.atan2(a, b), keep: true };
    case '==':
      return { value: a, keep: a === b };
    case '!=':
      return { value: a, keep: a !== b };
    case '<':
      return { value: a, keep: a < b };
    case '<=':
      return { value: a, keep: a <= b };
    case '>':
      return { value: a, keep: a > b };
    case '>=':
      return { value: a, keep: a >= b };
    default:
      throw new Error(op);
  }
}

function naiveSignature(labels: Record<string, string>, { on, labels: names }: VectorMatching): string {
  const kept = Object.entries(labels).filter(([name]) =>
    on ? names.includes(name) : name !== '__name__' && !names.includes(name),
  );
  return keyOf({ labels: Object.fromEntries(kept), values: [] });
}

function naiveResult(operation: VectorOperation, many: Sample, one: Sample): Record<string, string> {
  const matching = operation.matching!;
  let entries = Object.entries(many.labels);
  const filters = COMPARISONS.includes(operation.op) && !operation.returnBool;
  if (!filters) entries = entries.filter(([name]) => name !== '__name__');
  if (matching.card === 'one-to-one')
    entries = entries.filter(([name]) => matching.labels.includes(name) === matching.on);
  const out = Object.fromEntries(entries);
  for (const name of matching.include) {
    delete out[name];
    if (one.labels[name] !== undefined) out[name] = one.labels[name];
  }
  return out;
}

/** One step, as Prometheus's VectorBinop, VectorAnd, VectorOr and VectorUnless go about it. */
function naiveStep(operation: VectorOperation, left: Sample[], right: Sample[]): Sample[] {
  const { op, returnBool, matching = PLAIN } = operation;
  const signature = (sample: Sample): string => naiveSignature(sample.labels, matching);
  const has = (samples: Sample[], wanted: Sample): boolean =>
    samples.some((sample) => signature(sample) === signature(wanted));
  if (op === 'and') return left.filter((sample) => has(right, sample));
  if (op === 'unless') return left.filter((sample) => !has(right, sample));
  if (op === 'or') return [...left, ...right.filter((sample) => !has(left, sample))];
  if (left.length === 0 || right.length === 0) return [];
  const swapped = matching.card === 'one-to-many';
  const [many, one] = swapped ? [right, left] : [left, right];
  const ones = new Map<string, Sample>();
  for (const sample of one) {
    if (ones.has(signature(sample))) throw new Error('found duplicate series');
    ones.set(signature(sample), sample);
  }
  const matched = new Set<string>();
  const out: Sample[] = [];
  for (const sample of many) {
    const partner = ones.get(signature(sample));
    if (partner === undefined) continue;
    const [a, b] = swapped ? [partner, sample] : [sample, partner];
    const { value, keep } = naiveNumber(op, a.value, b.value);
    const labels = naiveResult(operation, sample, partner);
    const once = signature(sample) + (matching.card === 'one-to-one' ? '' : keyOf({ labels, values: [] }));
    if (matched.has(once)) throw new Error('multiple matches for labels');
    matched.add(once);
    if (returnBool) out.push({ labels, value: keep ? 1 : 0 });
    else if (keep) out.push({ labels, value });
  }
  return out;
}

function naiveVectors(
  operation: VectorOperation,
  left: TestSeries[],
  right: TestSeries[],
): TestSeries[] | string {
  const out = new Map<string, { labels: Record<string, string>; values: (number | undefined)[] }>();
  const at = (rows: TestSeries[], i: number): Sample[] =>
    rows.flatMap(({ labels, values }) => (values[i] === undefined ? [] : [{ labels, value: values[i] }]));
  for (let i = 0; i < STEPS; i++) {
    let samples: Sample[];
    try {
      samples = naiveStep(operation, at(left, i), at(right, i));
    } catch (error) {
      return errorText(error);
    }
    for (const { labels, value } of samples) {
      const key = keyOf({ labels, values: [] });
      const row = out.get(key) ?? { labels, values: Array(STEPS).fill(undefined) };
      if (row.values[i] !== undefined) return 'vector cannot contain metrics with the same labelset';
      row.values[i] = value;
      out.set(key, row);
    }
  }
  return [...out.values()].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}

function quiet(): BinaryContext {
  return { annotations: new Annotations(), pause, memory: new StateMemory(undefined) };
}

async function run(
  operation: VectorOperation,
  left: TestSeries[],
  right: TestSeries[],
): Promise<TestSeries[] | string> {
  try {
    return sortedSeries(await binaryVectors(operation, batchOf(left, STEPS), batchOf(right, STEPS), quiet()));
  } catch (error) {
    return errorText(error);
  }
}

const operations = fc.constantFrom<BinaryOperator>(
  ...(['+', '-', '*', '/', '%', '^', 'atan2', ...COMPARISONS] as BinaryOperator[]),
);
const matchings = fc.record({
  card: fc.constantFrom<VectorMatching['card']>('one-to-one', 'many-to-one', 'one-to-many'),
  on: fc.boolean(),
  labels: fc.subarray(['l', 'm', 'n', '__name__']),
  include: fc.subarray(['m', '__name__', 'other']),
});

/** Few series, so that most pairs of vectors match without conflict and a good part does not. */
const few = (length: number): fc.Arbitrary<TestSeries[]> =>
  arbitrarySeries(STEPS).map((rows) => rows.slice(0, length));

describe('binary operation of vectors', () => {
  it('matches, computes, drops names and refuses conflicts as its definition does, step by step', async () => {
    const seen = { results: 0, errors: 0 };
    await fc.assert(
      fc.asyncProperty(
        operations,
        fc.boolean(),
        matchings,
        few(5),
        few(5),
        async (op, bool, matching, left, right) => {
          const include = matching.card === 'one-to-one' ? [] : matching.include;
          const returnBool = bool && COMPARISONS.includes(op);
          const operation: VectorOperation = { op, returnBool, matching: { ...matching, include } };
          const expected = naiveVectors(operation, left, right);
          const found = await run(operation, left, right);
          if (typeof expected === 'string') {
            seen.errors++;
            expect(found).toContain(expected);
          } else {
            if (expected.length > 0) seen.results++;
            expect(found).toEqual(expected);
          }
        },
      ),
      { numRuns: 1500 },
    );
    expect(seen.results).toBeGreaterThan(100);
    expect(seen.errors).toBeGreaterThan(50);
  });

  it.each(['and', 'or', 'unless'] as const)('%s looks at each step for itself', async (op) => {
    await fc.assert(
      fc.asyncProperty(matchings, few(8), few(8), async (matching, left, right) => {
        const operation: VectorOperation = {
          op,
          returnBool: false,
          matching: { ...matching, card: 'many-to-many', include: [] },
        };
        expect(await run(operation, left, right)).toEqual(naiveVectors(operation, left, right));
      }),
      { numRuns: 300 },
    );
  });

  const a = series({ __name__: 'a', l: 'x', m: '1' }, 1, 1, undefined);
  const twin = series({ __name__: 'a', l: 'x', m: '2' }, undefined, 2, 2);

  it.each([
    [
      'one-to-one',
      'found duplicate series for the match group {l="x"} on the right hand-side of the operation: ' +
        '[{__name__="a", l="x", m="1"}, {__name__="a", l="x", m="2"}];many-to-many matching not allowed: ' +
        'matching labels must be unique on one side',
      [series({ l: 'x' }, 5, 5, 5)],
      [a, twin],
    ],
    [
      'one-to-many',
      'found duplicate series for the match group {l="x"} on the left hand-side of the operation: ' +
        '[{__name__="a", l="x", m="1"}, {__name__="a", l="x", m="2"}];many-to-many matching not allowed: ' +
        'matching labels must be unique on one side',
      [a, twin],
      [series({ l: 'x' }, 5, 5, 5)],
    ],
    [
      'one-to-one',
      'multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)',
      [a, twin],
      [series({ l: 'x' }, 5, 5, 5)],
    ],
  ] as const)('%s says: %s', async (card, message, left, right) => {
    const matching: VectorMatching = { card, on: true, labels: ['l'], include: [] };
    expect(await run({ op: '+', returnBool: false, matching }, [...left], [...right])).toBe(message);
  });

  it('says when grouping labels leave results ambiguous', async () => {
    const matching: VectorMatching = { card: 'many-to-one', on: true, labels: ['l'], include: ['m'] };
    const one = series({ l: 'x', m: 'same' }, 1, 1, 1);
    expect(await run({ op: '*', returnBool: false, matching }, [a, twin], [one])).toBe(
      'multiple matches for labels: grouping labels must ensure unique matches',
    );
  });

  it('lets series that take turns share a match group', async () => {
    const matching: VectorMatching = { card: 'one-to-one', on: true, labels: ['l'], include: [] };
    const late = series({ __name__: 'a', l: 'x', m: '2' }, undefined, undefined, 2);
    const right = series({ l: 'x' }, 10, 10, 10);
    expect(await run({ op: '+', returnBool: false, matching }, [a, late], [right])).toEqual([
      series({ l: 'x' }, 11, 11, 12),
    ]);
  });

  it.each([
    [
      { fillLeft: 0, fillRight: 0 },
      { a: 110, c: 30, d: 400 },
    ],
    [{ fillLeft: 0 }, { a: 110, d: 400 }],
    [{ fillRight: 7 }, { a: 110, c: 37 }],
  ])('fills missing series with %o', async (fill, expected) => {
    const left = [series({ l: 'a' }, 10), series({ l: 'c' }, 30)];
    const right = [series({ l: 'a' }, 100), series({ l: 'd' }, 400)];
    const matching: VectorMatching = { ...PLAIN, ...fill };
    const result = await binaryVectors(
      { op: '+', returnBool: false, matching },
      batchOf(left),
      batchOf(right),
      quiet(),
    );
    expect(Object.fromEntries(sortedSeries(result).map((row) => [row.labels['l'], row.values[0]]))).toEqual(
      expected,
    );
  });

  it('fills the many side by fill_left even under group_right, as Prometheus does', async () => {
    const matching: VectorMatching = {
      card: 'one-to-many',
      on: true,
      labels: ['i'],
      include: [],
      fillLeft: 1,
    };
    const meta = [series({ i: 'a' }, 100), series({ i: 'c' }, 300)];
    const info = [series({ i: 'a', cpu: '0' }, 1), series({ i: 'b', cpu: '0' }, 1)];
    const result = await binaryVectors(
      { op: '*', returnBool: false, matching },
      batchOf(meta),
      batchOf(info),
      quiet(),
    );
    expect(sortedSeries(result)).toEqual([series({ cpu: '0', i: 'a' }, 100), series({ i: 'c' }, 300)]);
  });

  it('notes that trims of floats give nothing', async () => {
    const annotations = new Annotations();
    const operation: VectorOperation = { op: '</', returnBool: false, matching: PLAIN, where: '1:1' };
    const both = [series({ l: 'x' }, 1)];
    const trimmed = await binaryVectors(operation, batchOf(both), batchOf(both), { ...quiet(), annotations });
    expect(trimmed.labels).toEqual([]);
    expect(annotations.all()).toEqual([
      {
        level: 'info',
        text: 'PromQL info: incompatible sample types encountered for binary operator "</": float </ float (1:1)',
      },
    ]);
  });
});

describe('binary operation of a vector and a scalar', () => {
  it.each([
    ['-', false, false, [series({ l: 'x' }, -9, undefined, -7)]],
    ['-', false, true, [series({ l: 'x' }, 9, undefined, 7)]],
    ['<', false, false, [series({ __name__: 'a', l: 'x' }, 1, undefined, 3)]],
    ['<', false, true, []],
    ['>', false, true, [series({ __name__: 'a', l: 'x' }, 1, undefined, 3)]],
    ['>', true, true, [series({ l: 'x' }, 1, undefined, 1)]],
    ['<', true, true, [series({ l: 'x' }, 0, undefined, 0)]],
  ] as const)(
    '%s (bool %s, scalar on the left %s) keeps or drops name and value',
    (op, bool, onLeft, expected) => {
      const vector = batchOf([series({ __name__: 'a', l: 'x' }, 1, undefined, 3)]);
      const scalar = Float64Array.of(10, 10, 10);
      expect(sortedSeries(binaryVectorScalar(op, bool, vector, scalar, onLeft))).toEqual(expected);
    },
  );
});

describe('binary operation of scalars', () => {
  it.each([
    ['^', 1, Number.NaN, 1],
    ['^', -1, -Infinity, 1],
    ['^', 2, 10, 1024],
    ['^', 0, 0, 1],
    ['%', -7, 3, -1],
    ['%', 7, 0, Number.NaN],
    ['/', 1, 0, Infinity],
    ['atan2', 0, -1, Math.PI],
    ['==', Number.NaN, Number.NaN, 0],
    ['!=', Number.NaN, Number.NaN, 1],
    ['>=', 3, 3, 1],
  ] as const)('%s of %d and %d', (op, a, b, expected) => {
    expect(binaryScalars(op, Float64Array.of(a), Float64Array.of(b))).toEqual(Float64Array.of(expected));
  });
});

describe('label sets in messages', () => {
  it('are written as Go writes them', () => {
    expect(labelSetText(labelSet({ __name__: 'a', 'b.c': 'x"\n\u0007é' }))).toBe(
      '{__name__="a", "b.c"="x\\"\\n\\aé"}',
    );
    expect(labelSetText([])).toBe('{}');
  });
});
