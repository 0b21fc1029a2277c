// Thanos's markers of blocks.

import { expect, it } from 'vitest';
import { realClock } from '../../../src/platform/clock.ts';
import { decodeMark, encodeMark, type Mark, readMark, writeMark } from '../../../src/storage/bucket/marks.ts';
import { memoryStore } from '../../../src/storage/objects/memory.ts';

const ulid = '01HXXXXXXXXXXXXXXXXXXXXXXX';
const deletion: Mark = { kind: 'deletion', ulid, details: 'old', atMs: 1_700_000_000_000, reason: undefined };
const bytesOf = (json: unknown): Uint8Array => new TextEncoder().encode(JSON.stringify(json));
const jsonOf = (mark: Mark): unknown => JSON.parse(new TextDecoder().decode(encodeMark(mark)));

it('writes the fields of Thanos, times in whole seconds', () => {
  expect(jsonOf({ ...deletion, atMs: 1_700_000_000_999 })).toEqual({
    id: ulid,
    version: 1,
    details: 'old',
    deletion_time: 1_700_000_000,
  });
  expect(jsonOf({ ...deletion, kind: 'no-compact', reason: 'index-size-exceeding' })).toEqual({
    id: ulid,
    version: 1,
    details: 'old',
    no_compact_time: 1_700_000_000,
    reason: 'index-size-exceeding',
  });
  expect(jsonOf({ ...deletion, kind: 'no-downsample', reason: 'manual' })).toMatchObject({
    no_downsample_time: 1_700_000_000,
    reason: 'manual',
  });
});

it('refuses to write a reason that the kind of mark does not know', () => {
  expect(() => encodeMark({ ...deletion, kind: 'no-downsample', reason: 'index-size-exceeding' })).toThrow(
    'index-size-exceeding',
  );
  expect(() => encodeMark({ ...deletion, kind: 'no-compact' })).toThrow('not one of');
  expect(() => encodeMark({ ...deletion, reason: 'manual' })).toThrow('manual');
});

it('keeps the first mark, so that marking again does not start the delay anew', async () => {
  const objects = memoryStore(realClock());
  expect(await readMark(objects, 'deletion', ulid)).toBeUndefined();
  expect(await writeMark(objects, deletion)).toBe(true);
  expect(await writeMark(objects, { ...deletion, atMs: 1_800_000_000_000 })).toBe(false);
  expect(await readMark(objects, 'deletion', ulid)).toEqual(deletion);
  expect(await readMark(objects, 'no-compact', ulid)).toBeUndefined();
});

it.each([
  ['no JSON', new TextEncoder().encode('{'), 'not JSON'],
  ['no object', bytesOf(null), 'not an object'],
  ['another version', bytesOf({ id: ulid, version: 2, deletion_time: 1 }), 'version is 2'],
  ['the name of another block', bytesOf({ id: 'x', version: 1, deletion_time: 1 }), 'of block "x"'],
  ['no time', bytesOf({ id: ulid, version: 1 }), 'deletion_time'],
])('says what is wrong with a mark with %s', (_, bytes, message) => {
  expect(() => decodeMark('deletion', ulid, bytes)).toThrow(message);
});
