// Which group a series belongs to: `by` keeps only the named labels, `without` all but them and the metric name. Looks only
// at the labels that decide, once per series.

import { type Labels, labelsDrop, labelValue, METRIC_NAME } from '../../model/labels.ts';
import { compareText } from '../../model/text.ts';
import { joinNameNotes, NAME_NOTE } from './name-note.ts';

/** The grouping clause of an aggregation. */
export interface Grouping {
  readonly grouping: readonly string[];
  readonly without: boolean;
}

/** Numbers groups from 0 in order of appearance. */
export class GroupTable {
  /** Labels of each group. */
  readonly labels: Labels[] = [];
  readonly #names: readonly string[];
  readonly #dropped: ReadonlySet<string>;
  readonly #without: boolean;
  readonly #byName: boolean;
  readonly #groups = new Map<string, number>();
  #lastKey: string | undefined;
  #lastGroup = 0;

  constructor({ grouping, without }: Grouping) {
    this.#without = without;
    this.#names = [...new Set(grouping)].sort(compareText);
    this.#dropped = new Set([...grouping, METRIC_NAME, NAME_NOTE]);
    this.#byName = !without && grouping.includes(METRIC_NAME);
  }

  /** The group of a series; a new one when it is the first of its kind. */
  groupOf(series: Labels): number {
    const key = this.#without ? keyWithout(series, this.#dropped) : keyBy(series, this.#names);
    let group = key === this.#lastKey ? this.#lastGroup : this.#groups.get(key);
    if (group === undefined) {
      group = this.labels.length;
      this.labels.push(this.#without ? labelsDrop(series, this.#dropped) : keepNames(series, this.#names));
      this.#groups.set(key, group);
    }
    if (this.#byName) this.labels[group] = joinNameNotes(this.labels[group]!, series);
    this.#lastKey = key;
    this.#lastGroup = group;
    return group;
  }
}

// Values of the named labels, in the order of the names; both are sorted, so one walk does.
function keyBy(series: Labels, names: readonly string[]): string {
  if (names.length === 0) return '';
  if (names.length === 1) return labelValue(series, names[0]!);
  let key = '';
  for (let i = 0; i < names.length; i++) key += `${labelValue(series, names[i]!)}\xff`;
  return key;
}

function keyWithout(series: Labels, dropped: ReadonlySet<string>): string {
  let key = '';
  for (let i = 0; i < series.length; i += 2)
    if (!dropped.has(series[i]!)) key += `${series[i]!}\xff${series[i + 1]!}\xff`;
  return key;
}

function keepNames(series: Labels, names: readonly string[]): Labels {
  const out: string[] = [];
  for (const name of names) {
    const value = labelValue(series, name);
    if (value !== '') out.push(name, value);
  }
  return out;
}
