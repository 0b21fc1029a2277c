// npm run promqltest -- DIR [--only FILE]
// Runs every *.test and *.promql file of a folder and prints per file what passed and failed, with the reasons of failures; any failure
// makes the run fail.

import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import type { Need } from './classify.ts';
import { makeTestEngine } from './engine.ts';
import { type Outcome, runScript } from './runner.ts';

interface Count {
  passed: number;
  failed: number;
}

const PLAIN = 'plain floats';
type Group = Need | typeof PLAIN;
const EXTENSIONS = '3.10-3.14 extensions';
const HISTOGRAMS = 'native histograms';
const GROUPS: readonly Group[] = [PLAIN, EXTENSIONS, HISTOGRAMS];

function groupOf({ needs }: Outcome): Group {
  if (needs.has(HISTOGRAMS)) return HISTOGRAMS;
  return needs.has(EXTENSIONS) ? EXTENSIONS : PLAIN;
}

function emptyCounts(): Map<Group, Count> {
  return new Map(GROUPS.map((group) => [group, { passed: 0, failed: 0 }]));
}

function countsText(counts: ReadonlyMap<Group, Count>): string {
  return GROUPS.map((group) => [group, counts.get(group) as Count] as const)
    .filter(([, { passed, failed }]) => passed + failed > 0)
    .map(([group, { passed, failed }]) => `${group}: ${passed} passed, ${failed} failed`)
    .join(' | ');
}

async function runFile(file: string, totals: Map<Group, Count>): Promise<void> {
  const counts = emptyCounts();
  const failures: string[] = [];
  for (const outcome of await runScript(readFileSync(file, 'utf8'), makeTestEngine)) {
    const group = groupOf(outcome);
    const result = outcome.difference === undefined ? 'passed' : 'failed';
    for (const count of [counts.get(group), totals.get(group)]) if (count !== undefined) count[result]++;
    if (outcome.difference === undefined) continue;
    failures.push(`  ${path.basename(file)}:${outcome.line} ${outcome.query}\n    ${outcome.difference}`);
  }
  console.log(`${path.basename(file)}: ${countsText(counts)}`);
  for (const failure of failures) console.log(failure);
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { only: { type: 'string' } },
  });
  const [folder] = positionals;
  if (folder === undefined) {
    console.error('usage: npm run promqltest -- DIR [--only FILE]');
    return 2;
  }
  const files = readdirSync(folder)
    .filter((name) => /\.(?:test|promql)$/.test(name) && (values.only === undefined || name === values.only))
    .sort();
  const totals = emptyCounts();
  for (const name of files) await runFile(path.join(folder, name), totals);
  console.log(`${files.length} files: ${countsText(totals)}`);
  if (files.length === 0) return 2;
  return [...totals.values()].some(({ failed }) => failed > 0) ? 1 : 0;
}

process.exitCode = await main();
