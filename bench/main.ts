// `npm run bench -- NAME`: runs bench/NAME.bench.ts in a process of its own; without a name, lists what there is.

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';

const folder = import.meta.dirname;
const [name, ...rest] = process.argv.slice(2);
const file = path.join(folder, `${name}.bench.ts`);
if (name === undefined || !existsSync(file)) {
  const names = readdirSync(folder).flatMap((entry) =>
    entry.endsWith('.bench.ts') ? [entry.slice(0, -'.bench.ts'.length)] : [],
  );
  console.error(`usage: npm run bench -- NAME      names: ${names.join(', ')}`);
  process.exit(2);
}
process.exit(spawnSync(process.execPath, ['--expose-gc', file, ...rest], { stdio: 'inherit' }).status ?? 1);
