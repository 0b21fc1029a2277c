// Runs the scenario files of this folder; each evaluation is a test.

import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { makePartitionedEngine, makeTestEngine } from './engine.ts';
import { runScript } from './runner.ts';

const folder = import.meta.dirname;
const files = readdirSync(folder).filter((name) => name.endsWith('.promql'));

describe.each([
  ['over one source', makeTestEngine],
  ['over three partitions', makePartitionedEngine],
] as const)('promql scenarios %s', (_where, makeEngine) => {
  for (const name of files) {
    it(`${name} evaluates as written`, async () => {
      const outcomes = await runScript(readFileSync(path.join(folder, name), 'utf8'), makeEngine);
      const failures = outcomes
        .filter(({ difference }) => difference !== undefined)
        .map(({ line, query, difference }) => `${name}:${line} ${query}: ${difference}`);
      expect(failures).toEqual([]);
      expect(outcomes.length).toBeGreaterThan(5);
    });
  }
});
