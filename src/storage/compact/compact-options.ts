// What a merge of blocks is asked to do.

import type { Hasher } from '../../codec/hash.ts';
import type { Pause } from '../../model/pause.ts';
import type { Disk } from '../../platform/disk.ts';
import type { Deduplication } from './merge-series.ts';

/** A block to be written. */
export interface CompactTarget {
  readonly ulid: string;
  /** External labels; blocks that share one merge's series should differ in one, so that nobody takes them for overlapping. */
  readonly labels: Readonly<Record<string, string>>;
}

/** How far a merge has come. */
export interface CompactProgress {
  /** Bytes of the sources: once when they are read, those of the indexes again as indexes are written. */
  readonly doneBytes: number;
  readonly totalBytes: number;
}

/** How blocks are merged. */
export interface CompactOptions {
  readonly disk: Disk;
  /** Blocks are written to folders of this one that have their ULIDs as names. */
  readonly folder: string;
  /** One, or several that share the series: that of series s has index hash(s) mod length. */
  readonly targets: readonly CompactTarget[];
  readonly deduplication: Deduplication;
  /** Thanos's word for the writer; `compactor` when absent. */
  readonly writer?: string;
  readonly hasher: Hasher;
  /** Lets others run. See timeSlices. */
  readonly pause: Pause;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: CompactProgress) => void) | undefined;
  /** 512 MiB unless a test wants to see several segments. */
  readonly segmentBytesMax?: number;
  /** Bytes read at a time; as many as there is memory for unless a test wants to see many reads. */
  readonly pieceBytes?: number;
}
