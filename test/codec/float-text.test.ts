// The table was printed by Go 1.26: FormatFloat 'f', the API's choice between 'f' and 'e', %g and %.2g.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  formatFloat,
  formatGeneral,
  formatSampleValue,
  formatSignificant,
} from '../../src/codec/float-text.ts';

const TABLE: [value: number, plain: string, sample: string, general: string, two: string][] = [
  [0, '0', '0', '0', '0'],
  [-0, '-0', '-0', '-0', '-0'],
  [1, '1', '1', '1', '1'],
  [-1, '-1', '-1', '-1', '-1'],
  [2, '2', '2', '2', '2'],
  [0.5, '0.5', '0.5', '0.5', '0.5'],
  [1000000, '1000000', '1000000', '1e+06', '1e+06'],
  [123456789, '123456789', '123456789', '1.23456789e+08', '1.2e+08'],
  [999999, '999999', '999999', '999999', '1e+06'],
  [1234567, '1234567', '1234567', '1.234567e+06', '1.2e+06'],
  [100000000000000000000, '100000000000000000000', '100000000000000000000', '1e+20', '1e+20'],
  [1e21, '1000000000000000000000', '1e+21', '1e+21', '1e+21'],
  [1.5e21, '1500000000000000000000', '1.5e+21', '1.5e+21', '1.5e+21'],
  [-1e22, '-10000000000000000000000', '-1e+22', '-1e+22', '-1e+22'],
  [0.0001, '0.0001', '0.0001', '0.0001', '0.0001'],
  [0.00001, '0.00001', '0.00001', '1e-05', '1e-05'],
  [0.0000012345678, '0.0000012345678', '0.0000012345678', '1.2345678e-06', '1.2e-06'],
  [0.000001, '0.000001', '0.000001', '1e-06', '1e-06'],
  [9.9e-7, '0.00000099', '9.9e-07', '9.9e-07', '9.9e-07'],
  [1e-7, '0.0000001', '1e-07', '1e-07', '1e-07'],
  [-3e-10, '-0.0000000003', '-3e-10', '-3e-10', '-3e-10'],
  [12345.678, '12345.678', '12345.678', '12345.678', '1.2e+04'],
  [0.1, '0.1', '0.1', '0.1', '0.1'],
  [100, '100', '100', '100', '1e+02'],
  [10, '10', '10', '10', '10'],
  [105, '105', '105', '105', '1e+02'],
  [0.00012345, '0.00012345', '0.00012345', '0.00012345', '0.00012'],
  [Number.NaN, 'NaN', 'NaN', 'NaN', 'NaN'],
  [Infinity, '+Inf', '+Inf', '+Inf', '+Inf'],
  [-Infinity, '-Inf', '-Inf', '-Inf', '-Inf'],
  [1234567.8, '1234567.8', '1234567.8', '1.2345678e+06', '1.2e+06'],
  [99.6, '99.6', '99.6', '99.6', '1e+02'],
  [9.96, '9.96', '9.96', '9.96', '10'],
  [0.996, '0.996', '0.996', '0.996', '1'],
  [-100.5, '-100.5', '-100.5', '-100.5', '-1e+02'],
];

describe('float text', () => {
  it.each(TABLE)('prints %d as Go does', (value, plain, sample, general, two) => {
    expect([
      formatFloat(value),
      formatSampleValue(value),
      formatGeneral(value),
      formatSignificant(value, 2),
    ]).toEqual([plain, sample, general, two]);
  });

  it('reads back as the same number and never shows an exponent in plain form', () => {
    fc.assert(
      fc.property(fc.double({ noDefaultInfinity: true, noNaN: true }), (value) => {
        const plain = formatFloat(value);
        expect(plain).toMatch(/^-?\d+(\.\d+)?$/);
        expect(Object.is(Number(plain), value)).toBe(true);
        expect(Object.is(Number(formatSampleValue(value)), value)).toBe(true);
        expect(Object.is(Number(formatGeneral(value)), value)).toBe(true);
      }),
    );
  });
});
