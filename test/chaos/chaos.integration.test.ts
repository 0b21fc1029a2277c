import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { expect, it } from 'vitest';
import { describeWithServers } from '../helpers/servers.ts';

const MINUTES = 2;
const main = path.resolve(import.meta.dirname, 'main.ts');

await describeWithServers(['nats-server', 'minio'], 'chaos', () => {
  it('loses, doubles and changes nothing while everything that can go wrong does, and always recovers', () => {
    const seed = Date.now() % 1_000_000;
    const flags = ['--minutes', String(MINUTES), '--seed', String(seed), '--verbose'];
    const ran = spawnSync(process.execPath, [main, ...flags], { encoding: 'utf8', timeout: 480_000 });
    const said = ran.stdout + ran.stderr;
    expect(said).toContain('0 lost, 0 doubled, 0 wrong, 0 not recovered');
    expect(ran.status, said).toBe(0);
  }, 500_000);
});
