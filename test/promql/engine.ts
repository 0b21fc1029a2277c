// The engine as promqltest wants it: every feature on, five minutes of lookback, subquery steps of a minute.

import { openKernels } from '../../src/kernels/kernels.ts';
import { readKernelsFile } from '../../src/platform/kernels-file.ts';
import { QueryBudget } from '../../src/query/budget.ts';
import { createEngine, type Engine, type EngineOptions, runFragment } from '../../src/query/engine.ts';
import { decodeReply, encodeReply } from '../../src/query/exec/step-batch-codec.ts';
import { ALL_PARSE_FEATURES } from '../../src/query/parse/options.ts';
import type { SelectRequest, SeriesSource } from '../../src/query/source.ts';
import type { MemorySource } from './memory-source.ts';
import { PROMQLTEST_SETTINGS } from './runner.ts';

const PARTITIONS = 3;

const OPTIONS: EngineOptions = {
  ...PROMQLTEST_SETTINGS,
  features: ALL_PARSE_FEATURES,
  delayedNames: true,
  startTimes: true,
  limits: { samplesMax: 1_000_000, seriesMax: 100_000, memoryBytesMax: 256 * 1024 * 1024 },
};

/** An engine over one source. */
export function makeTestEngine(source: SeriesSource): Engine {
  return createEngine({ ...OPTIONS, source });
}

/** An engine that sends fragments to three partitions of a source, through their bytes; these have the WebAssembly kernels. */
export function makePartitionedEngine(source: MemorySource): Engine {
  const wasm = readKernelsFile();
  const kernels = wasm && openKernels(wasm);
  return createEngine({
    ...OPTIONS,
    fragments: {
      async *run(fragment, { limits, signal }) {
        for (const part of source.partitions(PARTITIONS)) {
          const shard = { select: (request: SelectRequest) => part.select(request), kernels };
          for await (const reply of runFragment(fragment, shard, new QueryBudget(limits, signal)))
            yield decodeReply(encodeReply(reply));
        }
      },
    },
  });
}
