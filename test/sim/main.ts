// `npm run sim -- --seed N` runs one seed, `--seeds A..B` many (`--jobs J` in that many processes), `--new N` that many of which the first
// is drawn from the time and printed, `--plan JSON` parts of a seed's plan in another form, as a shrunk failure prints them. Ends with 1
// when a judge complained.

import { spawn } from 'node:child_process';
import { parseArgs } from 'node:util';
import { BUGS } from './bugs.ts';
import type { PortsFilter } from './node.ts';
import { drawPlan, type Plan } from './plan.ts';
import { shrink } from './shrink.ts';
import { type Outcome, simulate } from './simulation.ts';

interface Options {
  readonly first: number;
  readonly last: number;
  readonly jobs: number;
  readonly change: Partial<Plan>;
  readonly bug: string;
  readonly isTraced: boolean;
}

function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string', default: '1' },
      seeds: { type: 'string', default: '' },
      new: { type: 'string', default: '' },
      jobs: { type: 'string', default: '1' },
      plan: { type: 'string', default: '{}' },
      bug: { type: 'string', default: '' },
      trace: { type: 'boolean', default: false },
    },
  });
  const base = Math.floor(Date.now() / 1000);
  const range = values.new === '' ? values.seeds || values.seed : `${base}..${base + Number(values.new) - 1}`;
  const [first = '1', last = first] = range.split('..');
  return {
    first: Number(first),
    last: Number(last),
    jobs: Number(values.jobs),
    change: JSON.parse(values.plan) as Partial<Plan>,
    bug: values.bug,
    isTraced: values.trace,
  };
}

async function main(): Promise<number> {
  const options = readOptions();
  const { first, last, jobs } = options;
  if (last > first) console.log(`sim: seeds ${first}..${last}`);
  if (jobs > 1) return inChildren(options);
  const began = performance.now();
  const filter = options.bug === '' ? undefined : BUGS[options.bug];
  if (options.bug !== '' && filter === undefined) throw new Error(`bugs are ${Object.keys(BUGS).join(', ')}`);
  const sums = { steps: 0, virtualMs: 0, acknowledged: 0, answers: 0, compared: 0, blocks: 0, trimmed: 0 };
  let failed = 0;
  let running = first;
  // What throws outside of every actor ends the process, here as in a real one: say which seed it was.
  process.on('uncaughtExceptionMonitor', () => console.error(`seed ${running} broke off`));
  for (let seed = first; seed <= last; seed++) {
    running = seed;
    const plan = { ...drawPlan(seed), ...options.change };
    const outcome = await simulate(plan, filter);
    sums.steps += outcome.steps;
    for (const key of ['virtualMs', 'acknowledged', 'answers', 'compared', 'blocks', 'trimmed'] as const)
      sums[key] += outcome.counts[key];
    if (first === last) console.log(`seed ${seed}: trace ${outcome.hash}, ${JSON.stringify(outcome.counts)}`);
    if (options.isTraced) console.log(outcome.recent.join('\n'));
    if (outcome.violation === undefined) continue;
    failed++;
    await tell(plan, outcome, filter, options.bug);
  }
  const seconds = (performance.now() - began) / 1000;
  console.log(
    `sim: ${last - first + 1} seeds (${first}..${last}), ${failed} failed, ${seconds.toFixed(1)} s; ${(sums.virtualMs / 3_600_000).toFixed(1)} virtual hours, ${sums.steps} events, ${sums.acknowledged} samples acknowledged, ${sums.answers} answers, ${sums.compared} compared, ${sums.blocks} blocks, ${sums.trimmed} messages trimmed`,
  );
  return failed === 0 ? 0 : 1;
}

// What failed, how to see it again, and the smallest plan that still fails.
async function tell(
  plan: Plan,
  outcome: Outcome,
  filter: PortsFilter | undefined,
  bug: string,
): Promise<void> {
  const violation = outcome.violation!;
  const flags = bug === '' ? '' : ` --bug '${bug}'`;
  console.log(
    `seed ${plan.seed} fails at ${violation.atMs.toFixed(1)} ms: ${violation.judge}: ${violation.text}`,
  );
  console.log(`again: npm run sim -- --seed ${plan.seed}${flags}`);
  console.log(`the last events:\n  ${outcome.recent.join('\n  ')}`);
  const smallest = await shrink(plan, violation, filter);
  if (smallest === undefined) return console.log('it does not fail with less');
  const full = drawPlan(plan.seed);
  const change = Object.fromEntries(
    Object.entries(smallest.plan).filter(
      ([key, value]) => JSON.stringify(value) !== JSON.stringify(full[key as keyof Plan]),
    ),
  );
  const { judge, text } = smallest.outcome.violation!;
  console.log(`the smallest plan (${smallest.runs} runs): ${JSON.stringify(smallest.plan)}`);
  console.log(`  ${judge}: ${text}`);
  console.log(`  npm run sim -- --seed ${plan.seed}${flags} --plan '${JSON.stringify(change)}'`);
}

async function inChildren({ first, last, jobs, bug }: Options): Promise<number> {
  const share = Math.ceil((last - first + 1) / jobs);
  const statuses = await Promise.all(
    Array.from({ length: jobs }, (_, job) => {
      const from = first + job * share;
      const to = Math.min(last, from + share - 1);
      const more = bug === '' ? [] : ['--bug', bug];
      const child = spawn(process.execPath, [import.meta.filename, '--seeds', `${from}..${to}`, ...more], {
        stdio: 'inherit',
      });
      return new Promise<number>((resolve) => child.on('exit', (code) => resolve(code ?? 1)));
    }),
  );
  return Math.max(...statuses);
}

process.exitCode = await main();
