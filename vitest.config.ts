import { defineConfig, type ViteUserConfig } from 'vitest/config';

// What keeps both cores busy, or says how long something takes: it has the machine to itself.
const alone = [
  'test/chaos/**/*.integration.test.ts',
  'test/cluster/{cluster,nats-cluster,scaling,takeover}.test.ts',
];

// Three projects: `unit` needs nothing but Node; the two others start real servers (see test/helpers/servers.ts). The files of
// `integration` mostly wait (for leases, for restarts, for a bucket that is away), so two of them run at a time; those of `load` do not.
const config: ViteUserConfig = defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/cluster/**', '**/*.integration.test.ts'],
          testTimeout: 20_000,
          // Left alone, Vitest keeps a core for its own process, which has next to nothing to do: half of a machine of two.
          maxWorkers: '100%',
        },
      },
      {
        test: {
          name: 'integration',
          include: ['test/cluster/**/*.test.ts', 'test/**/*.integration.test.ts'],
          exclude: alone,
          testTimeout: 180_000,
          hookTimeout: 180_000,
          maxWorkers: 2,
        },
      },
      {
        test: {
          name: 'load',
          include: alone,
          testTimeout: 180_000,
          hookTimeout: 180_000,
          fileParallelism: false,
        },
      },
    ],
  },
});

export default config;
