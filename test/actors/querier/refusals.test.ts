import { expect, it } from 'vitest';
import { onRefusals } from '../../../src/actors/querier/refusals.ts';
import type { QuerierState } from '../../../src/actors/querier/state.ts';
import { createLocalBus } from '../../../src/bus/local/local-bus.ts';
import { serveMany } from '../../../src/bus/rpc.ts';
import { shardSubject } from '../../../src/bus/subjects.ts';
import { encodeEnvelope } from '../../../src/codec/envelope.ts';
import type { Refusal } from '../../../src/model/refusal.ts';
import { createVirtualClock } from '../../helpers/virtual-clock.ts';

it('refusals of all partitions are counted together, with the last error of any', async () => {
  const clock = createVirtualClock();
  const bus = createLocalBus({ clock });
  const of: Refusal[][] = [
    [{ reason: 'too_old', samples: 2, lastTime: 50, lastError: 'b' }],
    [],
    [
      { reason: 'too_old', samples: 5, lastTime: 40, lastError: 'a' },
      { reason: 'series_limit', samples: 1, lastTime: 1, lastError: 'c' },
    ],
  ];
  for (const [partition, refusals] of of.entries()) {
    const service = await bus.service({ name: 's', version: '1.0.0', description: '', metadata: {} });
    await serveMany(
      service,
      'shard.refusals',
      shardSubject('skein', partition, 'refusals'),
      async ({ tenant }, send) => {
        if (tenant === 't' && refusals.length > 0) await send(encodeEnvelope({ partition, refusals }));
      },
    );
  }
  const fanout = { bus, clock, prefix: 'skein', partitions: 3, ownerWaitMs: 0, partialResponse: false };
  const ask = (tenant: string): ReturnType<typeof onRefusals> =>
    onRefusals({ fanout } as unknown as QuerierState, { tenant, signal: new AbortController().signal });
  expect((await ask('t')).rows).toEqual([
    { reason: 'series_limit', samples: 1, lastTime: 1, lastError: 'c', partition: 2 },
    { reason: 'too_old', samples: 7, lastTime: 50, lastError: 'b', partition: 0 },
  ]);
  expect((await ask('other')).rows).toEqual([]);
});
