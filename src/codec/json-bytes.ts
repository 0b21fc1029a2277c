// JSON as UTF-8 bytes, written straight into memory: no string per number or label. An answer of a million points is mostly
// digits, and most of its labels repeat from series to series.

import { formatSampleValue } from './float-text.ts';

/** ASCII texts up to this length are written by a loop: the runtime's encoder costs more than that for each call. */
const SHORT_TEXT = 64;
/** Distinct texts whose JSON is remembered. */
const REMEMBERED_MAX = 20_000;
/** Whole numbers below this have an exact decimal of at most 15 digits. */
const WHOLE_MAX = 1e15;
const EIGHT_DIGITS = 1e8;
const ZERO = 48;
const NOTHING = Buffer.alloc(0);

/** Memory that JSON is written to and taken out of piece by piece. */
export class JsonBytes {
  #bytes: Buffer = NOTHING;
  // Bytes to allocate when there is something to write again.
  #next = 1024;
  #length = 0;
  readonly #pieceBytes: number;
  // JSON of texts: text i is #known[#starts[i]..#ends[i]).
  readonly #indexes = new Map<string, number>();
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  #known = Buffer.allocUnsafe(1024);
  #knownLength = 0;
  // The labels written last, in the piece being written: pair i begins at #pairBegins[i], one place behind the end of pair i - 1.
  #labels: readonly string[] = [];
  readonly #pairBegins: number[] = [];

  /** Pieces come in about `pieceBytes`. */
  constructor(pieceBytes: number) {
    this.#pieceBytes = pieceBytes;
  }

  /** Whether a piece is ready to be taken. */
  get full(): boolean {
    return this.#length >= this.#pieceBytes;
  }

  /** What was written since the last call; the caller owns it. */
  take(): Uint8Array<ArrayBuffer> {
    const piece = this.#bytes.subarray(0, this.#length) as Buffer<ArrayBuffer>;
    this.#next = Math.min(this.#length * 2, this.#pieceBytes) + 4096;
    this.#bytes = NOTHING;
    this.#length = 0;
    this.#labels = [];
    return piece;
  }

