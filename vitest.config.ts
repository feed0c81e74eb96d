import { configDefaults, defineConfig } from 'vitest/config';
import { SkipReporter } from './tools/testing/src/skip-reporter.ts';

export default defineConfig({
  test: {
    include: ['{apps,packages,tools}/*/src/**/*.test.ts', 'e2e/**/*.test.ts', 'benchmarks/**/*.test.ts'],
    exclude: [...configDefaults.exclude, '**/generated/**'],
    // Prisma's client as the models are now; and one PostgreSQL for the run, on which test files make their databases.
    globalSetup: ['packages/db/generate.ts', 'tools/postgres/src/vitest-setup.ts'],
    // Processes of their own, as tests start servers and take signals.
    pool: 'forks',
    // The database server needs processor time as well.
    maxWorkers: 2,
    // Longer than `until` of @repo/testing waits, which says what for. A property that runs a hundred times needs minutes
    // on a machine that does much else.
    testTimeout: 600_000,
    hookTimeout: 600_000,
    teardownTimeout: 120_000,
    reporters: ['default', new SkipReporter()],
  },
});
