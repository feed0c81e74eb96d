import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseEnv, promisify } from 'node:util';
import { expect, it } from 'vitest';
import { appNames } from './apps.ts';
import { ROOT } from './env.ts';
import { readSchemaOf } from './settings.ts';

const schemas = await Promise.all((await appNames()).map(readSchemaOf));

const example = parseEnv(await readFile(join(ROOT, '.env.example'), 'utf8'));

/**
 * The machine's own; Node's; what CI alone says to a test run, where empty is something else than absent; and what a test
 * run tells its own processes.
 */
const FOREIGN = ['PATH', 'NODE_COMPILE_CACHE', 'ALLOWED_SKIPS', 'TEST_CLUSTER'];

/** The names that sources read from the environment themselves, which is all that is not in a schema. */
async function namesInSources(): Promise<string[]> {
  const { stdout } = await promisify(execFile)('git', ['ls-files', '*.ts', '*.mjs', '*.cjs'], { cwd: ROOT });
  const paths = stdout.split('\n').filter((path) => path !== '' && !/\.test\.ts$|\/fixtures\//.test(path));
  const texts = await Promise.all(paths.map((path) => readFile(join(ROOT, path), 'utf8')));
  return texts.flatMap((text) =>
    [...text.matchAll(/\benv(?:ironment)?(?:\['([A-Z_0-9]+)'\]|\.([A-Z][A-Z_0-9]+)\b)/g)].map(
      ([, quoted = '', dotted = '']) => quoted + dotted,
    ),
  );
}

it('.env.example has every setting that a service or a command reads, and no other', async () => {
  const read = new Set([
    ...schemas.flatMap((schema) => Object.keys(schema.shape)),
    ...(await namesInSources()),
  ]);
  for (const name of FOREIGN) read.delete(name);
  expect(Object.keys(example).toSorted()).toEqual([...read].toSorted());
});

it.each(schemas)('what .env.example shows is what a service does without it', (schema) => {
  const required = { DATABASE_URL: example['DATABASE_URL'], API_KEY: 'any' };
  const tokens = { MPESA_CALLBACK_TOKEN: 'any', SMS_CALLBACK_TOKEN: 'any' };
  const shown = Object.entries(example).filter(([, value]) => value !== '');
  const bare = schema.parse({ ...required, ...tokens });
  expect(schema.parse({ ...required, ...tokens, ...Object.fromEntries(shown) })).toEqual(bare);
});
