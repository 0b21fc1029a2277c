// The queue of events keeps what it promises to whoever scheduled something.

import { expect, it } from 'vitest';
import { type EventOwner, type SimEvent, SimLoop } from './loop.ts';

it('an event that was kept back while its owner stood still can be canceled after its release', async () => {
  const loop = new SimLoop();
  const held: SimEvent[] = [];
  const owner: { -readonly [K in keyof EventOwner]: EventOwner[K] } = {
    name: 'a',
    life: 1,
    isUp: true,
    held,
  };
  const ran: string[] = [];
  const cancel = loop.after(10, 'canceled', () => ran.push('canceled'), owner);
  loop.after(10, 'kept', () => ran.push('kept'), owner);
  await loop.run(20, () => false);
  expect(held).toHaveLength(2);
  owner.held = undefined;
  for (const event of held) loop.release(event);
  cancel();
  await loop.run(30, () => false);
  expect(ran).toEqual(['kept']);
});
