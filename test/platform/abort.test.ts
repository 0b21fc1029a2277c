import { describe, expect, it } from 'vitest';
import { linkedController } from '../../src/platform/abort.ts';

describe('a linked controller', () => {
  it('aborts with the reason of the signal it follows', () => {
    const parent = new AbortController();
    const { signal } = linkedController(parent.signal);
    expect(signal.aborted).toBe(false);
    parent.abort('gone');
    expect(signal.reason).toBe('gone');
  });

  it('is aborted from the start when the signal is', () => {
    expect(linkedController(AbortSignal.abort('gone')).signal.reason).toBe('gone');
  });

  it('aborts alone, with or without a signal to follow', () => {
    const parent = new AbortController();
    for (const linked of [linkedController(parent.signal), linkedController(undefined)]) {
      linked.abort('done');
      expect(linked.signal.reason).toBe('done');
    }
    expect(parent.signal.aborted).toBe(false);
  });

  it('follows no more once it is unlinked', () => {
    const parent = new AbortController();
    const linked = linkedController(parent.signal);
    linked.unlink();
    parent.abort('gone');
    expect(linked.signal.aborted).toBe(false);
  });
});
