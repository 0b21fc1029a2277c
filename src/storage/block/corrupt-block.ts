// A block whose bytes do not check: the error names block, file and offset, so that just this block can be marked and passed by.

import { DomainError, errorText } from '../../model/errors.ts';

/** Where a block is broken. */
export interface DamagePlace {
  readonly ulid: string;
  /** Path in the block's folder. */
  readonly file: string;
  /** Byte of the file where the broken part begins. */
  readonly offset: number;
}

/** A `corrupt` error of one block. */
export class CorruptBlockError extends DomainError implements DamagePlace {
  readonly ulid: string;
  readonly file: string;
  readonly offset: number;

  constructor(place: DamagePlace, reason: string, cause?: unknown) {
    super(
      'corrupt',
      `cannot read block ${place.ulid}: ${place.file} at byte ${place.offset}: ${reason}`,
      cause === undefined ? {} : { cause },
    );
    this.ulid = place.ulid;
    this.file = place.file;
    this.offset = place.offset;
  }
}

/** The error with its place in a block if it is `corrupt` and has none yet, else the error itself. */
export function placed(error: unknown, place: DamagePlace): unknown {
  if (error instanceof CorruptBlockError) return error;
  if (!(error instanceof DomainError) || error.code !== 'corrupt') return error;
  return new CorruptBlockError(place, errorText(error), error);
}
