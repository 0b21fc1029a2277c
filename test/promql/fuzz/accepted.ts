// Differences from Prometheus that are accepted, each with its reason. Nothing else is.

/** Messages that say the same in other words. */
const NORMALISATIONS: readonly { readonly pattern: RegExp; readonly replacement: string; readonly reason: string }[] = [
  {
    pattern: /(found duplicate series for the match group ).*?( on the .*?: ).*/s,
    replacement: '$1$2',
    reason: 'which two of several duplicates are named depends on the order in which series come',
  },
];

const NOTES: typeof NORMALISATIONS = [
  {
    pattern: /(has NaN observations.*) \(\d+:\d+\)$/s,
    replacement: '$1',
    reason: "what it points at is the vector in Prometheus's tests, the first argument in 3.14",
  },
];

/** An error without what may differ. */
export function normalText(text: string): string {
  return NORMALISATIONS.reduce((done, { pattern, replacement }) => done.replace(pattern, replacement), text);
}

/** A note without what may differ. */
export function normalNote(text: string): string {
  return NOTES.reduce((done, { pattern, replacement }) => done.replace(pattern, replacement), text);
}
