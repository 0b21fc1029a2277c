// Texts of errors and notes are compared without what may differ in them; each pattern has its reason.

type Replacement = string | ((...groups: string[]) => string);

/** Messages that say the same in other words, each with the reason. */
const NORMALISATIONS: readonly {
  readonly pattern: RegExp;
  readonly replacement: Replacement;
  readonly reason: string;
}[] = [
  {
    pattern: /(found duplicate series for the match group ).*?( on the .*?: ).*/s,
    replacement: '$1$2',
    reason: 'which two of several duplicates are named depends on the order in which series come',
  },
  {
    pattern: /(invalid (?:smoothing|trend) factor.*, got: ).*/,
    replacement: '$1',
    reason: 'which of several factors that are refused is named depends on the order in which series come',
  },
];

const NOTES: typeof NORMALISATIONS = [
  {
    pattern: /(has NaN observations.*) \(\d+:\d+\)$/s,
    replacement: '$1',
    reason: "what it points at is the vector in Prometheus's tests, the first argument in 3.14",
  },
  {
    pattern: /(with a max diff of .*, over )\d+( samples)/,
    replacement: '$1N$2',
    reason: 'Prometheus merges this note with itself, which doubles its count, once or more often',
  },
  {
    pattern: / \(\d+ occurrences\)/,
    replacement: '',
    reason:
      'Prometheus merges notes on start times with themselves, too, so that their number means little: it is not told here',
  },
  {
    pattern: /(got )(-?\d[\d.e+-]*)/,
    replacement: (_match, got, number) => got + Number(number).toPrecision(12),
    reason: 'the last digits of powers, arcs and the like differ between the languages',
  },
];

/** An error without what may differ. */
export function normalText(text: string): string {
  return NORMALISATIONS.reduce(
    (done, { pattern, replacement }) => replaced(done, pattern, replacement),
    text,
  );
}

/** A note without what may differ. */
export function normalNote(text: string): string {
  return NOTES.reduce((done, { pattern, replacement }) => replaced(done, pattern, replacement), text);
}

/** The reasons of the texts that are made equal before they are compared. */
export function normalisationReasons(): string[] {
  return [...NORMALISATIONS, ...NOTES].map(({ reason }) => reason);
}

function replaced(text: string, pattern: RegExp, replacement: Replacement): string {
  return typeof replacement === 'string'
    ? text.replace(pattern, replacement)
    : text.replace(pattern, replacement);
}
