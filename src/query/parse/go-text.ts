// Go's way with quoted text, which PromQL's strings and Prometheus's messages follow: strconv.Quote, the %q and %#U verbs,
// strconv.FormatFloat, and the reading of string literals (util/strutil/quote.go as the reference).

const SHORT_ESCAPES: ReadonlyMap<string, string> = new Map([
  ['a', '\x07'],
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
  ['v', '\v'],
  ['\\', '\\'],
  ["'", "'"],
  ['"', '"'],
]);
const SHORT_BY_CHAR: ReadonlyMap<string, string> = new Map(
  [...SHORT_ESCAPES].filter(([name]) => /[a-z\\]/.test(name)).map(([name, char]) => [char, `\\${name}`]),
);
/** A byte b >= 0x80 that is not part of UTF-8 stands in a string as the lone surrogate BYTE_BASE + b. */
const BYTE_BASE = 0xdc00;
const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;

/** strconv.Quote: double quotes, Go's escapes for what does not print. */
export function goQuote(text: string): string {
  if (/^[ !#-[\]-~]*$/.test(text)) return `"${text}"`;
  let out = '"';
  for (const char of text) out += char === '"' ? '\\"' : escapeChar(char);
  return `${out}"`;
}

/** %q of a rune: single quotes; `undefined` stands for the end of the text, which Go shows as the replacement character. */
export function goQuoteRune(char: string | undefined): string {
  if (char === undefined) return "'\ufffd'";
  return char === "'" ? "'\\''" : `'${escapeChar(char)}'`;
}

/** %#U of a rune: `U+0078 'x'`. */
export function goUnicode(char: string): string {
  const hex = (char.codePointAt(0) as number).toString(16).toUpperCase().padStart(4, '0');
  return PRINTABLE.test(char) ? `U+${hex} '${char}'` : `U+${hex}`;
}

function escapeChar(char: string): string {
  const short = SHORT_BY_CHAR.get(char);
  if (short !== undefined) return short;
  if (PRINTABLE.test(char)) return char;
  const code = char.codePointAt(0) as number;
  if (code < 0x20 || code === 0x7f) return `\\x${code.toString(16).padStart(2, '0')}`;
  if (code >= BYTE_BASE + 0x80 && code <= BYTE_BASE + 0xff) return `\\x${(code - BYTE_BASE).toString(16)}`;
  return code < 0x10000
    ? `\\u${code.toString(16).padStart(4, '0')}`
    : `\\U${code.toString(16).padStart(8, '0')}`;
}

const ESCAPE = /\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|([abfnrtv\\'"]))/g;

/**
 * The value of a string literal with its quotes (double, single or back quotes); the lexer has checked its escapes.
 * Bytes written as `\xff` or `\377` that do not make UTF-8 become lone surrogates (0xdc00 + byte): such a text is not
 * well-formed, so it is no valid label name; goQuote prints the bytes again, and encoders write the replacement character.
 */
export function unquote(literal: string): string {
  const body = literal.slice(1, -1);
  if (literal[0] === '`' || !body.includes('\\')) return body;
  if (/\\(?:x[89a-fA-F]|[23])/.test(body)) return unquoteBytes(body);
  return body.replace(ESCAPE, (_all, ...groups: (string | undefined)[]) => escapeValue(groups));
}

function escapeValue([hex2, hex4, hex8, octal, short]: (string | undefined)[]): string {
  if (short !== undefined) return SHORT_ESCAPES.get(short) as string;
  if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8));
  return String.fromCodePoint(Number.parseInt((hex2 ?? hex4 ?? hex8) as string, 16));
}

function unquoteBytes(body: string): string {
  const chunks: Buffer[] = [];
  let at = 0;
  for (const found of body.matchAll(ESCAPE)) {
    chunks.push(Buffer.from(body.slice(at, found.index)));
    const [all, hex2, , , octal] = found;
    if (hex2 !== undefined) chunks.push(Buffer.of(Number.parseInt(hex2, 16)));
    else if (octal !== undefined) chunks.push(Buffer.of(Number.parseInt(octal, 8)));
    else chunks.push(Buffer.from(escapeValue(found.slice(1))));
    at = found.index + all.length;
  }
  chunks.push(Buffer.from(body.slice(at)));
  return decodeBytes(Buffer.concat(chunks));
}

function decodeBytes(bytes: Buffer): string {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let out = '';
  for (let at = 0; at < bytes.length; ) {
    const lead = bytes[at] as number;
    const length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    try {
      out += decoder.decode(bytes.subarray(at, at + length));
      at += length;
    } catch {
      out += String.fromCharCode(BYTE_BASE + lead);
      at++;
    }
  }
  return out;
}

/** strconv.FormatFloat(value, 'f', -1, 64): shortest digits, never an exponent. */
export function formatFloat(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  if (Object.is(value, -0)) return '-0';
  const text = String(value);
  const found = /^(-?)(\d+)(?:\.(\d+))?e([+-]\d+)$/.exec(text);
  if (found === null) return text;
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = found;
  const digits = whole + fraction;
  const point = whole.length + Number(exponent);
  if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${digits}`;
  return `${sign}${digits.padEnd(point, '0')}`;
}

/** %v of a float64: as formatFloat, with an exponent below 1e-4 and from 1e21 on. */
export function formatFloatShort(value: number): string {
  const magnitude = Math.abs(value);
  if (!Number.isFinite(value) || value === 0 || (magnitude >= 1e-4 && magnitude < 1e21))
    return formatFloat(value);
  return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
}
