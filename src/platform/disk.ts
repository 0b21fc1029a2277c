// Disk: the port every actor gets instead of node:fs, and its real implementation. Paths are relative to the folder the
// disk was opened on. Errors are DomainErrors: `not_found`, `full` (no space left), `config` (not writable), else `internal`.

import * as fs from 'node:fs';
import * as path from 'node:path';
import { DomainError, errorText } from '../model/errors.ts';

/** An open file. All positions are absolute; concurrent reads are fine, writes are the owner's to order. */
export interface DiskFile {
  read(offset: number, length: number): Promise<Uint8Array>;
  /** Writes all of `bytes` at `offset`. */
  write(bytes: Uint8Array, offset: number): Promise<void>;
  /** Makes what was written survive a power cut. */
  sync(): Promise<void>;
  truncate(length: number): Promise<void>;
  size(): Promise<number>;
  close(): Promise<void>;
}

/** What a folder listing tells of an entry. */
export interface DiskEntry {
  readonly name: string;
  readonly isFolder: boolean;
  readonly bytes: number;
  /** Last change in ms since the epoch; 0 for folders. */
  readonly modifiedMs: number;
}

/** A folder and everything below it. */
export interface Disk {
  /** Opens a file, `create` makes it (and its folders) when missing; without it a missing file is `not_found`. */
  open(file: string, mode: 'read' | 'write' | 'create'): Promise<DiskFile>;
  /** A file's whole content; `not_found` when missing. */
  readFile(file: string): Promise<Uint8Array>;
  /** Replaces a file as a whole: temporary file, fsync, rename, fsync of the folder. Readers see the old or the new. */
  writeFile(file: string, bytes: Uint8Array): Promise<void>;
  /** Entries of a folder, sorted by name; an absent folder is empty. */
  list(folder: string): Promise<DiskEntry[]>;
  /** Makes a folder and those above it; durable when it resolves. */
  makeFolder(folder: string): Promise<void>;
  /** Removes a file or a whole folder; absent is fine. */
  remove(target: string): Promise<void>;
  /** Renames within the disk, replacing a file of the new name. */
  rename(source: string, target: string): Promise<void>;
  /** Free and total bytes of the file system below. */
  space(): Promise<{ freeBytes: number; totalBytes: number }>;
  /** A disk on a folder of this one. */
  within(folder: string): Disk;
  /** Where `file` lies, for messages to people. */
  describe(file: string): string;
}

function translate(action: string, file: string, error: unknown): DomainError {
  const code = (error as { code?: string }).code;
  const options = { cause: error };
  if (code === 'ENOENT')
    return new DomainError('not_found', `cannot ${action} ${file}: it does not exist`, options);
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new DomainError(
      'full',
      `cannot ${action} ${file}: the disk is full; free some space or give --data another disk`,
      options,
    );
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS')
    return new DomainError(
      'config',
      `cannot ${action} ${file}: permission denied (${code}); make it writable for this user or choose another folder with --data`,
      options,
    );
  return new DomainError('internal', `cannot ${action} ${file}: ${errorText(error)}`, options);
}

async function attempt<T>(action: string, file: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw error instanceof DomainError ? error : translate(action, file, error);
  }
}

function realFile(handle: fs.promises.FileHandle, file: string): DiskFile {
  return {
    read: (offset, length) =>
      attempt('read', file, async () => {
        const bytes = new Uint8Array(length);
        let done = 0;
        while (done < length) {
          const { bytesRead } = await handle.read(bytes, done, length - done, offset + done);
          if (bytesRead === 0) return bytes.subarray(0, done);
          done += bytesRead;
        }
        return bytes;
      }),
    write: (bytes, offset) =>
      attempt('write', file, async () => {
        let done = 0;
        while (done < bytes.length) {
          const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, offset + done);
          done += bytesWritten;
        }
      }),
    sync: () => attempt('sync', file, () => handle.datasync()),
    truncate: (length) => attempt('truncate', file, () => handle.truncate(length)),
    size: () => attempt('stat', file, async () => (await handle.stat()).size),
    close: () => attempt('close', file, () => handle.close()),
  };
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await fs.promises.open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

// A new folder is an entry of the one above it, which has to reach the disk as well.
async function makeFolderDurably(folder: string): Promise<void> {
  const topmost = await fs.promises.mkdir(folder, { recursive: true });
  if (topmost === undefined) return;
  for (
    let made = path.resolve(folder);
    made.length >= path.resolve(topmost).length;
    made = path.dirname(made)
  )
    await syncFolder(path.dirname(made));
}

/** The machine's disk below `root`. */
export function realDisk(root: string): Disk {
  const at = (file: string): string => path.join(root, file);
  return {
    open: (file, mode) =>
      attempt('open', at(file), async () => {
        if (mode === 'create') await fs.promises.mkdir(path.dirname(at(file)), { recursive: true });
        const flags =
          mode === 'read' ? 'r' : mode === 'write' ? 'r+' : fs.constants.O_RDWR | fs.constants.O_CREAT;
        return realFile(await fs.promises.open(at(file), flags), at(file));
      }),
    readFile: (file) =>
      attempt('read', at(file), async () => new Uint8Array(await fs.promises.readFile(at(file)))),
    writeFile: (file, bytes) =>
      attempt('write', at(file), async () => {
        const target = at(file);
        await makeFolderDurably(path.dirname(target));
        const temporary = `${target}.tmp`;
        const handle = await fs.promises.open(temporary, 'w');
        try {
          await handle.writeFile(bytes);
          await handle.sync();
        } finally {
          await handle.close();
        }
        await fs.promises.rename(temporary, target);
        await syncFolder(path.dirname(target));
      }),
    list: (folder) =>
      attempt('list', at(folder), async () => {
        const names = await fs.promises.readdir(at(folder), { withFileTypes: true }).catch((error) => {
          if (error.code === 'ENOENT') return [];
          throw error;
        });
        const entries = await Promise.all(
          names.map(async (entry) => {
            const isFolder = entry.isDirectory();
            const stat = isFolder
              ? undefined
              : await fs.promises.stat(path.join(at(folder), entry.name)).catch(() => undefined);
            return { name: entry.name, isFolder, bytes: stat?.size ?? 0, modifiedMs: stat?.mtimeMs ?? 0 };
          }),
        );
        return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
      }),
    makeFolder: (folder) =>
      attempt('create', at(folder), async () => {
        await makeFolderDurably(at(folder));
      }),
    remove: (target) =>
      attempt('remove', at(target), () => fs.promises.rm(at(target), { recursive: true, force: true })),
    rename: (source, target) =>
      attempt('rename', at(source), async () => {
        await fs.promises.mkdir(path.dirname(at(target)), { recursive: true });
        await fs.promises.rename(at(source), at(target));
        await syncFolder(path.dirname(at(target)));
      }),
    space: () =>
      attempt('measure', root, async () => {
        const stat = await fs.promises.statfs(root);
        return { freeBytes: stat.bavail * stat.bsize, totalBytes: stat.blocks * stat.bsize };
      }),
    within: (folder) => realDisk(at(folder)),
    describe: (file) => at(file),
  };
}
