// info(): adds labels of info metrics (target_info and the like) to series that share `instance` and `job` with them, step by
// step, because both come and go (Prometheus promql/info.go). Info series are read with their samples' times as values: of two
// that belong to one target the newer one counts.

import { type CompiledMatcher, compileMatcher } from '../../codec/regex.ts';
import { DomainError } from '../../model/errors.ts';
import {
  compareLabels,
  type Labels,
  labelsKey,
  labelsWith,
  labelValue,
  METRIC_NAME,
} from '../../model/labels.ts';
import type { Matcher } from '../../model/matcher.ts';
import { rowsBetweenPauses } from '../../model/pause.ts';
import type { InfoNode, PlanNode, SelectNode } from '../plan/nodes.ts';
import { type StepBatch, type StepRange, stepCount } from '../source.ts';
import { StateMemory } from './aggregation.ts';
import { collect, type ExecContext, release } from './context.ts';
import { histogramOfCell } from './histograms/histogram-cells.ts';
import { hasNameNote } from './name-note.ts';
import { RowList } from './row-list.ts';
import { emptyBatch, sameLabelsError } from './step-batch.ts';
import { labelSetText } from './vector-match.ts';

/** Labels that say whose series it is. */
const IDENTIFYING = ['instance', 'job'] as const;
/** More values of an identifying label are not sent to the shards: everything is read then and sorted out here. */
const VALUES_SENT_MAX = 5000;
const TARGET_INFO: Matcher = { name: METRIC_NAME, op: '=', value: 'target_info' };
const ANY_INFO: Matcher = { name: METRIC_NAME, op: '=~', value: '.+_info' };

/** Streams the input's series with the labels of their info series. */
export async function* streamInfo(
  node: InfoNode,
  grid: StepRange,
  context: ExecContext,
): AsyncGenerator<StepBatch> {
  const { budget } = context;
  const steps = stepCount(grid);
  const held = await collect(context.stream(node.input, grid), steps, budget);
  const base = held.batch;
  const names = nameMatchers(node.matchers);
  const isInfo = names.map(compileMatcher);
  const enriched = base.labels.map((labels) => !accepts(isInfo, labelValue(labels, METRIC_NAME)));
  const info = await readInfo(node, identities(base.labels, enriched), grid, context);
  const output = new RowList(steps, new StateMemory(budget));
  const join = new InfoJoin(node, info, output);
  const atOnce = rowsBetweenPauses(steps);
  for (const [row, labels] of base.labels.entries()) {
    if (row % atOnce === 0) await budget.pause();
    if (enriched[row] === true) join.add(base, row);
    else join.pass(base, row, labels);
  }
  yield output.take();
  release(held, budget);
}

/** Matchers of the info metrics' name: without a positive one everything that ends in _info, without any target_info. */
function nameMatchers(matchers: readonly Matcher[]): readonly Matcher[] {
  const names = matchers.filter(({ name }) => name === METRIC_NAME);
  if (names.length === 0) return [TARGET_INFO];
  return names.some(({ op }) => op === '=' || op === '=~') ? names : [ANY_INFO, ...names];
}

function accepts(matchers: readonly CompiledMatcher[], value: string): boolean {
  return matchers.every(({ matches }) => matches(value));
}

/** Values of each identifying label among the series that are to be enriched; a label none of them has is left out. */
function identities(series: readonly Labels[], enriched: readonly boolean[]): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const [row, labels] of series.entries()) {
    if (enriched[row] !== true) continue;
    for (const name of IDENTIFYING) {
      const value = labelValue(labels, name);
      if (value === '') continue;
      const values = found.get(name) ?? new Set();
      found.set(name, values.add(value));
    }
  }
  return found;
}

// The info series of these identities, at the time the input is looked at; values are their samples' times.
async function readInfo(
  node: InfoNode,
  wanted: ReadonlyMap<string, ReadonlySet<string>>,
  grid: StepRange,
  context: ExecContext,
): Promise<StepBatch> {
  const steps = stepCount(grid);
  if (wanted.size === 0) return emptyBatch(steps);
  const matchers = [
    ...nameMatchers(node.matchers),
    ...node.matchers.filter(({ name }) => name !== METRIC_NAME),
  ];
  for (const [name, values] of wanted)
    if (values.size <= VALUES_SENT_MAX)
      matchers.push({ name, op: '=~', value: [...values].map(quoted).join('|') });
  const { offsetMs, at } = node;
  const select: SelectNode = {
    kind: 'select',
    matchers,
    timestamps: true,
    keepNames: true,
    offsetMs,
    ...(at === undefined ? {} : { at }),
  };
  const source: PlanNode =
    context.fragments === undefined ? select : { kind: 'remote', fragment: select, distinct: false };
  const held = await collect(context.stream(source, grid), steps, context.budget);
  release(held, context.budget);
  return held.batch;
}

// A literal as a regular expression.
function quoted(text: string): string {
  return text.replace(/[\\.+*?()|[\]{}^$]/g, String.raw`\$&`);
}

