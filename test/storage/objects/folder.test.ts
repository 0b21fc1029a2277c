import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { realDisk } from '../../../src/platform/disk.ts';
import { folderStore } from '../../../src/storage/objects/folder.ts';
import { runObjectStoreContract } from '../../contract/object-store.contract.ts';

async function freshFolder(): Promise<string> {
  return mkdtemp(path.join(tmpdir(), 'skein-folder-store-'));
}

runObjectStoreContract({
  name: 'local folder',
  async make() {
    const folder = await freshFolder();
    return {
      store: folderStore(realDisk(folder)),
      dispose: () => rm(folder, { recursive: true, force: true }),
    };
  },
});

describe('folderStore', () => {
  it('does not show files that were being written when the process died', async () => {
    const folder = await freshFolder();
    const store = folderStore(realDisk(folder));
    await store.put('a/b', new Uint8Array(3));
    await writeFile(path.join(folder, 'a', 'c.tmp'), 'half');
    const keys = [];
    for await (const entry of store.list('')) keys.push(entry.key);
    expect(keys).toEqual(['a/b']);
    await rm(folder, { recursive: true });
  });

  it('removes folders that became empty', async () => {
    const folder = await freshFolder();
    const store = folderStore(realDisk(folder));
    await store.put('block/chunks/000001', new Uint8Array(3));
    await store.remove('block/chunks/000001');
    expect(await readdir(folder)).toEqual([]);
    await rm(folder, { recursive: true });
  });
});
