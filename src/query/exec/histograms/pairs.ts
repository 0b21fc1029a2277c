// One value with another in a binary operation, native histograms among them (Prometheus promql/engine.go, vectorElemBinop).

import type { Annotation } from '../../../model/annotations.ts';
import { FloatHistogram } from '../../../model/float-histogram.ts';
import { RESET_HINT } from '../../../model/histogram.ts';
import { type HistogramRow, histogramsIdentical } from '../../../model/histogram-equality.ts';
import {
  addHistogram,
  BOUNDS_RECONCILED,
  INCOMPATIBLE,
  RESET_COLLISION,
  subtractHistogram,
} from '../../../model/histogram-sum.ts';
import { trimHistogram } from '../../../model/histogram-trim.ts';
import { combineNumbers, isComparison } from '../../kernels/elementwise.ts';
import type { ArithmeticOperator, ComparisonOperator, TrimOperator } from '../../parse/ast.ts';
import { placeText } from '../aggregation.ts';

/** Operators whose result has values of its own. */
export type PairOperator = ArithmeticOperator | ComparisonOperator | TrimOperator;

/** A value: a histogram, or a float where there is none. */
export interface Operand {
  readonly value: number;
  readonly histogram: HistogramRow | undefined;
}

/**
 * What comes of a pair: `refused` (it does not match at all), `unkept` by a comparison, a `float`, the left histogram as it is
 * (`left`), or one that was `computed`.
 */
export type PairOutcome = 'refused' | 'unkept' | 'float' | 'left' | 'computed';

/** Whether an operator is for native histograms alone. */
export function isTrim(op: string): op is TrimOperator {
  return op === '</' || op === '>/';
}

/** Combines pairs, one after another. */
export class PairCombiner {
  /** The result where it is a float; of a comparison the left value. */
  value = 0;
  /** The result where it was computed; good until the next pair. */
  readonly computed: FloatHistogram = new FloatHistogram();
  /** What is to be said of the pair combined last. */
  note: Annotation | undefined;
  readonly #op: PairOperator;
  readonly #where: string | undefined;
  readonly #other = new FloatHistogram();

  constructor(op: PairOperator, where: string | undefined) {
    this.#op = op;
    this.#where = where;
  }

  /** Combines a pair. */
  combine(left: Operand, right: Operand): PairOutcome {
    this.note = undefined;
    const op = this.#op;
    if (left.histogram !== undefined && right.histogram !== undefined)
      return this.#histograms(left.histogram, right.histogram);
    const histogram = left.histogram ?? right.histogram;
    if (histogram === undefined) {
      if (isTrim(op)) return this.#refuse('float', 'float');
      const value = combineNumbers(op, left.value, right.value);
      this.value = isComparison(op) ? left.value : value;
      return isComparison(op) && value === 0 ? 'unkept' : 'float';
    }
    const isLeft = left.histogram !== undefined;
    const factor = isLeft ? right.value : left.value;
    if (op === '*') this.computed.load(histogram).scale(factor).compact();
    else if (op === '/' && isLeft) this.computed.load(histogram).divide(factor).compact();
    else if (isTrim(op) && isLeft) trimHistogram(this.computed.load(histogram), factor, op === '</');
    else return isLeft ? this.#refuse('histogram', 'float') : this.#refuse('float', 'histogram');
    return 'computed';
  }

  #histograms(left: HistogramRow, right: HistogramRow): PairOutcome {
    const op = this.#op;
    if (op === '==' || op === '!=')
      return histogramsIdentical(left, right) === (op === '==') ? 'left' : 'unkept';
    if (op !== '+' && op !== '-') return this.#refuse('histogram', 'histogram');
    const target = this.computed.load(left);
    const other = this.#other.load(right);
    const said = op === '+' ? addHistogram(target, other) : subtractHistogram(target, other);
    const operation = op === '+' ? 'addition' : 'subtraction';
    if ((said & INCOMPATIBLE) !== 0)
      return this.#warn(`incompatible bucket layout encountered for binary operator ${op}`);
    if ((said & RESET_COLLISION) !== 0)
      return this.#warn(`conflicting counter resets during histogram ${operation}`);
    if ((said & BOUNDS_RECONCILED) !== 0)
      this.#note('info', `mismatched custom buckets were reconciled during ${operation}`);
    if (op === '-') target.hint = RESET_HINT.gauge;
    target.compact();
    return 'computed';
  }

  #refuse(left: string, right: string): PairOutcome {
    const op = this.#op;
    const types = `${left} ${op} ${right}`;
    this.#note('info', `incompatible sample types encountered for binary operator "${op}": ${types}`);
    return 'refused';
  }

  #warn(text: string): PairOutcome {
    this.#note('warning', text);
    return 'refused';
  }

  #note(level: Annotation['level'], text: string): void {
    this.note = { level, text: `PromQL ${level}: ${text}${placeText(this.#where)}` };
  }
}
