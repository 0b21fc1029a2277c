// What prints a row of samples as JSON for prom-json.ts, where there is something faster than it.

/** What stands before a value, the end of the value before it and the time, for each step end to end. */
export interface Stamps {
  readonly bytes: DataView;
  readonly starts: Uint32Array;
}

/** Rows of `steps` cells. */
export interface PrintableRows {
  readonly steps: number;
  readonly values: Float64Array;
  readonly present: Uint8Array;
}

/** Prints rows whose values are all floats. */
export interface RowPrinter {
  /**
   * The values of the row that begins at cell `from`, from step `first` on, each after its stamp; of the first stamp `skip` bytes are
   * left out. Borrowed until the next call; undefined for a row that is too long. Numbers are printed as formatSampleValue does.
   */
  printRow(
    rows: PrintableRows,
    from: number,
    first: number,
    stamps: Stamps,
    skip: number,
  ): Uint8Array | undefined;
}
