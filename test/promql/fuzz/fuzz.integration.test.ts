// A short run of the fuzzer, so that it is known to work; the long ones are run by hand.

import { expect, it } from 'vitest';
import { describeWithServers } from '../../helpers/servers.ts';
import { FuzzRun } from './run.ts';

await describeWithServers(['prometheus'], 'random PromQL', () => {
  it('has the same answers from Prometheus and from Skein', async () => {
    const lines: string[] = [];
    const print = (text: string): void => void lines.push(text);
    const run = new FuzzRun({ count: 1500, seed: 1, given: {}, withData: true, print });
    expect(await run.all(), lines.join('\n')).toBe(0);
  });
});
