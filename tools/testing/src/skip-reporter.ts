import { relative } from 'node:path';
import type { Reporter, TestModule, Vitest } from 'vitest/node';
import { allowedSkips } from './env.ts';

/**
 * Says at the end of a run, file by file, how many tests were skipped, and makes the run fail where ALLOWED_SKIPS
 * forbids it: what was not tested must not look tested. A run of some tests by their names skips the others on purpose.
 */
export class SkipReporter implements Reporter {
  #vitest: Vitest | undefined;

  onInit(vitest: Vitest): void {
    this.#vitest = vitest;
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    const { config } = this.#vitest ?? {};
    if (config === undefined || config.testNamePattern !== undefined) return;
    const allowed = allowedSkips();
    for (const module of modules) {
      const tests = [...module.children.allTests()];
      const skipped = tests.filter((test) => test.result().state === 'skipped').length;
      if (skipped === 0) continue;
      const path = relative(config.root, module.moduleId);
      const isAllowed = allowed === null || allowed.some((part) => path.includes(part));
      const verdict = isAllowed ? '' : ': ALLOWED_SKIPS forbids it';
      process.stderr.write(
        `*** NOT TESTED: ${String(skipped)} of ${String(tests.length)} tests of ${path} were skipped${verdict} ***\n`,
      );
      if (!isAllowed) process.exitCode = 1;
    }
  }
}
