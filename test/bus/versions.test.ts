// Two versions of Skein side by side: what one knows and the other does not.

import { describe, expect, it } from 'vitest';
import type { Bus, Service } from '../../src/bus/bus.ts';
import { CATALOGUE } from '../../src/bus/contract.ts';
import { createLocalBus } from '../../src/bus/local/local-bus.ts';
import { openLocalDirectory } from '../../src/bus/local/local-directory.ts';
import { openLocalLogs } from '../../src/bus/local/local-log.ts';
import { call, callMany, decodeMessage, encodeMessage, serve, serveMany } from '../../src/bus/rpc.ts';
import { CLUSTER_KEY } from '../../src/bus/subjects.ts';
import { joinCluster } from '../../src/cluster-record.ts';
import { decodeEnvelope, encodeEnvelope } from '../../src/codec/envelope.ts';
import { silentLogger } from '../../src/platform/log.ts';
import { seededRandom } from '../../src/platform/random.ts';
import { QueryBudget } from '../../src/query/budget.ts';
import { runFragment } from '../../src/query/engine.ts';
import { encodeFragment } from '../../src/query/plan/plan-codec.ts';
import { createVirtualClock } from '../helpers/virtual-clock.ts';
import { createMemoryDisk } from './local/memory-disk.ts';

const SUBJECT = 'skein.replica.0.a.handover';
const open = async (): Promise<{ bus: Bus; service: Service }> => {
  const bus = createLocalBus({ clock: createVirtualClock() });
  return { bus, service: await bus.service({ name: 's', version: '1.0.0', description: '', metadata: {} }) };
};
const newer = (kind: keyof typeof CATALOGUE, message: object): Uint8Array =>
  encodeEnvelope({ ...message, v: CATALOGUE[kind].version + 1 });

describe('a message', () => {
  it('carries the version of its kind, and may lack it as those of the first version do', () => {
    const bytes = encodeMessage('replica.handover', { to: 'b' });
    expect(decodeEnvelope(bytes)).toEqual({ v: CATALOGUE['replica.handover'].version, to: 'b' });
    expect(decodeMessage('replica.handover', encodeEnvelope({ to: 'b' }))).toMatchObject({ to: 'b' });
  });

  it('with fields that the reader does not know is answered, and so is an answer with such fields read', async () => {
    const { bus, service } = await open();
    await serve(service, 'replica.handover', SUBJECT, async ({ to }) => {
      expect(to).toBe('b');
      return { released: true, handedOverAt: 5 } as { released: boolean };
    });
    const message = { to: 'b', because: { of: ['drain'] } };
    expect(await call(bus, 'replica.handover', SUBJECT, message)).toMatchObject({ released: true });
  });

  it('of a newer version is refused with an error that says so, whether one reply or frames are asked for', async () => {
    const { bus, service } = await open();
    await serve(service, 'replica.handover', SUBJECT, async () => ({ released: true }));
    await serveMany(service, 'shard.metadata', 'skein.shard.0.metadata', (_message, send) =>
      send(Uint8Array.of(1)),
    );
    const known = CATALOGUE['replica.handover'].version;
    await expect(
      bus.request(SUBJECT, newer('replica.handover', { to: 'b' }), { deadlineMs: 1000 }),
    ).rejects.toMatchObject({
      code: 'unavailable',
      message: `cannot answer replica.handover of version ${known + 1}: this process knows versions up to ${known}`,
    });
    const frames = bus.requestMany('skein.shard.0.metadata', newer('shard.metadata', {}), {
      deadlineMs: 1000,
    });
    await expect(frames[Symbol.asyncIterator]().next()).rejects.toThrow('shard.metadata of version');
    const older = callMany(bus, 'shard.metadata', 'skein.shard.0.metadata', {
      tenant: 't',
      metric: '',
      limit: 0,
    });
    expect((await older[Symbol.asyncIterator]().next()).value).toEqual(Uint8Array.of(1));
  });
});

it('a fragment with a node that is not known here is answered with an error that names it', async () => {
  const node = { kind: 'sparkle', input: { kind: 'number', value: 1 } } as never;
  const grid = { start: 0, end: 0, step: 0 };
  const fragment = encodeFragment({ grid, lookbackMs: 1, node });
  const limits = { samplesMax: 10, seriesMax: 10, memoryBytesMax: 1000 };
  const replies = runFragment(
    fragment,
    { async *select() {} },
    new QueryBudget(limits, new AbortController().signal),
  );
  await expect(replies[Symbol.asyncIterator]().next()).rejects.toThrow(
    'cannot evaluate a plan node of kind sparkle: it is not known here',
  );
});

it('a cluster of another version is not joined; fields of its record that are not known do not matter', async () => {
  const clock = createVirtualClock();
  const directory = await openLocalDirectory({ disk: createMemoryDisk(), clock });
  const logs = await openLocalLogs({
    disk: createMemoryDisk(),
    clock,
    log: silentLogger(),
    bytesMax: 1 << 20,
  });
  const record = { version: 1, id: 'c', partitions: 4, colour: 'blue' };
  const revision = await directory.write(CLUSTER_KEY, encodeEnvelope(record), 0);
  expect(await joinCluster(directory, logs, 1, seededRandom(1))).toMatchObject({ id: 'c', partitions: 4 });
  await directory.write(CLUSTER_KEY, encodeEnvelope({ ...record, version: 2 }), revision);
  await expect(joinCluster(directory, logs, 1, seededRandom(1))).rejects.toThrow(/its record has version 2/);
});
