// npm run fuzz -- [--count N] [--seed S] [--url-prometheus U] [--url-skein U]
// Random PromQL over random data, asked of a Prometheus and a Skein. Starts both on loopback, with other data and features for every
// thousand queries, all drawn from the seed.

import { parseArgs } from 'node:util';
import type { Grid } from './ask.ts';
import { DATA_MS, makeSeries } from './data.ts';
import { queryMaker } from './expressions.ts';
import { judge } from './judge.ts';
import { type FuzzRandom, makeRandom, partSeed } from './random.ts';
import { shrinkQuestion } from './shrink.ts';
import { openWorld } from './world.ts';

const QUERIES_PER_WORLD = 1_000;
const DATA_SECONDS = DATA_MS / 1000;

function gridOf(random: FuzzRandom): Grid {
  const lookback = random.once(10) ? { lookback: random.pick(['1m', '20s', '10m']) } : {};
  const end = random.below(DATA_SECONDS * 1.1) + random.pick([0, 0, 0, 0.5, 0.001]);
  if (random.once(2)) return { start: end, end, step: 0, ...lookback };
  const step = random.pick([15, 30, 47, 60, 7.5, 300]);
  return { start: end - step * random.below(25), end, step, ...lookback };
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      count: { type: 'string', default: '1000' },
      seed: { type: 'string', default: '1' },
      'url-prometheus': { type: 'string' },
      'url-skein': { type: 'string' },
    },
  });
  const [count, seed] = [Number(values.count), Number(values.seed)];
  let unlisted = 0;
  for (let index = 0; index * QUERIES_PER_WORLD < count; index++) {
    const worldSeed = partSeed(seed, index);
    const random = makeRandom(worldSeed);
    const flags = { delayedNames: random.once(2), startTimes: random.once(3) };
    const series = makeSeries(random, flags.startTimes);
    const world = await openWorld(series, flags);
    try {
      const make = queryMaker(random);
      const todo = Math.min(QUERIES_PER_WORLD, count - index * QUERIES_PER_WORLD);
      console.log(`# world ${index} seed ${worldSeed}: ${series.length} series, ${JSON.stringify(flags)}`);
      for (let i = 0; i < todo; i++) {
        const question = { query: make(), grid: gridOf(random) };
        const found = await judge(world, question.query, question.grid);
        if (found === undefined) continue;
        const small = await shrinkQuestion(
          question,
          async (one) => (await judge(world, one.query, one.grid)) !== undefined,
        );
        unlisted++;
        console.log(`#${index * QUERIES_PER_WORLD + i} ${question.query} ${JSON.stringify(question.grid)}`);
        const after = (await judge(world, small.query, small.grid)) ?? found;
        console.log(`   ${small.query}   at ${JSON.stringify(small.grid)}\n  ${after.kind} ${after.text.slice(0, 600)}`);
      }
    } finally {
      await world.dispose();
    }
  }
  console.log(`${count} queries, ${unlisted} unlisted differences`);
  return unlisted === 0 ? 0 : 1;
}

process.exitCode = await main();