  /** Text as it is. */
  raw(text: string): void {
    const { length } = text;
    this.#reserve(length * 3);
    if (length <= SHORT_TEXT && this.#ascii(text)) return;
    this.#length += this.#bytes.write(text, this.#length, 'utf8');
  }

  // Writes a short text when it is ASCII. Room for it is there.
  #ascii(text: string): boolean {
    const bytes = this.#bytes;
    const at = this.#length;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code >= 0x80) return false;
      bytes[at + i] = code;
    }
    this.#length = at + text.length;
    return true;
  }

  /** Bytes [from, to) of `source` as they are; for a few dozen. */
  copy(source: Uint8Array, from: number, to: number): void {
    this.#reserve(to - from);
    const bytes = this.#bytes;
    let at = this.#length;
    for (let i = from; i < to; i++) bytes[at++] = source[i]!;
    this.#length = at;
  }

  /** A text as a JSON string. */
  text(text: string): void {
    const index = this.#indexes.get(text) ?? this.#remember(text);
    const start = this.#starts[index]!;
    const end = this.#ends[index]!;
    if (end - start <= SHORT_TEXT) {
      this.copy(this.#known, start, end);
      return;
    }
    this.#reserve(end - start);
    this.#bytes.set(this.#known.subarray(start, end), this.#length);
    this.#length += end - start;
  }

  #remember(text: string): number {
    if (this.#starts.length >= REMEMBERED_MAX) {
      this.#indexes.clear();
      this.#starts.length = 0;
      this.#ends.length = 0;
      this.#knownLength = 0;
    }
    const json = plainText(text);
    const needed = this.#knownLength + json.length * 3;
    if (needed > this.#known.length) {
      const grown = Buffer.allocUnsafe(Math.max(needed, this.#known.length * 2));
      grown.set(this.#known.subarray(0, this.#knownLength));
      this.#known = grown;
    }
    const index = this.#starts.length;
    this.#starts.push(this.#knownLength);
    this.#knownLength += this.#known.write(json, this.#knownLength, 'utf8');
    this.#ends.push(this.#knownLength);
    this.#indexes.set(text, index);
    return index;
  }

  /**
   * Flat pairs of names and values as a JSON object. Labels in order share most pairs with the ones before, at the same places:
   * runs of those are copied from where they were written last.
   */
  labels(labels: readonly string[]): void {
    const before = this.#labels;
    const begins = this.#pairBegins;
    const { length } = labels;
    this.#byte(123); // {
    for (let i = 0; i < length; ) {
      if (i > 0) this.#byte(44); // ,
      let end = i;
      while (end < before.length && end < length && labels[end] === before[end]) end++;
      end &= ~1;
      if (end > i) this.#again(i >> 1, end >> 1);
      else {
        begins[i >> 1] = this.#length;
        this.text(labels[i]!);
        this.#byte(58); // :
        this.text(labels[i + 1]!);
        end = i + 2;
      }
      i = end;
    }
    begins[length >> 1] = this.#length + 1;
    this.#byte(125); // }
    this.#labels = labels;
  }

  // Writes pairs [first, end) of the last labels once more.
  #again(first: number, end: number): void {
    const begins = this.#pairBegins;
    const from = begins[first]!;
    const bytes = begins[end]! - 1 - from; // without the comma or brace behind them
    this.#reserve(bytes);
    if (bytes <= SHORT_TEXT) this.copy(this.#bytes, from, from + bytes);
    else {
      this.#bytes.copyWithin(this.#length, from, from + bytes);
      this.#length += bytes;
    }
    const moved = this.#length - bytes - from;
    for (let pair = first; pair < end; pair++) begins[pair] = begins[pair]! + moved;
  }

  #byte(code: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = code;
  }

  /** A sample value without quotes, as formatSampleValue prints it. */
  sample(value: number): void {
    this.#reserve(64);
    if (Math.floor(value) === value && value < WHOLE_MAX && value > -WHOLE_MAX) {
      if (value !== 0) {
        this.#whole(value, 0);
        return;
      }
    } else if (value < 1e12 && value > -1e12 && this.#shortDecimal(value)) return;
    this.#ascii(formatSampleValue(value));
  }

  // Values with up to three decimals. A decimal of at most 15 digits that reads back as the value is its shortest.
  #shortDecimal(value: number): boolean {
    let scaled = Math.round(value * 10);
    if (scaled / 10 === value) return this.#decimal(scaled, 1);
    scaled = Math.round(value * 100);
    if (scaled / 100 === value) return this.#decimal(scaled, 2);
    scaled = Math.round(value * 1000);
    return scaled / 1000 === value && this.#decimal(scaled, 3);
  }

  #decimal(scaled: number, decimals: number): boolean {
    if (scaled === 0 || Math.abs(scaled) >= WHOLE_MAX) return false;
    this.#whole(scaled, decimals);
    return true;
  }

  // A whole number other than 0 with a point before its last `decimals` digits. Room for it is there.
  #whole(value: number, decimals: number): void {
    let rest = value;
    if (value < 0) {
      this.#bytes[this.#length++] = 45; // -
      rest = -value;
    }
    const digits = Math.max(digitsOf(rest), decimals + 1);
    const high = rest < EIGHT_DIGITS ? 0 : Math.floor(rest / EIGHT_DIGITS);
    const end = this.#length + digits + (decimals > 0 ? 1 : 0);
    const point = decimals > 0 ? end - decimals - 1 : -1;
    let part = (rest - high * EIGHT_DIGITS) | 0;
    let at = end - 1;
    for (let i = 0; i < digits; i++) {
      if (i === 8) part = high | 0;
      const tenth = (part / 10) | 0;
      if (at === point) this.#bytes[at--] = 46; // .
      this.#bytes[at--] = ZERO + part - tenth * 10;
      part = tenth;
    }
    this.#length = end;
  }

  #reserve(extra: number): void {
    const needed = this.#length + extra;
    if (needed <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 4, this.#next));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}

function digitsOf(value: number): number {
  let digits = 1;
  for (let limit = 10; value >= limit; limit *= 10) digits++;
  return digits;
}

// Backspace and form feed, which JSON.stringify shortens to \b and \f.
const SHORTENED = /[\b\f]/;
const SHORT_FORMS = /\\(?:b|f|.)/g;

/** A text inside series as jsoniter's WriteString has it. */
export function plainText(text: string): string {
  const json = JSON.stringify(text);
  if (!SHORTENED.test(text)) return json;
  // Each escape is taken whole, so that an escaped backslash hides no b or f.
  return json.replace(SHORT_FORMS, (form) =>
    form === '\\b' ? '\\u0008' : form === '\\f' ? '\\u000c' : form,
  );
}
