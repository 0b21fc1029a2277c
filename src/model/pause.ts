// Long synchronous work gives way to others now and then through a pause handed in from outside.

/** Lets others run; called often, so an implementation may return at once while its time slice lasts. */
export type Pause = () => Promise<void> | void;

/** Cells of step batches worked on between two calls of a pause: some tenths of a millisecond. */
const CELLS_BETWEEN_PAUSES = 64 * 1024;
/** What a row costs beside its cells, in cells: its labels are looked at, too. */
const ROW_CELLS = 64;

/** After how many rows of `steps` cells work should pause. */
export function rowsBetweenPauses(steps: number): number {
  return Math.max(1, Math.floor(CELLS_BETWEEN_PAUSES / (steps + ROW_CELLS)));
}
