// A sequential writer over a DiskFile: collects small writes in one buffer, so that a file costs few disk calls.

import type { Disk, DiskFile } from '../../platform/disk.ts';

/** Bytes collected before they go to the disk. */
const BUFFER_BYTES = 1 << 20;
const ZEROS = new Uint8Array(16);

/** An append-only file being written; `position` counts all bytes handed in. */
export class FileSink {
  readonly file: DiskFile;
  position = 0;
  private readonly buffer = new Uint8Array(BUFFER_BYTES);
  private buffered = 0;

  constructor(file: DiskFile) {
    this.file = file;
  }

  /** Appends bytes; borrowed only for the call unless they are larger than the buffer (then until it resolves). */
  write(bytes: Uint8Array): Promise<void> | undefined {
    if (this.hasRoom(bytes.length)) {
      this.take(bytes);
      return undefined;
    }
    return this.writeThrough(bytes);
  }

  /** Whether `write` of so many bytes has nothing to wait for. */
  hasRoom(bytes: number): boolean {
    return bytes <= BUFFER_BYTES - this.buffered;
  }

  /** Appends zeros up to a multiple of `size` (at most 16); a write to wait for, if one began. */
  pad(size: number): Promise<void> | undefined {
    const rest = this.position % size;
    return rest === 0 ? undefined : this.write(ZEROS.subarray(rest, size));
  }

  /** Puts everything on the disk, durably, and closes the file. */
  async finish(): Promise<void> {
    try {
      await this.flush();
      await this.file.sync();
    } finally {
      await this.file.close();
    }
  }

  /** Hands the buffer to the disk. */
  async flush(): Promise<void> {
    if (this.buffered === 0) return;
    await this.file.write(this.buffer.subarray(0, this.buffered), this.position - this.buffered);
    this.buffered = 0;
  }

  private async writeThrough(bytes: Uint8Array): Promise<void> {
    await this.flush();
    if (bytes.length <= BUFFER_BYTES) return this.take(bytes);
    await this.file.write(bytes, this.position);
    this.position += bytes.length;
  }

  private take(bytes: Uint8Array): void {
    this.buffer.set(bytes, this.buffered);
    this.buffered += bytes.length;
    this.position += bytes.length;
  }
}

/** Opens an empty file for sequential writing, replacing what was there. */
export async function createFileSink(disk: Disk, path: string): Promise<FileSink> {
  const file = await disk.open(path, 'create');
  try {
    await file.truncate(0);
  } catch (error) {
    await file.close();
    throw error;
  }
  return new FileSink(file);
}
