// Numbers as Go prints them. Both languages give the shortest digits that read back as the same float64; they differ in when
// an exponent is used, in how it is written, and in -0 and the infinities. Sources: Go strconv.FormatFloat and fmt,
// Prometheus util/jsonutil/marshal.go.

/** strconv.FormatFloat(value, 'f', -1, 64): shortest digits, never an exponent; "NaN", "+Inf", "-Inf", "-0". */
export function formatFloat(value: number): string {
  const text = String(value);
  if (value >= 1e21 || value <= -1e21 || (value < 1e-6 && value > -1e-6)) return plainDecimal(value, text);
  return text;
}

/** A sample value in the JSON of Prometheus's HTTP API: like formatFloat, with an exponent below 1e-6 and from 1e21 on. */
export function formatSampleValue(value: number): string {
  if (value < 1e21 && value >= 1e-6) return String(value);
  if (value === 0) return Object.is(value, -0) ? '-0' : '0';
  if (value === Infinity) return '+Inf';
  if (value === -Infinity) return '-Inf';
  const magnitude = Math.abs(value);
  return magnitude < 1e-6 || magnitude >= 1e21 ? goExponent(value.toExponential()) : String(value);
}

/** fmt's %g: shortest digits, an exponent below 1e-4 and from 1e6 on (1e+06). */
export function formatGeneral(value: number): string {
  if (!Number.isFinite(value) || value === 0) return formatFloat(value);
  const text = value.toExponential();
  return general(value, text, 6);
}

/** fmt's %.<digits>f. */
export function formatFixed(value: number, digits: number): string {
  if (!Number.isFinite(value)) return formatFloat(value);
  return Object.is(value, -0) ? `-${(0).toFixed(digits)}` : value.toFixed(digits);
}

/** fmt's %.<digits>g: at most `digits` significant digits, trailing zeros dropped. */
export function formatSignificant(value: number, digits: number): string {
  if (!Number.isFinite(value) || value === 0) return formatFloat(value);
  const text = roundHalfEven(value, digits)
    .replace(/(\.\d*?)0*e/, '$1e')
    .replace('.e', 'e');
  const significant = text.replace(/^-?|\.|e.*$/g, '').length;
  const exponent = Number(text.slice(text.indexOf('e') + 1));
  return general(Number(text), text, digits > significant && significant > exponent ? significant : digits);
}

// toExponential rounds a tie away from zero, Go to the even digit. A tie shows as 5 and nothing but zeros behind the digits.
function roundHalfEven(value: number, digits: number): string {
  const exact = value.toExponential(100);
  const cut = exact.indexOf('.') + digits;
  const tie = /^50*e/.test(exact.slice(cut));
  if (!tie || '13579'.includes(exact.charAt(cut - 1))) return value.toExponential(digits - 1);
  return exact.slice(0, cut) + exact.slice(exact.indexOf('e'));
}

// Go takes the exponent form when the decimal exponent is < -4 or >= `limit`.
function general(value: number, exponential: string, limit: number): string {
  const exponent = Number(exponential.slice(exponential.indexOf('e') + 1));
  return exponent < -4 || exponent >= limit ? goExponent(exponential) : formatFloat(value);
}

// Go writes at least two digits of exponent: 1e-7 becomes 1e-07.
function goExponent(text: string): string {
  const at = text.indexOf('e') + 2;
  return text.length - at >= 2 ? text : `${text.slice(0, at)}0${text.slice(at)}`;
}

function plainDecimal(value: number, text: string): string {
  if (value === 0) return Object.is(value, -0) ? '-0' : '0';
  if (value === Infinity) return '+Inf';
  if (value === -Infinity) return '-Inf';
  const sign = value < 0 ? '-' : '';
  const [mantissa = '', power = '0'] = text.slice(sign.length).split('e');
  const [whole = '', fraction = ''] = mantissa.split('.');
  const digits = whole + fraction;
  const point = whole.length + Number(power);
  if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${digits}`;
  return `${sign}${digits.padEnd(point, '0')}`;
}
