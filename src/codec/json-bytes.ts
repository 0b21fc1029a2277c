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
/** The two digits of 0 to 99, as a little-endian uint16. */
const DIGIT_PAIRS = Uint16Array.from(
  { length: 100 },
  (_, i) => ZERO + Math.floor(i / 10) + 256 * (ZERO + (i % 10)),
);
const NOTHING = Buffer.alloc(0);

/** Memory that JSON is written to and taken out of piece by piece. */
export class JsonBytes {
  #bytes: Buffer = NOTHING;
  #view = viewOf(NOTHING);
  // Bytes to allocate when there is something to write again.
  #next = 1024;
  #length = 0;
  readonly #pieceBytes: number;
  // JSON of texts: text i is #known[#starts[i]..#ends[i]).
  readonly #indexes = new Map<string, number>();
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];
  #known = Buffer.allocUnsafe(1024);
  #knownView = viewOf(this.#known);
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
    // The next one will be about as long.
    this.#next = this.#length + (this.#length >>> 3);
    this.#bytes = NOTHING;
    this.#view = viewOf(NOTHING);
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

  /** Bytes as they are. */
  bytes(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** Bytes [from, to) of `source` as they are; for a few dozen, word by word. */
  copy(source: DataView, from: number, to: number): void {
    this.#reserve(to - from);
    const view = this.#view;
    const start = this.#length;
    const shift = start - from;
    this.#length = start + to - from;
    if (to - from < 4) {
      for (let i = from; i < to; i++) view.setUint8(i + shift, source.getUint8(i));
      return;
    }
    const last = to - 4; // the last word may overlap the one before
    for (let i = from; i < last; i += 4) view.setInt32(i + shift, source.getInt32(i, true), true);
    view.setInt32(last + shift, source.getInt32(last, true), true);
  }

  /** A text as a JSON string. */
  text(text: string): void {
    const index = this.#indexes.get(text) ?? this.#remember(text);
    const start = this.#starts[index]!;
    const end = this.#ends[index]!;
    if (end - start <= SHORT_TEXT) {
      this.copy(this.#knownView, start, end);
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
      this.#knownView = viewOf(grown);
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
    if (bytes <= SHORT_TEXT) this.copy(this.#view, from, from + bytes);
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
        this.#whole(this.#sign(value));
        return;
      }
    } else if (value < 1e12 && value > -1e12 && this.#shortDecimal(value)) return;
    this.#ascii(formatSampleValue(value));
  }

  // Values with up to three decimals. A decimal of at most 15 digits that reads back as the value is its shortest.
  #shortDecimal(value: number): boolean {
    let scaled = Math.round(value * 10);
    if (scaled / 10 === value) return this.#decimal(scaled, 10);
    scaled = Math.round(value * 100);
    if (scaled / 100 === value) return this.#decimal(scaled, 100);
    scaled = Math.round(value * 1000);
    return scaled / 1000 === value && this.#decimal(scaled, 1000);
  }

  // Writes scaled / unit; unit: 10, 100 or 1000.
  #decimal(scaled: number, unit: number): boolean {
    if (scaled === 0 || Math.abs(scaled) >= WHOLE_MAX) return false;
    const rest = this.#sign(scaled);
    const whole = Math.floor(rest / unit);
    this.#whole(whole);
    const bytes = this.#bytes;
    bytes[this.#length++] = 46; // .
    let part = (rest - whole * unit) | 0;
    for (let place = unit / 10; place >= 1; place /= 10) {
      const digit = (part / place) | 0;
      bytes[this.#length++] = ZERO + digit;
      part -= digit * place;
    }
    return true;
  }

  // Writes the sign of a number and returns it without. Room for it is there.
  #sign(value: number): number {
    if (value >= 0) return value;
    this.#bytes[this.#length++] = 45; // -
    return -value;
  }

  // A whole number from 0 on, two digits at a time from the end. Room for it is there.
  #whole(value: number): void {
    const view = this.#view;
    const high = value < EIGHT_DIGITS ? 0 : Math.floor(value / EIGHT_DIGITS);
    let part = (value - high * EIGHT_DIGITS) | 0;
    const start = this.#length;
    const end = start + (high > 0 ? 8 + digitsOf(high) : digitsOf(part));
    let at = end;
    for (let i = 0; high > 0 && i < 4; i++) {
      const rest = (part / 100) | 0;
      at -= 2;
      view.setUint16(at, DIGIT_PAIRS[part - rest * 100]!, true);
      part = rest;
    }
    if (high > 0) part = high | 0;
    while (part >= 10) {
      const rest = (part / 100) | 0;
      at -= 2;
      view.setUint16(at, DIGIT_PAIRS[part - rest * 100]!, true);
      part = rest;
    }
    if (at > start) view.setUint8(start, ZERO + part);
    this.#length = end;
  }

  #reserve(extra: number): void {
    const needed = this.#length + extra;
    if (needed <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.#bytes.length * 4, this.#next));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
    this.#view = viewOf(grown);
  }
}

function viewOf({ buffer, byteOffset, byteLength }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, byteLength);
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
