// status/tsdb over several partitions against one head that holds everything: what is in many partitions is counted once.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { QuerierState } from '../../../src/actors/querier/state.ts';
import { candidates, onStatistics } from '../../../src/actors/querier/statistics.ts';
import { sendSketches, sendStatistics } from '../../../src/actors/shard/statistics.ts';
import type { TenantStore } from '../../../src/actors/shard/tenant-store.ts';
import { createLocalBus } from '../../../src/bus/local/local-bus.ts';
import { serveMany } from '../../../src/bus/rpc.ts';
import { shardSubject } from '../../../src/bus/subjects.ts';
import type { HeadStatistics } from '../../../src/model/head-statistics.ts';
import { type Labels, labelsOf } from '../../../src/model/labels.ts';
import { appendOutcome } from '../../../src/storage/head/append-outcome.ts';
import { type Head, openHead } from '../../../src/storage/head/head.ts';
import { createVirtualClock } from '../../helpers/virtual-clock.ts';

function headOf(all: readonly Labels[]): Head {
  const head = openHead({ outOfOrderWindowMs: 0, seriesMax: 100_000 });
  const refs = Uint32Array.from(all, (labels) => head.seriesFor(labels));
  const count = refs.length;
  head.append(refs, new Float64Array(count).fill(1000), new Uint32Array(2 * count), count, appendOutcome());
  return head;
}

async function statisticsOf(parts: readonly (readonly Labels[])[], limit: number): Promise<HeadStatistics> {
  const clock = createVirtualClock();
  const bus = createLocalBus({ clock });
  for (const [partition, all] of parts.entries()) {
    const store = all.length === 0 ? undefined : ({ head: headOf(all) } as TenantStore);
    const service = await bus.service({ name: 's', version: '1.0.0', description: '', metadata: {} });
    const subject = (verb: string): string => shardSubject('skein', partition, verb);
    await serveMany(service, 'shard.statistics', subject('statistics'), (message, send) =>
      sendStatistics(store, message.limit, send),
    );
    await serveMany(service, 'shard.cardinality', subject('cardinality'), (message, send) =>
      sendSketches(store, message, send),
    );
  }
  const fanout = {
    bus,
    clock,
    prefix: 'skein',
    partitions: parts.length,
    ownerWaitMs: 0,
    partialResponse: false,
  };
  const state = { fanout } as unknown as QuerierState;
  return onStatistics(state, { tenant: 't', limit, signal: new AbortController().signal });
}

describe('head statistics of several partitions', () => {
  it('are those of one head that holds everything', async () => {
    const labels = fc.record({
      __name__: fc.constantFrom('up', 'down'),
      job: fc.constantFrom('', 'a', 'b'),
      instance: fc.nat(30).map((n) => `i${n}`),
    });
    const series = fc.uniqueArray(labels, {
      minLength: 1,
      maxLength: 80,
      selector: (one) => JSON.stringify(one),
    });
    await fc.assert(
      fc.asyncProperty(series, fc.array(fc.nat(2), { minLength: 80, maxLength: 80 }), async (all, places) => {
        const sets = all.map(labelsOf);
        const parts = [0, 1, 2].map((part) => sets.filter((_, i) => places[i] === part));
        const whole = headOf(sets).stats(20);
        expect(await statisticsOf(parts, 20)).toEqual(whole);
      }),
      { numRuns: 30 },
    );
  });

  it('find the largest names where each partition has others at the top', async () => {
    const part = (p: number): Labels[] => [
      ...Array.from({ length: 20 }, (_, i) => labelsOf({ __name__: 'm', [`own${p}`]: `v${i}` })),
      ...Array.from({ length: 15 }, (_, i) => labelsOf({ __name__: 'm', shared: `${p}-${i}` })),
      ...Array.from({ length: 18 }, (_, i) => labelsOf({ __name__: `m${p}`, same: `${i}` })),
    ];
    const answer = await statisticsOf([part(0), part(1), part(2)], 1);
    expect(answer.labelValueCountByLabelName).toEqual([{ name: 'shared', value: 45 }]);
    expect(answer.numSeries).toBe(159);
    expect(answer.numLabelPairs).toBe(4 + 60 + 45 + 18);
  });
});

describe('candidates', () => {
  it('are the names that can be among the largest', () => {
    const counts = [
      { name: 'a', value: 10 },
      { name: 'b', value: 6 },
      { name: 'b', value: 5 },
      { name: 'c', value: 4 },
      { name: 'c', value: 4 },
    ];
    expect(candidates(counts, 1).map(({ name }) => name)).toEqual(['a', 'b']);
    expect(candidates(counts, 2).map(({ name }) => name)).toEqual(['a', 'b', 'c']);
  });
});
