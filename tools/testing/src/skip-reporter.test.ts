import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { bareEnvironment } from './env.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';

const root = join(import.meta.dirname, '..', '..', '..');
const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
const reporter = pathToFileURL(join(import.meta.dirname, 'skip-reporter.ts')).href;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(root, 'node_modules', '.skips-'));
  await writeFile(
    join(folder, 'vitest.config.ts'),
    `import { SkipReporter } from '${reporter}';
     export default { test: { include: ['*.check.ts'], reporters: ['default', new SkipReporter()] } };`,
  );
  await writeFile(
    join(folder, 'some.check.ts'),
    `import { expect, test } from 'vitest';
     test('runs', () => expect(1).toBe(1));
     test.skipIf(true)('needs what is not there', () => expect(1).toBe(1));
     test('finds out late', (context) => context.skip('nothing to see'));`,
  );
  await writeFile(
    join(folder, 'whole.check.ts'),
    `import { expect, test } from 'vitest'; test('runs', () => expect(1).toBe(1));`,
  );
});

afterAll(() => rm(folder, { recursive: true }));

async function run(environment: Readonly<Record<string, string>>, ...args: string[]) {
  const child = spawn(process.execPath, [vitest, 'run', ...args], {
    cwd: folder,
    env: { ...bareEnvironment(), ...environment },
  });
  const [, said, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
  return { said, code: code as number };
}

const LINE = '*** NOT TESTED: 2 of 3 tests of some.check.ts were skipped';

test('skipped tests are reported, and are no failure where nobody forbids them', async () => {
  const { said, code } = await run({});
  expect(said).toContain(`${LINE} ***`);
  expect(said).not.toContain('whole.check.ts');
  expect(code).toBe(0);
});

test('skipped tests are a failure where none are allowed', async () => {
  const { said, code } = await run({ ALLOWED_SKIPS: '' });
  expect(said).toContain(`${LINE}: ALLOWED_SKIPS forbids it ***`);
  expect(code).toBe(1);
});

test('skipped tests of a file that may be skipped are no failure, and of another they are', async () => {
  expect((await run({ ALLOWED_SKIPS: 'other,some.check' })).code).toBe(0);
  expect((await run({ ALLOWED_SKIPS: 'other' })).code).toBe(1);
});

test('where tests are chosen by name the others count for nothing', async () => {
  expect(await run({ ALLOWED_SKIPS: '' }, '-t', 'runs')).toEqual({ said: '', code: 0 });
});
