import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { openLocalLogs } from '../../../src/bus/local/local-log.ts';
import { realClock } from '../../../src/platform/clock.ts';
import { realDisk } from '../../../src/platform/disk.ts';
import { silentLogger } from '../../../src/platform/log.ts';
import { runDurableLogContract } from '../../contract/durable-log.contract.ts';

for (const [name, extra] of [
  ['local disk', {}],
  ['local disk, small segments, no memory', { segmentBytes: 2_000, recentBytesMax: 0 }],
] as const)
  runDurableLogContract({
    name,
    async make(limits) {
      const folder = await mkdtemp(path.join(tmpdir(), 'skein-log-'));
      const open = () =>
        openLocalLogs({
          disk: realDisk(folder),
          clock: realClock(),
          log: silentLogger(),
          ...extra,
          ...limits,
        });
      let logs = await open();
      return {
        logs,
        async reopen() {
          await logs.close();
          logs = await open();
          return logs;
        },
        async dispose() {
          await logs.close();
          await rm(folder, { recursive: true });
        },
      };
    },
  });
