import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Disk, realDisk } from '../../src/platform/disk.ts';

describe('real disk', () => {
  let root: string;
  let disk: Disk;
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  const text = (content: Uint8Array): string => new TextDecoder().decode(content);

  beforeEach(async () => {
    root = await mkdtemp(path.join(tmpdir(), 'skein-disk-'));
    disk = realDisk(root);
  });
  afterEach(() => rm(root, { recursive: true }));

  it('replaces a file as a whole, making its folders and leaving no temporary file', async () => {
    await disk.writeFile('a/b/c.txt', bytes('one'));
    await disk.writeFile('a/b/c.txt', bytes('second'));
    expect(text(await disk.readFile('a/b/c.txt'))).toBe('second');
    expect(await readdir(path.join(root, 'a/b'))).toEqual(['c.txt']);
  });

  it('reads and writes at absolute positions; a read beyond the end is short', async () => {
    const file = await disk.open('x/data', 'create');
    await file.write(bytes('hello'), 0);
    await file.write(bytes('J'), 0);
    await file.write(bytes('!'), 7);
    await file.sync();
    expect(await file.size()).toBe(8);
    expect([...(await file.read(0, 100))]).toEqual([...bytes('Jello'), 0, 0, 33]);
    expect((await file.read(50, 10)).length).toBe(0);
    await file.truncate(2);
    expect(text(await file.read(0, 100))).toBe('Je');
    await file.close();
    const again = await disk.open('x/data', 'create');
    expect(text(await again.read(0, 100))).toBe('Je');
    await again.close();
  });

  it('says not_found for what is missing, but lists an absent folder as empty', async () => {
    for (const attempt of [
      () => disk.readFile('no'),
      () => disk.open('no', 'read'),
      () => disk.open('no', 'write'),
    ])
      await expect(attempt()).rejects.toMatchObject({
        code: 'not_found',
        message: expect.stringContaining(root),
      });
    expect(await disk.list('no')).toEqual([]);
    await disk.remove('no');
  });

  it('lists by name, tells folders from files, and removes both', async () => {
    await disk.writeFile('b', bytes('12345'));
    await disk.makeFolder('a/deep/er');
    await disk.writeFile('c', bytes(''));
    const entries = await disk.list('');
    expect(entries.map(({ name, isFolder, bytes: size }) => [name, isFolder, size])).toEqual([
      ['a', true, 0],
      ['b', false, 5],
      ['c', false, 0],
    ]);
    await disk.remove('a');
    await disk.remove('b');
    expect((await disk.list('')).map((entry) => entry.name)).toEqual(['c']);
  });

  it('renames over an existing file, and into folders not there yet', async () => {
    await disk.writeFile('a', bytes('new'));
    await disk.writeFile('b', bytes('old'));
    await disk.rename('a', 'b');
    await disk.rename('b', 'x/y');
    expect(text(await disk.readFile('x/y'))).toBe('new');
    expect((await disk.list('')).map((entry) => entry.name)).toEqual(['x']);
  });

  it('sees a folder of itself as a disk, describes full paths, and knows its space', async () => {
    await disk.within('sub').writeFile('f', bytes('1'));
    expect(text(await disk.readFile('sub/f'))).toBe('1');
    expect(disk.within('sub').describe('f')).toBe(path.join(root, 'sub', 'f'));
    const space = await disk.space();
    expect(space.freeBytes).toBeGreaterThan(0);
    expect(space.totalBytes).toBeGreaterThanOrEqual(space.freeBytes);
  });

  it('calls a path through a file an error with the path in it', async () => {
    await writeFile(path.join(root, 'file'), '');
    await expect(disk.makeFolder('file/below')).rejects.toThrow(
      `cannot create ${path.join(root, 'file/below')}`,
    );
  });
});
