import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { openLocalLogs } from '../../../src/bus/local/local-log.ts';
import { realClock } from '../../../src/platform/clock.ts';
import { realDisk } from '../../../src/platform/disk.ts';
import { silentLogger } from '../../../src/platform/log.ts';

// Appends with 16 in flight until it is killed, and prints every acknowledged sequence.
const writer = `
  import { openLocalLogs } from ${JSON.stringify(path.resolve('src/bus/local/local-log.ts'))};
  import { realClock } from ${JSON.stringify(path.resolve('src/platform/clock.ts'))};
  import { realDisk } from ${JSON.stringify(path.resolve('src/platform/disk.ts'))};
  import { silentLogger } from ${JSON.stringify(path.resolve('src/platform/log.ts'))};
  const logs = await openLocalLogs({ disk: realDisk(process.argv[1]), clock: realClock(), log: silentLogger(), segmentBytes: 300_000 });
  await logs.create(0);
  const log = await logs.open(0);
  await Promise.all(Array.from({ length: 16 }, async () => {
    for (;;) {
      const sequence = await log.append(new Uint8Array(10_000).fill(7));
      process.stdout.write(sequence + '\\n');
    }
  }));
`;

it('a local log whose process was killed has every record it had acknowledged, three times over', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'skein-kill-'));
  let acknowledged = 0;
  for (let life = 0; life < 3; life++) {
    const child = spawn(process.execPath, ['--input-type=module', '-e', writer, folder], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    child.stdout.on('data', (part: Buffer) => {
      said += part.toString();
      if (said.split('\n').length > 150) child.kill('SIGKILL');
    });
    await once(child, 'close');
    const sequences = said.split('\n').slice(0, -1).map(Number);
    expect(Math.min(...sequences)).toBeGreaterThan(acknowledged);
    acknowledged = Math.max(...sequences);
    const logs = await openLocalLogs({ disk: realDisk(folder), clock: realClock(), log: silentLogger() });
    const log = await logs.open(0);
    const { first, last } = await log.bounds();
    expect(first).toBe(1);
    expect(last).toBeGreaterThanOrEqual(acknowledged);
    let next = 1;
    for await (const batch of log.read(1, AbortSignal.timeout(5_000))) {
      for (const message of batch) {
        expect(message.sequence).toBe(next++);
        expect(message.payload.length === 10_000 && message.payload.every((byte) => byte === 7)).toBe(true);
      }
      if (next > last) break;
    }
    await logs.close();
  }
  await rm(folder, { recursive: true });
});
