// Planted bugs: what the simulator must be able to find. Each changes the ports of a process before the actors get them; src/ knows
// nothing of it.

import type { World } from '../../src/actors/actor.ts';
import type { DurableLog } from '../../src/bus/durable-log.ts';
import { decodeFrame } from '../../src/codec/frame-reader.ts';
import { FrameBuilder } from '../../src/codec/frame-writer.ts';
import type { PortsFilter } from './node.ts';

/** The bugs by name. */
export const BUGS: Readonly<Record<string, PortsFilter>> = {
  'ack before publish': (world) =>
    withLog(world, (log) => ({
      async append(payload) {
        log.append(payload).catch(() => {});
        return 1;
      },
    })),
  'missing fence on upload': (world) => ({
    ...world,
    directory: withMethods(world.directory, {
      async acquire(key, value, ttlMs) {
        const lease = await world.directory.acquire(key, value, ttlMs);
        return lease && { ...lease, lost: new AbortController().signal };
      },
    }),
  }),
  'trim one too far': (world) => withLog(world, (log) => ({ trim: (first) => log.trim(first + 1) })),
  'lost definition after an epoch change': (world) =>
    withLog(world, (log) => ({ append: (payload) => log.append(withoutDefinitions(payload)) })),
  'a standby that answers before it is complete': (world) =>
    withLog(world, (log) => ({
      async bounds() {
        const { first, bytes } = await log.bounds();
        return { first, last: first - 1, bytes };
      },
    })),
};

function withLog(world: World, change: (log: DurableLog) => Partial<DurableLog>): World {
  const { logs } = world;
  const open = async (partition: number): Promise<DurableLog> => {
    const log = await logs.open(partition);
    return withMethods(log, change(log));
  };
  return { ...world, logs: withMethods(logs, { open }) };
}

// The methods of ports may live in a class: a copy would lose them.
function withMethods<T extends object>(port: T, methods: Partial<T>): T {
  return new Proxy(port, {
    get(target, key) {
      const found: unknown = Reflect.get(key in methods ? methods : target, key);
      return typeof found === 'function' ? found.bind(key in methods ? methods : target) : found;
    },
  });
}

// The frame that begins a later epoch forgets to define its series again.
function withoutDefinitions(payload: Uint8Array): Uint8Array {
  const frame = decodeFrame(payload);
  if (frame.epochFirst <= 1 || frame.definitions.length === 0) return payload;
  const builder = new FrameBuilder();
  for (let i = 0; i < frame.count; i++)
    builder.sample(frame.refs[i]!, frame.timestamps[i]!, frame.bits[2 * i]!, frame.bits[2 * i + 1]!);
  return builder.finish(frame);
}
