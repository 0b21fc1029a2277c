// The engine as promqltest wants it: every feature on, five minutes of lookback, subquery steps of a minute.

import { createEngine, type Engine } from '../../src/query/engine.ts';
import { ALL_PARSE_FEATURES } from '../../src/query/parse/options.ts';
import type { SeriesSource } from '../../src/query/source.ts';
import { PROMQLTEST_SETTINGS } from './runner.ts';

/** An engine over one source. */
export function makeTestEngine(source: SeriesSource): Engine {
  return createEngine({
    ...PROMQLTEST_SETTINGS,
    features: ALL_PARSE_FEATURES,
    delayedNames: true,
    limits: { samplesMax: 1_000_000, seriesMax: 100_000, memoryBytesMax: 256 * 1024 * 1024 },
    source,
  });
}
