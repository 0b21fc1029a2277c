// Mergeable state of an aggregation in columns: one cell per group and step, group g's cells at g * steps. Rows of input series
// are added to it by the kernels beside this file.

/** The state. Each column holds `capacity * steps` cells; `seen` is 1 where a sample has arrived. */
export interface GroupColumns {
  readonly steps: number;
  seen: Uint8Array;
  columns: Float64Array[];
  /** Groups there is room for. */
  capacity: number;
}

/** The samples of one input series: cells `from` to `from + steps`. */
export interface RowCells {
  values: Float64Array;
  present: Uint8Array;
  from: number;
}

/** One group's state from elsewhere: columns of `steps` cells, valid where `seen` is 1. */
export interface PartialCells {
  readonly seen: Uint8Array;
  readonly columns: readonly Float64Array[];
}

/** How one operator keeps its state. `base` is the first cell of the group. */
export interface GroupKernel {
  /** Columns of the state. */
  readonly columns: number;
  /** Adds one input series. */
  add(state: GroupColumns, base: number, row: RowCells): void;
  /** Adds a state of the same group. */
  merge(state: GroupColumns, base: number, partial: PartialCells): void;
  /** Writes the group's values into `output` from cell 0 on, valid where `seen` is 1. */
  finish(state: GroupColumns, base: number, output: Float64Array): void;
}

/** An empty state with room for `capacity` groups. */
export function groupColumns(columns: number, steps: number, capacity: number): GroupColumns {
  const cells = capacity * steps;
  return {
    steps,
    seen: new Uint8Array(cells),
    columns: Array.from({ length: columns }, () => new Float64Array(cells)),
    capacity,
  };
}

/** Makes room for `capacity` groups; keeps what is there. The old columns' memory is free at once, not when garbage is collected. */
export function growGroups(state: GroupColumns, capacity: number): void {
  resizeGroups(state, capacity);
}

/** Gives the memory of a state back that is of no more use. */
export function freeGroups(state: GroupColumns): void {
  resizeGroups(state, 0);
}

function resizeGroups(state: GroupColumns, capacity: number): void {
  const cells = capacity * state.steps;
  state.seen = new Uint8Array(bufferOf(state.seen).transfer(cells));
  state.columns = state.columns.map((column) => new Float64Array(bufferOf(column).transfer(cells * 8)));
  state.capacity = capacity;
}

// A state's columns are all of their buffers.
function bufferOf(column: Uint8Array | Float64Array): ArrayBuffer {
  return column.buffer as ArrayBuffer;
}
