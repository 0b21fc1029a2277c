// A file system of its own that can be filled without hurting the machine, where mounting is allowed (root on Linux).

import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** A small file system. */
export interface SmallDisk {
  readonly folder: string;
  /** Leaves not one byte. */
  fill(): void;
  /** Takes away what `fill` put there. */
  free(): void;
  /** Unmounts it, whoever uses it; done at the end of the process if not before. */
  remove(): void;
}

const mounted = new Set<string>();
process.on('exit', () => {
  for (const folder of mounted) unmount(folder);
});

/** Mounts one of so many MiB, or says why that cannot be done here. */
export function mountSmallDisk(mebibytes: number): SmallDisk | { readonly missing: string } {
  const folder = mkdtempSync(path.join(tmpdir(), 'skein-small-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'tmpfs', folder], { stdio: 'pipe' });
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    return { missing: `cannot mount a tmpfs: ${String(error).replace(/\s+/g, ' ').slice(0, 150)}` };
  }
  mounted.add(folder);
  const filler = path.join(folder, 'filler');
  return {
    folder,
    fill: () => fillUp(filler),
    free: () => rmSync(filler),
    remove: () => unmount(folder),
  };
}

function unmount(folder: string): void {
  mounted.delete(folder);
  execFileSync('umount', ['-l', folder], { stdio: 'pipe' });
  rmSync(folder, { recursive: true, force: true });
}

function fillUp(file: string): void {
  const descriptor = openSync(file, 'w');
  try {
    for (const size of [1 << 20, 4096, 1]) {
      const bytes = Buffer.alloc(size);
      try {
        for (;;) writeSync(descriptor, bytes);
      } catch {
        // full: go on with smaller pieces
      }
    }
  } finally {
    closeSync(descriptor);
  }
}
