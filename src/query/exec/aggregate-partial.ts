// Aggregation states as bytes, for the way from a shard to the querier:
//
//   u8 version · uvarint operator · uvarint steps · uvarint columns · uvarint groups
//   per group: uvarint label texts, each a text · u8 presence (0 none, 1 all steps, 2 bitmap follows) ·
//              per column: u8 form (1 one value for all present steps, 2 one value each) · float64 values
//
// Floats are little-endian and travel as bytes, so that NaN payloads and compensations arrive as they were.

import { ByteReader, ByteWriter } from '../../codec/bytes.ts';
import type { Labels } from '../../model/labels.ts';
import type { GroupColumns, PartialCells } from '../kernels/group-columns.ts';

/** First byte of these states. */
export const VERSION = 1;
const NONE = 0;
const ALL = 1;
const SOME = 2;
const CONSTANT = 1;
const EACH = 2;
const WRITER_BYTES_MAX = 64 << 20;

/** What a reader of partial states must agree on with their writer. */
export interface PartialShape {
  /** Number of the operator. */
  readonly operator: number;
  readonly steps: number;
  readonly columns: number;
}

/** Encodes the first `labels.length` groups of a state. */
export function encodeGroups(
  shape: PartialShape,
  labels: readonly Labels[],
  state: GroupColumns,
): Uint8Array {
  const { operator, steps, columns } = shape;
  // Memory that is not written to costs nothing; growing would touch all of it twice.
  const writer = new ByteWriter(Math.min(WRITER_BYTES_MAX, 64 + labels.length * (96 + columns * steps * 8)));
  writer.u8(VERSION);
  for (const number of [operator, steps, columns, labels.length]) writer.uvarint(number);
  const scratch = new Float64Array(steps);
  for (let group = 0; group < labels.length; group++) {
    writeLabels(writer, labels[group]!);
    const base = group * steps;
    const count = writePresence(writer, state.seen, base, steps);
    for (const column of state.columns) {
      let filled = 0;
      for (let i = base; i < base + steps; i++) if (state.seen[i] === 1) scratch[filled++] = column[i]!;
      writeColumn(writer, scratch.subarray(0, count));
    }
  }
  return writer.length * 2 > writer.bytes.length ? writer.written() : writer.copy();
}

function writeLabels(writer: ByteWriter, labels: Labels): void {
  writer.uvarint(labels.length);
  for (const text of labels) writer.text(text);
}

function writePresence(writer: ByteWriter, seen: Uint8Array, base: number, steps: number): number {
  let count = 0;
  for (let i = base; i < base + steps; i++) count += seen[i]!;
  writer.u8(count === 0 ? NONE : count === steps ? ALL : SOME);
  if (count === 0 || count === steps) return count;
  const bits = new Uint8Array((steps + 7) >> 3);
  for (let i = 0; i < steps; i++) bits[i >> 3]! |= seen[base + i]! << (i & 7);
  writer.raw(bits);
  return count;
}

function writeColumn(writer: ByteWriter, values: Float64Array): void {
  if (values.length === 0) return;
  let constant = true;
  for (let i = 1; i < values.length && constant; i++) constant = Object.is(values[i], values[0]);
  const sent = constant ? values.subarray(0, 1) : values;
  writer.u8(constant ? CONSTANT : EACH);
  writer.raw(new Uint8Array(sent.buffer, sent.byteOffset, sent.byteLength));
}

/**
 * Decodes what encodeGroups wrote and hands each group to `take`; `cells` is borrowed until it returns. `corrupt` when the
 * bytes do not hold together or belong to another operator or grid.
 */
export function decodeGroups(
  bytes: Uint8Array,
  shape: PartialShape,
  take: (labels: Labels, cells: PartialCells) => void,
): void {
  const reader = new ByteReader(bytes, 'aggregation state');
  const { steps } = shape;
  expectNumber(reader, reader.u8(), VERSION, 'version');
  expectNumber(reader, reader.uvarint(), shape.operator, 'operator');
  expectNumber(reader, reader.uvarint(), steps, 'steps');
  expectNumber(reader, reader.uvarint(), shape.columns, 'columns');
  const groups = reader.count(2);
  const sent = new Float64Array(steps);
  const scratch: Scratch = { sent, bytes: new Uint8Array(sent.buffer) };
  const cells = {
    seen: new Uint8Array(steps),
    columns: Array.from({ length: shape.columns }, () => new Float64Array(steps)),
  };
  for (let group = 0; group < groups; group++) {
    const labels = readLabels(reader);
    const count = readPresence(reader, cells.seen);
    for (const column of cells.columns) readColumn(reader, { column, seen: cells.seen, count }, scratch);
    take(labels, cells);
  }
  if (reader.left !== 0) throw reader.error(`${reader.left} bytes too many`);
}

function expectNumber(reader: ByteReader, found: number, wanted: number, what: string): void {
  if (found !== wanted) throw reader.error(`${what} ${found}, expected ${wanted}`);
}

function readLabels(reader: ByteReader): Labels {
  const count = reader.count(1);
  if (count % 2 !== 0) throw reader.error(`${count} label texts`);
  const labels: string[] = [];
  for (let i = 0; i < count; i++) labels.push(reader.text());
  return labels;
}

function readPresence(reader: ByteReader, seen: Uint8Array): number {
  const form = reader.u8();
  if (form > SOME) throw reader.error(`presence of form ${form}`);
  seen.fill(form === ALL ? 1 : 0);
  if (form === NONE) return 0;
  if (form === ALL) return seen.length;
  const bits = reader.raw((seen.length + 7) >> 3);
  let count = 0;
  for (let i = 0; i < seen.length; i++) count += seen[i] = (bits[i >> 3]! >> (i & 7)) & 1;
  return count;
}

/** One column as it was sent, and the same memory as bytes. */
interface Scratch {
  readonly sent: Float64Array;
  readonly bytes: Uint8Array;
}

function readColumn(
  reader: ByteReader,
  { column, seen, count }: { column: Float64Array; seen: Uint8Array; count: number },
  { sent, bytes }: Scratch,
): void {
  if (count === 0) return;
  const form = reader.u8();
  if (form !== CONSTANT && form !== EACH) throw reader.error(`column of form ${form}`);
  bytes.set(reader.raw(8 * (form === CONSTANT ? 1 : count)));
  let next = 0;
  for (let i = 0; i < seen.length; i++) {
    if (seen[i] === 0) continue;
    column[i] = sent[next]!;
    if (form === EACH) next++;
  }
}
