// `npm test`: runs the three projects of vitest.config.ts one after the other, says which were skipped and why, and ends with
// the line "N passed, N failed, N skipped". Exits with 1 when anything failed. Arguments are handed on to vitest.

import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/** What we read of vitest's JSON report. */
interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message?: string;
    readonly assertionResults: readonly {
      readonly ancestorTitles: readonly string[];
      readonly title: string;
      readonly status: string;
    }[];
  }[];
}

const root = path.resolve(import.meta.dirname, '..');
const vitest = path.join(
  path.dirname(createRequire(import.meta.url).resolve('vitest/package.json')),
  'vitest.mjs',
);

function run(project: string, reportFile: string): Promise<number> {
  const child = spawn(
    process.execPath,
    [
      vitest,
      'run',
      '--project',
      project,
      '--passWithNoTests',
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${reportFile}`,
      ...process.argv.slice(2),
    ],
    { cwd: root, stdio: 'inherit' },
  );
  return new Promise((resolve) => {
    child.on('error', () => resolve(1));
    child.on('exit', (code) => resolve(code ?? 1));
  });
}

function readReport(reportFile: string): Report | undefined {
  try {
    return JSON.parse(readFileSync(reportFile, 'utf8')) as Report;
  } catch {
    return undefined;
  }
}

/** Adds one project's tests to `counts` and the skipped ones, by suite, to `skips`. */
function count(report: Report, counts: Counts, skips: Map<string, number>): void {
  for (const file of report.testResults) {
    if (file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'))
      counts.failed++;
    for (const test of file.assertionResults) {
      if (test.status === 'passed') counts.passed++;
      else if (test.status === 'failed') counts.failed++;
      else {
        counts.skipped++;
        // A suite that is skipped as a whole says so in its own title; any other skipped test in the test's.
        const suite = test.ancestorTitles.findIndex((title) => title.includes('[skipped: '));
        const shown =
          suite >= 0 ? test.ancestorTitles.slice(0, suite + 1) : [...test.ancestorTitles, test.title];
        const name = `${path.relative(root, file.name)} › ${shown.join(' › ')}`;
        skips.set(name, (skips.get(name) ?? 0) + 1);
      }
    }
  }
}

const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
const skips = new Map<string, number>();
const folder = mkdtempSync(path.join(tmpdir(), 'skein-test-report-'));
for (const project of ['unit', 'integration', 'load']) {
  const reportFile = path.join(folder, `${project}.json`);
  const status = await run(project, reportFile);
  const report = readReport(reportFile);
  const before = counts.failed;
  if (report) count(report, counts, skips);
  // A crash, or an error outside of any test, is a failure even when every test passed.
  if (status !== 0 && counts.failed === before) counts.failed++;
}
rmSync(folder, { recursive: true, force: true });

if (skips.size > 0) console.log('\nskipped:');
for (const [name, tests] of skips) console.log(`  ${name}${tests > 1 ? ` (${tests} tests)` : ''}`);
console.log(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
process.exitCode = counts.failed > 0 ? 1 : 0;
