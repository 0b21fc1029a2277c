// Merges blocks into one, or into several that share its series by their hash. Everything is read from front to back and written as it
// comes, so that memory depends on the number of series and symbols (some bytes each) and never on that of samples:
//
//   symbols   of all sources ─ merged ─► one table; labels are rows of it from here on
//   series    of all sources ─ merged by labels ─► spooled with their chunks' places (index/series-spool.ts)
//   chunks    copied, or merged where they overlap (merge-series.ts) ─► segments
//   index     written from the spool when the last series is known

import { DomainError } from '../../model/errors.ts';
import { compareText } from '../../model/text.ts';
import type { BlockMeta } from '../block/block-meta.ts';
import type { BlockSources } from '../block/open-block.ts';
import type { CompactOptions } from './compact-options.ts';
import { CompactRun } from './compact-run.ts';
import { compactedFacts } from './compacted-meta.ts';

/**
 * Merges blocks and returns the metas of those written, in the order of `targets`; a target without a sample is not written. Samples
 * that tombstones delete are left out; what is left is byte for byte the same whoever merges the same blocks. The sources stay
 * open. Errors, after which nothing is left of any target: CorruptBlockError for a source that does not check; `bad_data` for sources
 * of different resolutions; `execution` for downsampled chunks that overlap without being the same; those of sources and disk; the
 * signal's reason.
 */
export async function compactBlocks(
  sources: readonly BlockSources[],
  options: CompactOptions,
): Promise<readonly BlockMeta[]> {
  if (sources.length === 0 || options.targets.length === 0)
    throw new DomainError('bad_data', 'cannot merge blocks: there are no sources or no targets');
  for (const { meta } of sources)
    if (options.targets.some((target) => target.ulid === meta.ulid))
      throw new DomainError('bad_data', `cannot merge block ${meta.ulid} into itself`);
  const ordered = sources.toSorted(
    (a, b) => a.meta.minTime - b.meta.minTime || compareText(a.meta.ulid, b.meta.ulid),
  );
  const facts = compactedFacts(ordered.map((source) => source.meta));
  const run = new CompactRun(ordered, facts, options);
  try {
    await run.open();
    await run.mergeAll();
    return await run.finish();
  } catch (error) {
    await run.abandon();
    throw error;
  } finally {
    await run.close();
  }
}
