import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lockFolder } from '../../src/platform/lock.ts';

// Takes the lock of the folder named by its argument, says so, and holds it until it is killed.
const holderScript = `
  import { lockFolder } from ${JSON.stringify(path.resolve('src/platform/lock.ts'))};
  try { await lockFolder(process.argv[1]); console.log('locked'); setInterval(() => {}, 1000); }
  catch (error) { console.log(error.code + ': ' + error.message); }
`;

describe('data folder lock', () => {
  let folder: string;
  const children: ChildProcess[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'skein-lock-'));
  });
  afterEach(async () => {
    for (const child of children.splice(0)) child.kill('SIGKILL');
    await rm(folder, { recursive: true });
  });

  async function startHolder(): Promise<{ child: ChildProcess; said: string }> {
    const child = spawn(process.execPath, ['--input-type=module', '-e', holderScript, folder], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    children.push(child);
    const [said] = (await once(child.stdout!, 'data')) as [Buffer];
    return { child, said: said.toString().trim() };
  }

  it('is had by one caller, and by the next after its release', async () => {
    const data = path.join(folder, 'made', 'on', 'the', 'way');
    const lock = await lockFolder(data);
    await expect(lockFolder(data)).rejects.toMatchObject({
      code: 'config',
      message: `cannot use data folder ${data}: process ${process.pid} is using it; stop that process or choose another folder with --data`,
    });
    await lock.release();
    await lock.release();
    const again = await lockFolder(data);
    await again.release();
    expect(await readdir(data)).toEqual(['lock', 'lock.holder']);
  });

  it('names the pid of the process that has it, and is free the moment that one is killed', async () => {
    const { child, said } = await startHolder();
    expect(said).toBe('locked');
    await expect(lockFolder(folder)).rejects.toThrow(`process ${child.pid} is using it`);
    child.kill('SIGKILL');
    await once(child, 'exit');
    const lock = await lockFolder(folder);
    expect((await startHolder()).said).toContain(
      `config: cannot use data folder ${folder}: process ${process.pid}`,
    );
    await lock.release();
  });

  it('goes to exactly one of several processes that start at once over a dead one', async () => {
    const dead = await startHolder();
    dead.child.kill('SIGKILL');
    await once(dead.child, 'exit');
    const started = await Promise.all([startHolder(), startHolder(), startHolder()]);
    expect(started.filter(({ said }) => said === 'locked').length).toBe(1);
  });

  it('says what is wrong with a folder that cannot be used', async () => {
    await writeFile(path.join(folder, 'file'), '');
    await expect(lockFolder(path.join(folder, 'file', 'data'))).rejects.toMatchObject({
      code: 'config',
      message: expect.stringContaining('choose another folder with --data'),
    });
  });
});
