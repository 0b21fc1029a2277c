import { defineConfig, type ViteUserConfig } from 'vitest/config';

// Two projects: `unit` needs nothing but Node; `integration` starts real servers (see test/helpers/servers.ts).
const config: ViteUserConfig = defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/cluster/**', '**/*.integration.test.ts'],
          testTimeout: 20_000,
        },
      },
      {
        test: {
          name: 'integration',
          include: ['test/cluster/**/*.test.ts', 'test/**/*.integration.test.ts'],
          testTimeout: 180_000,
          hookTimeout: 180_000,
          fileParallelism: false,
        },
      },
    ],
  },
});

export default config;
