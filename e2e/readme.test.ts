import { execFile } from 'node:child_process';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createTestDatabase } from '@repo/postgres/testing';
import { expect, it } from 'vitest';
import { ROOT } from './env.ts';

const run = promisify(execFile);

it('the first example of the README credits a payment once', async () => {
  await using database = await createTestDatabase();
  const readme = await readFile(join(ROOT, 'README.md'), 'utf8');
  const example = /```ts\n(.*?)```/s.exec(readme)?.[1] ?? '';
  expect(example).toContain('postgresql://localhost/daftari');
  const script = join(ROOT, 'e2e', `readme-example-${String(process.pid)}.ts`);
  await writeFile(
    script,
    `${example.replace('postgresql://localhost/daftari', database.url)}\nawait db.close();\n`,
  );
  try {
    const { stdout } = await run(process.execPath, [script]);
    expect(stdout).toBe('credited\nduplicate\n');
  } finally {
    await rm(script);
  }
});

it('every file and folder that the README names is there', async () => {
  const readme = await readFile(join(ROOT, 'README.md'), 'utf8');
  const links = [...readme.matchAll(/\]\(([^):]+)\)/g)].map((match) => match[1] ?? '');
  const paths = [...readme.matchAll(/`((?:apps|packages|prisma|e2e|docs|benchmarks)\/[\w./-]+)`/g)].map(
    (match) => match[1] ?? '',
  );
  expect(links.length).toBeGreaterThan(3);
  for (const path of [...links, ...paths]) {
    await expect(readFile(join(ROOT, path)), path).resolves.toBeDefined();
  }
});
