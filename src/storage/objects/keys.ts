// What a key may look like: the same for every bucket, so that what works on a folder works on S3 and the other way round.

import { DomainError } from '../../model/errors.ts';

const keyCharactersMax = 900;

function faultOf(key: string): string | undefined {
  if (key === '' || key.length > keyCharactersMax) return `it must have 1 to ${keyCharactersMax} characters`;
  if (key.split('/').some((part) => part === '' || part === '.' || part === '..'))
    return 'its parts between slashes must not be empty, "." or ".."';
  if (/\\|\p{Cc}/u.test(key)) return 'backslashes and control characters are not allowed';
  return undefined;
}

/** Returns the key, or throws `bad_data` when it is empty, too long, or has empty, "." or ".." parts or odd characters. */
export function checkKey(key: string): string {
  const fault = faultOf(key);
  if (fault) throw new DomainError('bad_data', `cannot use the object key ${JSON.stringify(key)}: ${fault}`);
  return key;
}

/** The immediate folders below `prefix` among sorted keys that begin with it, each with its trailing slash. */
export function* foldersOf(sortedKeys: Iterable<string>, prefix: string): Generator<string, void, undefined> {
  let last: string | undefined;
  for (const key of sortedKeys) {
    const slash = key.indexOf('/', prefix.length);
    if (slash < 0) continue;
    const folder = key.slice(0, slash + 1);
    if (folder !== last) yield folder;
    last = folder;
  }
}
