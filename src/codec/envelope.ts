// Control messages and error replies as msgpack (the door to msgpackr). Samples never travel this way.

import { Packr } from 'msgpackr';
import { DomainError, errorText } from '../model/errors.ts';

// useRecords off: plain maps, so that a message can be read without the sender's record table.
const packr = new Packr({ useRecords: false, mapsAsObjects: true, moreTypes: false });

/** Encodes a plain value (no class instances; Uint8Array stays binary). The result owns its memory. */
export function encodeEnvelope(value: unknown): Uint8Array {
  return packr.pack(value);
}

/** Decodes what encodeEnvelope made; `corrupt` when the bytes are not a message. */
export function decodeEnvelope<T>(bytes: Uint8Array): T {
  try {
    return packr.unpack(bytes) as T;
  } catch (error) {
    throw new DomainError(
      'corrupt',
      `cannot decode control message of ${bytes.length} bytes: ${errorText(error)}`,
      { cause: error },
    );
  }
}
