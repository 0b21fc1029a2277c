// One question to a server, and its answer as data.

/** When a query is asked for: once at `end` (step 0) or every `step` seconds. */
export interface Grid {
  readonly start: number;
  readonly end: number;
  readonly step: number;
  /** The lookback_delta parameter, if any. */
  readonly lookback?: string;
}

/** A native histogram as JSON has it; buckets are rule, bounds and observations. */
export interface HistogramAnswer {
  readonly count: number;
  readonly sum: number;
  readonly buckets: readonly (readonly number[])[];
}

/** A float or a histogram. */
export type PointAnswer = number | HistogramAnswer;

/** A series of an answer; `key` is its labels as text. */
export interface SeriesAnswer {
  readonly key: string;
  readonly points: ReadonlyMap<number, PointAnswer>;
}

/** What a server said. Notes are sorted. */
export type Answer =
  | { readonly kind: 'error'; readonly status: number; readonly errorType: string; readonly error: string }
  | {
      readonly kind: 'data';
      readonly type: string;
      readonly series: readonly SeriesAnswer[];
      readonly text?: string;
      readonly warnings: readonly string[];
      readonly infos: readonly string[];
    };

interface SeriesJson {
  readonly metric: Record<string, string>;
  readonly value?: [number, string];
  readonly values?: [number, string][];
  readonly histogram?: [number, HistogramJson];
  readonly histograms?: [number, HistogramJson][];
}

interface HistogramJson {
  readonly count: string;
  readonly sum: string;
  readonly buckets?: readonly [number, string, string, string][];
}

interface Envelope {
  readonly status: string;
  readonly error?: string;
  readonly errorType?: string;
  readonly warnings?: readonly string[];
  readonly infos?: readonly string[];
  readonly data?: { readonly resultType: string; readonly result: unknown };
}

/** Asks a server. Skein answers with everything that was acknowledged before. */
export async function ask(url: string, query: string, grid: Grid): Promise<Answer> {
  const at: Record<string, string> =
    grid.step === 0
      ? { time: String(grid.end) }
      : { start: String(grid.start), end: String(grid.end), step: String(grid.step) };
  if (grid.lookback !== undefined) at['lookback_delta'] = grid.lookback;
  const response = await fetch(`${url}/api/v1/${grid.step === 0 ? 'query' : 'query_range'}`, {
    method: 'POST',
    body: new URLSearchParams({ query, ...at }),
    headers: { 'x-read-consistency': 'strong' },
  });
  const text = await response.text();
  return answerOf(response.status, JSON.parse(text) as Envelope);
}

function answerOf(
  status: number,
  { error, errorType = '', data, warnings = [], infos = [] }: Envelope,
): Answer {
  if (data === undefined) return { kind: 'error', status, errorType, error: error ?? '' };
  const notes = { warnings: [...warnings].sort(), infos: [...infos].sort() };
  const { resultType: type, result } = data;
  if (type === 'string')
    return { kind: 'data', type, series: [], text: (result as [number, string])[1], ...notes };
  if (type === 'scalar') {
    const [time, value] = result as [number, string];
    const series = [{ key: '', points: new Map([[time, numberOf(value)]]) }];
    return { kind: 'data', type, series, ...notes };
  }
  return { kind: 'data', type, series: (result as SeriesJson[]).map(seriesOf), ...notes };
}

function seriesOf({ metric, value, values, histogram, histograms }: SeriesJson): SeriesAnswer {
  const points = new Map<number, PointAnswer>();
  for (const [time, text] of value === undefined ? (values ?? []) : [value]) points.set(time, numberOf(text));
  for (const [time, json] of histogram === undefined ? (histograms ?? []) : [histogram])
    points.set(time, {
      count: numberOf(json.count),
      sum: numberOf(json.sum),
      buckets: (json.buckets ?? []).map((bucket) => bucket.map((cell) => numberOf(String(cell)))),
    });
  const pairs = Object.entries(metric).sort(([a], [b]) => (a < b ? -1 : 1));
  return { key: `{${pairs.map(([name, text]) => `${name}=${JSON.stringify(text)}`).join(', ')}}`, points };
}

function numberOf(text: string): number {
  if (text === 'NaN') return Number.NaN;
  return Number(text.replace('Inf', 'Infinity'));
}
