import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { realClock } from '../src/platform/clock.ts';
import { readConfig } from '../src/platform/config-reader.ts';
import { realRandom } from '../src/platform/random.ts';
import { type RehearsalOptions, rehearse } from '../src/rehearsal.ts';

describe('a rehearsal', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'skein-rehearsal-'));
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const options = (signal: AbortSignal): RehearsalOptions => ({
    config: readConfig({ environment: {}, flags: {} }),
    version: '1.2.3',
    folder: path.join(folder, 'rehearsal'),
    world: { clock: realClock(), random: realRandom() },
    rounds: 1,
    signal,
  });

  it('gets an answer to every kind of question and leaves nothing behind', async () => {
    const outcome = await rehearse(options(new AbortController().signal));
    expect(outcome.requests).toBeGreaterThan(50);
    expect(outcome.lastRoundMs).toBeGreaterThan(0);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('ends at once when its process stops, and leaves nothing behind', async () => {
    const leaving = new AbortController();
    const left = rehearse(options(leaving.signal));
    leaving.abort(new Error('the process stops'));
    await expect(left).rejects.toThrow('the process stops');
    expect(readdirSync(folder)).toEqual([]);
  });
});
