// A bucket in a local folder: one file per object, replaced by rename. For one process: two that write the same folder would not
// see each other's putOnce. Names ending in ".tmp" are files being written and never shown.

import { DomainError, errorText } from '../../model/errors.ts';
import type { Disk, DiskFile } from '../../platform/disk.ts';
import { checkKey } from './keys.ts';
import type { ObjectEntry, ObjectStore } from './object-store.ts';

const temporarySuffix = '.tmp';

function folderOf(key: string): string {
  const slash = key.lastIndexOf('/');
  return slash < 0 ? '' : key.slice(0, slash);
}

/** A bucket on `disk`. */
export function folderStore(disk: Disk): ObjectStore {
  return new FolderStore(disk);
}

class FolderStore implements ObjectStore {
  readonly #disk: Disk;
  /** Per key, the end of what is being done to it. */
  readonly #busy = new Map<string, Promise<unknown>>();
  #writers = 0;
  #pruning: Promise<void> = Promise.resolve();

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  async put(key: string, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    await this.#writing(key, () => this.#disk.writeFile(key, bytes));
  }

  async putOnce(key: string, bytes: Uint8Array): Promise<void> {
    await this.#writing(key, async () => {
      if (await this.stat(key)) throw new DomainError('conflict', `cannot put ${key}: it exists already`);
      await this.#disk.writeFile(key, bytes);
    });
  }

  async putStream(key: string, chunks: AsyncIterable<Uint8Array>, bytes: number): Promise<void> {
    await this.#writing(key, async () => {
      const temporary = key + temporarySuffix;
      try {
        await this.#fill(temporary, chunks, bytes);
        await this.#disk.rename(temporary, key);
      } catch (error) {
        await this.#disk.remove(temporary);
        throw error;
      }
    });
  }

  async get(key: string, signal?: AbortSignal): Promise<Uint8Array> {
    signal?.throwIfAborted();
    return this.#reading(key, () => this.#disk.readFile(key));
  }

  async getRange(key: string, offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array> {
    signal?.throwIfAborted();
    return this.#reading(key, async () => {
      const file = await this.#disk.open(key, 'read');
      try {
        const end = Math.min(offset + length, await file.size());
        return await file.read(offset, Math.max(0, end - offset));
      } finally {
        await file.close();
      }
    });
  }

  async stat(key: string): Promise<ObjectEntry | undefined> {
    const folder = folderOf(checkKey(key));
    const name = key.slice(folder === '' ? 0 : folder.length + 1);
    const found = (await this.#disk.list(folder)).find((entry) => entry.name === name && !entry.isFolder);
    return found && { key, bytes: found.bytes, modifiedMs: found.modifiedMs };
  }

  async *list(prefix: string): AsyncGenerator<ObjectEntry, void, undefined> {
    const slash = prefix.lastIndexOf('/');
    yield* this.#walk(prefix.slice(0, slash + 1), prefix);
  }

  async *folders(prefix: string): AsyncGenerator<string, void, undefined> {
    for (const entry of await this.#disk.list(prefix)) {
      if (!entry.isFolder) continue;
      const folder = `${prefix}${entry.name}/`;
      const first = await this.#walk(folder, folder).next();
      if (!first.done) yield folder;
    }
  }

  async remove(key: string): Promise<void> {
    await this.#writing(key, async () => {
      if (await this.stat(key)) await this.#disk.remove(key);
    });
    if (this.#writers === 0) this.#pruning = this.#prune(folderOf(key));
    await this.#pruning;
  }

  /** Objects below a folder ('' or ending in '/') whose key begins with `prefix`, by key. */
  async *#walk(folder: string, prefix: string): AsyncGenerator<ObjectEntry, void, undefined> {
    const entries = (await this.#disk.list(folder)).map((entry) => ({
      ...entry,
      key: folder + entry.name + (entry.isFolder ? '/' : ''),
    }));
    entries.sort((a, b) => (a.key < b.key ? -1 : 1));
    for (const { key, isFolder, bytes, modifiedMs } of entries) {
      if (isFolder && (key.startsWith(prefix) || prefix.startsWith(key))) yield* this.#walk(key, prefix);
      else if (!isFolder && key.startsWith(prefix) && !key.endsWith(temporarySuffix))
        yield { key, bytes, modifiedMs };
    }
  }

  /** Runs `run` when nothing else is done to the key and no empty folder is being removed. */
  async #writing(key: string, run: () => Promise<void>): Promise<void> {
    if (checkKey(key).endsWith(temporarySuffix))
      throw new DomainError('bad_data', `cannot put ${key}: names ending in ${temporarySuffix} are taken`);
    this.#writers++;
    const turn = Promise.allSettled([this.#busy.get(key), this.#pruning]).then(run);
    this.#busy.set(key, turn);
    try {
      await turn;
    } finally {
      this.#writers--;
      if (this.#busy.get(key) === turn) this.#busy.delete(key);
    }
  }

  /** Opening a folder as a file is an error of its own; here it only means that there is no such object. */
  async #reading(key: string, run: () => Promise<Uint8Array>): Promise<Uint8Array> {
    checkKey(key);
    try {
      return await run();
    } catch (error) {
      if (error instanceof DomainError && error.code === 'internal' && !(await this.stat(key)))
        throw new DomainError('not_found', `cannot get ${key}: it does not exist`, { cause: error });
      throw error;
    }
  }

  async #fill(file: string, chunks: AsyncIterable<Uint8Array>, bytes: number): Promise<void> {
    const target: DiskFile = await this.#disk.open(file, 'create');
    try {
      await target.truncate(0);
      let length = 0;
      for await (const chunk of chunks) {
        await target.write(chunk, length);
        length += chunk.length;
      }
      if (length !== bytes)
        throw new DomainError(
          'bad_data',
          `cannot put ${file}: ${length} bytes came, ${bytes} were announced`,
        );
      await target.sync();
    } finally {
      await target.close();
    }
  }

  /** Removes empty folders from `folder` upwards. Writers wait meanwhile, so none of them loses its folder. */
  async #prune(folder: string): Promise<void> {
    let empty = folder;
    try {
      while (empty !== '' && (await this.#disk.list(empty)).length === 0) {
        await this.#disk.remove(empty);
        empty = folderOf(empty);
      }
    } catch (error) {
      throw new DomainError('internal', `cannot remove the empty folder ${empty}: ${errorText(error)}`, {
        cause: error,
      });
    }
  }
}
