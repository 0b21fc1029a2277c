import { describe, expect, it } from 'vitest';
import { Turns, type TurnTaker } from '../../src/platform/turns.ts';

/** A thread whose time and passes of the event loop are the test's. */
function thread() {
  let now = 0;
  let passes: (() => void)[] = [];
  const turns = new Turns({ monotonic: () => now, soon: (run) => void passes.push(run) });
  const order: string[] = [];
  return {
    turns,
    order,
    compute(ms: number) {
      now += ms;
    },
    /** Waits for a turn when there is need to; says so in `order` when it comes. */
    ask(taker: TurnTaker, name: string): boolean {
      const wait = turns.take(taker);
      void wait?.then(() => {
        order.push(name);
        now += 10;
      });
      return wait !== undefined;
    },
    async pass() {
      const due = passes;
      passes = [];
      for (const run of due) run();
      await Promise.resolve();
      await Promise.resolve();
    },
    get passes() {
      return passes.length;
    },
  };
}

describe('turns', () => {
  it('last for some milliseconds, all work together, from the first look in a pass of the event loop', async () => {
    const { turns, ask, compute, pass } = thread();
    const [one, other] = [{ turns: 0 }, { turns: 0 }];
    expect(ask(one, 'one')).toBe(false);
    compute(1);
    expect(ask(other, 'other')).toBe(false);
    expect(turns.isOver).toBe(false);
    await pass();
    compute(100);
    expect(turns.isOver).toBe(false);
    expect(ask(one, 'one')).toBe(false);
    compute(5);
    expect(turns.isOver).toBe(true);
    expect(ask(one, 'one')).toBe(true);
  });

  it('come one in each pass, first to whoever has had the fewest', async () => {
    const { ask, compute, pass, order } = thread();
    const long = { turns: 5 };
    ask(long, 'long');
    compute(10);
    ask(long, 'long');
    ask({ turns: 2 }, 'middle');
    ask({ turns: 0 }, 'short');
    ask({ turns: 0 }, 'second short');
    for (let n = 1; n <= 4; n++) {
      await pass();
      expect(order).toHaveLength(n);
    }
    expect(order).toEqual(['short', 'second short', 'middle', 'long']);
    expect(long.turns).toBe(6);
  });

  it('come to long work, too, while short work never ends', async () => {
    const { ask, compute, pass, order } = thread();
    ask({ turns: 9 }, 'long');
    compute(10);
    ask({ turns: 9 }, 'long');
    for (let n = 0; n < 20; n++) {
      ask({ turns: 0 }, 'short');
      await pass();
    }
    expect(order).toContain('long');
  });

  it('ask for no pass of the event loop when nobody computes', async () => {
    const rig = thread();
    rig.ask({ turns: 0 }, 'one');
    expect(rig.passes).toBe(1);
    await rig.pass();
    expect(rig.passes).toBe(0);
  });
});
