// npm run fuzz -- [--count N] [--seed S] [--url-prometheus U] [--url-skein U] [--queries-only]
// Random PromQL over random data, asked of a Prometheus and a Skein. Starts both on loopback, with other data and features for every
// thousand queries, all drawn from the seed. What differs is shrunk and printed as a promqltest case; what is accepted (accepted.ts) is
// counted. Exit status 1 when something differs that is not. With --queries-only the data of a difference is not shrunk, which takes most
// of the time.

import { parseArgs } from 'node:util';
import { FuzzRun } from './run.ts';

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      count: { type: 'string', default: '1000' },
      seed: { type: 'string', default: '1' },
      'url-prometheus': { type: 'string' },
      'url-skein': { type: 'string' },
      'queries-only': { type: 'boolean', default: false },
    },
  });
  const [count, seed] = [Number(values.count), Number(values.seed)];
  if (!Number.isInteger(count) || !Number.isInteger(seed)) {
    console.error('usage: npm run fuzz -- [--count N] [--seed S] [--url-prometheus U] [--url-skein U]');
    return 2;
  }
  const given = {
    ...(values['url-prometheus'] !== undefined && { prometheusUrl: values['url-prometheus'] }),
    ...(values['url-skein'] !== undefined && { skeinUrl: values['url-skein'] }),
  };
  const run = new FuzzRun({
    count,
    seed,
    given,
    withData: !values['queries-only'],
    print: (text) => console.log(text),
  });
  return run.all();
}

// The servers go with this process, however it ends.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
process.exitCode = await main();
