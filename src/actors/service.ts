// Actors as NATS's own tooling sees them: each is a service of the services (micro) API, whether or not it has endpoints there.

import type { Service } from '../bus/bus.ts';
import type { World } from './actor.ts';

/** Registers an actor of this process as `<cluster>-<role>`; `nats micro ls` lists it until the service is stopped. */
export function announceService(
  world: Pick<World, 'bus' | 'cluster' | 'identity'>,
  role: string,
  description: string,
  metadata: Readonly<Record<string, string>> = {},
): Promise<Service> {
  const { id, zone, version } = world.identity;
  return world.bus.service({
    name: `${world.cluster.prefix}-${role}`,
    version,
    description,
    metadata: { process: id, zone, ...metadata },
  });
}
