// The lock on a data folder: one process at a time. It is an operating-system lock (SQLite's, the one such lock Node brings
// along) on a file of the folder: the kernel drops it with the process, however that ends, so there is no stale lock, no reused
// pid to be taken for the holder, and two containers with one volume see each other. A second file tells who holds it.

import * as fs from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { DomainError, errorText } from '../model/errors.ts';

const lockFile = 'lock';
const holderFile = 'lock.holder';
/** SQLite's SQLITE_BUSY. */
const busy = 5;

/** A folder that is this process's own. */
export interface FolderLock {
  /** Lets another process have the folder. */
  release(): Promise<void>;
}

/**
 * Takes the folder (made when missing) for this process; a second caller in the same process is refused too. Throws `config`,
 * naming the process that uses it.
 */
export async function lockFolder(root: string): Promise<FolderLock> {
  try {
    await fs.mkdir(root, { recursive: true });
    const lock = await takeLock(path.join(root, lockFile));
    if (!lock) throw new DomainError('config', await heldText(root));
    await fs.writeFile(path.join(root, holderFile), `${process.pid} ${os.hostname()}\n`);
    return {
      async release() {
        if (lock.isOpen) lock.close();
      },
    };
  } catch (error) {
    if (error instanceof DomainError) throw error;
    throw new DomainError(
      'config',
      `cannot use data folder ${root}: ${errorText(error)}; make it writable for this user or choose another folder with --data`,
      { cause: error },
    );
  }
}

// The database stays empty; its exclusive transaction, never ended, is the lock. Undefined while another has it.
async function takeLock(file: string): Promise<DatabaseSync | undefined> {
  const sqlite = await import('node:sqlite');
  const database = new sqlite.DatabaseSync(file);
  try {
    database.exec('BEGIN EXCLUSIVE');
    return database;
  } catch (error) {
    database.close();
    if ((error as { errcode?: number }).errcode === busy) return undefined;
    throw error;
  }
}

async function heldText(root: string): Promise<string> {
  const holder = await fs.readFile(path.join(root, holderFile), 'utf8').catch(() => '');
  const [pid = '', host = ''] = holder.trim().split(' ');
  const who = pid === '' ? 'another process' : `process ${pid}${host === os.hostname() ? '' : ` on ${host}`}`;
  return `cannot use data folder ${root}: ${who} is using it; stop that process or choose another folder with --data`;
}
