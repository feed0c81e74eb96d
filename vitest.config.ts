import { configDefaults, defineConfig } from 'vitest/config';
import { SkipReporter } from './tools/testing/src/skip-reporter.ts';

export default defineConfig({
  test: {
    include: ['{apps,packages,tools}/*/src/**/*.test.ts', 'e2e/**/*.test.ts', 'benchmarks/**/*.test.ts'],
    exclude: [...configDefaults.exclude, '**/generated/**'],
    // What Node compiles is kept; Prisma's client is made of the models as they are now; and one PostgreSQL serves the
    // run, on which test files make their databases.
    globalSetup: [
      'tools/testing/src/vitest-setup.ts',
      'packages/db/generate.ts',
      'tools/postgres/src/vitest-setup.ts',
    ],
    // Processes of their own, as tests start servers and take signals.
    pool: 'forks',
    // A few for the run and not one for each file: a third of the processor time of small files was starting and importing.
    // So what a module keeps is there for the files after; nothing that a test relies on may be kept that way.
    isolate: false,
    // One more than small machines have cores: each of them waits for servers and processes half of the time.
    maxWorkers: 3,
    // Longer than `until` of @repo/testing waits, which says what for. A property that runs a hundred times needs minutes
    // on a machine that does much else.
    testTimeout: 600_000,
    hookTimeout: 600_000,
    teardownTimeout: 120_000,
    reporters: ['default', new SkipReporter()],
  },
});