/** Puts base series and info series together. */
class InfoJoin {
  readonly #info: StepBatch;
  readonly #output: RowList;
  /** Data labels that may be added; empty: all. */
  readonly #wanted: ReadonlySet<string>;
  /** Whether a series without info series stays. */
  readonly #keepsPlain: boolean;
  /** Rows of info series by identity, then by metric name. */
  readonly #byIdentity = new Map<string, Map<string, number[]>>();
  readonly #rowOf = new Map<string, number>();

  constructor(node: InfoNode, info: StepBatch, output: RowList) {
    const data = node.matchers.filter(({ name }) => name !== METRIC_NAME);
    this.#info = info;
    this.#output = output;
    this.#wanted = new Set(data.map(({ name }) => name));
    this.#keepsPlain = data.every((matcher) => compileMatcher(matcher).matchesEmpty);
    for (const [row, labels] of info.labels.entries()) {
      const identity = identityOf(labels);
      const names = this.#byIdentity.get(identity) ?? new Map<string, number[]>();
      this.#byIdentity.set(identity, names);
      const name = labelValue(labels, METRIC_NAME);
      const rows = names.get(name);
      if (rows === undefined) names.set(name, [row]);
      else rows.push(row);
    }
  }

  /** Hands a series on as it is. */
  pass(base: StepBatch, row: number, labels: Labels): void {
    for (let step = 0; step < base.steps; step++)
      if (base.present[row * base.steps + step] === 1) this.#put(labels, base, row, step);
  }

  /** Enriches a series at each of its steps. */
  add(base: StepBatch, row: number): void {
    const labels = base.labels[row]!;
    const groups = [...(this.#byIdentity.get(identityOf(labels)) ?? [])].sort(([a], [b]) => (a < b ? -1 : 1));
    const made = new Map<string, Labels | undefined>();
    for (let step = 0; step < base.steps; step++) {
      if (base.present[row * base.steps + step] === 0) continue;
      const chosen = groups.map(([, rows]) => this.#newest(rows, step));
      const key = chosen.join();
      if (!made.has(key)) made.set(key, this.#enriched(labels, chosen));
      const result = made.get(key);
      if (result !== undefined) this.#put(result, base, row, step);
    }
  }

  // Of the info series of one metric the one with the newest sample, or -1.
  #newest(rows: readonly number[], step: number): number {
    const { steps, values, present, labels } = this.#info;
    let best = -1;
    for (const row of rows) {
      if (present[row * steps + step] === 0) continue;
      const time = values[row * steps + step]!;
      const bestTime = best < 0 ? -Infinity : values[best * steps + step]!;
      if (time === bestTime) throw duplicateInfo([labels[best]!, labels[row]!], time);
      if (time > bestTime) best = row;
    }
    return best;
  }

  // The labels with those of the chosen info series; undefined when the series has none and goes.
  #enriched(base: Labels, chosen: readonly number[]): Labels | undefined {
    const rows = chosen.filter((row) => row >= 0);
    if (rows.length === 0) return this.#keepsPlain ? base : undefined;
    const added = new Map<string, string>();
    for (const row of rows) {
      const labels = this.#info.labels[row]!;
      for (let i = hasNameNote(labels) ? 2 : 0; i < labels.length; i += 2) {
        const name = labels[i]!;
        if (name === METRIC_NAME || (this.#wanted.size > 0 && !this.#wanted.has(name))) continue;
        const value = labels[i + 1]!;
        const other = added.get(name);
        if (other !== undefined && other !== value)
          throw new DomainError('execution', `conflicting label: ${name}`);
        if (labelValue(base, name) === '') added.set(name, value);
      }
    }
    let result = base;
    for (const [name, value] of added) result = labelsWith(result, name, value);
    return result;
  }

  #put(labels: Labels, base: StepBatch, row: number, step: number): void {
    const key = labelsKey(labels);
    let target = this.#rowOf.get(key);
    if (target === undefined) {
      target = this.#output.open(labels);
      this.#rowOf.set(key, target);
    }
    const cell = target * base.steps + step;
    if (this.#output.present[cell] === 1) throw sameLabelsError();
    this.#output.present[cell] = 1;
    this.#output.values[cell] = base.values[row * base.steps + step]!;
    const histogram = histogramOfCell(base, row * base.steps + step);
    if (histogram !== undefined) this.#output.histogram(cell, histogram.columns, histogram.row);
  }
}

// Named in the order of their labels, so that the text does not hang on the partitions.
function duplicateInfo(pair: readonly [Labels, Labels], seconds: number): DomainError {
  const [first, second] = pair.toSorted(compareLabels).map(labelSetText);
  const ms = Math.round(seconds * 1000);
  const text = `found duplicate series for info metric: existing ${first} @ ${ms}, new ${second} @ ${ms}`;
  return new DomainError('execution', text);
}

function identityOf(labels: Labels): string {
  return IDENTIFYING.map((name) => labelValue(labels, name)).join('\xff');
}
