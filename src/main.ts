// The `skein` command line.

import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { Command, CommanderError } from 'commander';
import { checkCluster } from './check-cluster.ts';
import { inspect } from './inspect.ts';
import { asDomainError, DomainError, errorText } from './model/errors.ts';
import { type Config, SETTINGS } from './platform/config.ts';
import { configText, readConfig } from './platform/config-reader.ts';
import { startProcess } from './process.ts';

const VERSION = (
  JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }
).version;

type Options = Record<string, string | undefined>;

function configFrom(options: Options): Config {
  const flags: Record<string, string> = {};
  if (options['listen'] !== undefined) flags['process.listen'] = options['listen'];
  if (options['data'] !== undefined) flags['process.data'] = options['data'];
  if (options['roles'] !== undefined) flags['process.roles'] = options['roles'];
  if (options['enableFeature'] !== undefined) flags['query.enable_feature'] = options['enableFeature'];
  for (const [name, value] of Object.entries(options))
    if (name.includes('.') && value !== undefined) flags[name] = value;
  const file = options['config'];
  return readConfig({
    ...(file === undefined ? {} : { file: { name: file, text: readText(file) } }),
    environment: process.env,
    flags,
  });
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new DomainError('config', `cannot read the configuration file ${file}: ${errorText(error)}`, {
      cause: error,
    });
  }
}

function withSettings(command: Command): Command {
  command
    .option('--config <file>', 'YAML configuration file')
    .option(
      '--listen <host:port>',
      `HTTP address of all roles (default: ${SETTINGS.process.listen.fallback})`,
    )
    .option('--data <folder>', `data folder (default: ${SETTINGS.process.data.fallback})`)
    .option('--roles <list>', 'roles of this process, comma-separated (default: receiver,shard,querier)')
    .option(
      '--enable-feature <list>',
      `${SETTINGS.query.enable_feature.reason} (${SETTINGS.query.enable_feature.allowed})`,
      (more: string, before?: string) => (before === undefined ? more : `${before},${more}`),
    );
  for (const [section, settings] of Object.entries(SETTINGS))
    for (const [key, setting] of Object.entries(settings))
      command.option(`--${section}.${key} <value>`, `${setting.reason} (${setting.allowed})`);
  return command;
}

async function serve(options: Options): Promise<void> {
  const config = configFrom(options);
  const given = Object.fromEntries(
    Object.entries(options).filter(([, value]) => value !== undefined),
  ) as Record<string, string>;
  const running = await startProcess({
    config,
    version: VERSION,
    hostname: hostname(),
    folder: process.cwd(),
    flags: given,
  });
  console.log(running.banner);
  await new Promise<void>((resolve) => {
    const stop = (signal: NodeJS.Signals): void => {
      process.once(signal, () => process.exit(1)); // a second signal does not wait
      console.log(`${signal}: draining ...`);
      resolve();
    };
    process.once('SIGINT', () => stop('SIGINT'));
    process.once('SIGTERM', () => stop('SIGTERM'));
  });
  await running.stop();
  console.log('stopped');
}

function fail(error: unknown): never {
  const failure = asDomainError(error);
  if (failure.code === 'internal' && failure.cause instanceof Error && failure.cause.stack)
    console.error(failure.cause.stack);
  else console.error(`skein: ${failure.message}`);
  process.exit(1);
}

/** Runs the command line; ends the process with 1 after an error that says what to do. */
export async function main(argv: readonly string[]): Promise<void> {
  // `skein inspect ... | head` closes the pipe early; that is not an error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
  const program = new Command('skein').description('Prometheus-compatible metrics cluster').exitOverride();
  withSettings(
    program
      .command('serve')
      .description('run the roles of this process (embedded mode without nats.servers)'),
  ).action((options: Options) => serve(options));
  const check = program.command('check').description('check files, or a running cluster');
  withSettings(
    check.command('config').description('check the configuration and print it as it would be used'),
  ).action((options: Options) => {
    process.stdout.write(configText(configFrom(options)));
  });
  check
    .command('cluster')
    .description('tell how every partition stands; ends with 1 when something is not healthy')
    .option('--url <url>', 'any process of the cluster', `http://${SETTINGS.process.listen.fallback}`)
    .action(async ({ url }: { url: string }) => {
      if (!(await checkCluster(url, (line) => process.stdout.write(`${line}\n`)))) process.exitCode = 1;
    });
  program
    .command('inspect <kind> <path>')
    .description(
      'show bytes for people: frame, wal (a partition folder of the log) or block (a block folder)',
    )
    .action((kind: string, path: string) => inspect(kind, path, (line) => process.stdout.write(`${line}\n`)));
  program.command('version').action(() => console.log(`skein ${VERSION} (node ${process.version})`));
  try {
    await program.parseAsync(['node', 'skein', ...argv]);
    process.exit();
  } catch (error) {
    if (error instanceof CommanderError) process.exit(error.exitCode);
    fail(error);
  }
}

await main(process.argv.slice(2));
