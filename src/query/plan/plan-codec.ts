// Fragments as bytes: one version byte, then JSON of the plan node and its grid. Numbers that JSON lacks (NaN, infinities, -0)
// travel as {"$":"NaN"}. Depth and size are bounded before anything is built from them.

import { DomainError, errorText } from '../../model/errors.ts';
import type { EvalModes } from '../modes.ts';
import type { StepRange } from '../source.ts';
import type { PlanNode } from './nodes.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const VERSION = 1;
/** A plan of a query of the longest allowed text is far smaller. */
const FRAGMENT_BYTES_MAX = 4 << 20;

/** What a shard evaluates: a node on a grid, with the query's lookback. */
export interface Fragment extends EvalModes {
  readonly grid: StepRange;
  readonly lookbackMs: number;
  readonly node: PlanNode;
  /** Whether the operators are to be measured. */
  readonly analyze?: boolean;
}

/** Encodes a fragment; the result owns its memory. */
export function encodeFragment(fragment: Fragment): Uint8Array {
  const body = encoder.encode(JSON.stringify(fragment, writeNumber));
  const bytes = new Uint8Array(body.length + 1);
  bytes[0] = VERSION;
  bytes.set(body, 1);
  return bytes;
}

/** Decodes a fragment of our own cluster; `corrupt` when the version or the text is not ours. */
export function decodeFragment(bytes: Uint8Array): Fragment {
  if (bytes[0] !== VERSION)
    throw new DomainError(
      'corrupt',
      `cannot decode query fragment: version ${bytes[0]}, this process speaks ${VERSION}`,
    );
  if (bytes.length > FRAGMENT_BYTES_MAX)
    throw new DomainError(
      'too_large',
      `cannot decode query fragment: ${bytes.length} bytes > ${FRAGMENT_BYTES_MAX}`,
    );
  try {
    const text = decoder.decode(bytes.subarray(1));
    // Looking at every value costs more than all the rest.
    return (text.includes('{"$":') ? JSON.parse(text, readNumber) : JSON.parse(text)) as Fragment;
  } catch (error) {
    throw new DomainError('corrupt', `cannot decode query fragment: ${errorText(error)}`, { cause: error });
  }
}

function writeNumber(_key: string, value: unknown): unknown {
  if (typeof value !== 'number' || (Number.isFinite(value) && !Object.is(value, -0))) return value;
  return { $: Object.is(value, -0) ? '-0' : String(value) };
}

function readNumber(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('$' in value)) return value;
  return Number(value.$);
}
