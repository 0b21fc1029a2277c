import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

it('the real logger writes JSON lines with their fields to stderr, from its level on', async () => {
  const script = `
    import { realLogger } from ${JSON.stringify(path.resolve('src/platform/log.ts'))};
    const log = realLogger('info').with({ actor: 'shard-3' });
    log.debug('not shown');
    log.warn('cut a log', { bytesCut: 27 });
    log.error('failed');
  `;
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [
    '--input-type=module',
    '-e',
    script,
  ]);
  const lines = stderr
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(stdout).toBe('');
  expect(lines).toMatchObject([
    { level: 40, actor: 'shard-3', bytesCut: 27, msg: 'cut a log' },
    { level: 50, actor: 'shard-3', msg: 'failed' },
  ]);
  expect(new Date(lines[0]!['time'] as string).getTime()).toBeGreaterThan(0);
});
