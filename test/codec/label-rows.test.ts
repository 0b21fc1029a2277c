import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { packLabelRows, unpackLabelRows } from '../../src/codec/label-rows.ts';

describe('label rows', () => {
  it('come back as they were packed', () => {
    const texts = fc.constantFrom('', '__name__', 'a', 'b', 'é', '😀', 'job');
    fc.assert(
      fc.property(fc.array(fc.array(texts)), (rows) => {
        expect(unpackLabelRows(packLabelRows(rows))).toEqual(rows);
      }),
    );
  });

  it('hold each text once', () => {
    expect(packLabelRows([['a', 'x'], [], ['a', 'y']]).texts).toEqual(['a', 'x', 'y']);
  });

  it('refuse parts that do not fit together', () => {
    const packed = packLabelRows([['a', 'x']]);
    expect(() => unpackLabelRows({ ...packed, texts: ['a'] })).toThrow('a label outside the table');
    expect(() => unpackLabelRows({ ...packed, refs: packed.refs.subarray(4) })).toThrow('ends too late');
    expect(() => unpackLabelRows({ ...packed, refs: packed.refs.subarray(1) })).toThrow('bytes of numbers');
  });
});
