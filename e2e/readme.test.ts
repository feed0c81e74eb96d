import { execFile } from 'node:child_process';
import { glob, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { createTestDatabase } from '@repo/postgres/testing';
import { expect, it } from 'vitest';
import { ROOT } from './env.ts';

const run = promisify(execFile);

/** The strict settings of the repository, and packages that e2e itself does not use. */
const EXAMPLE_SETTINGS = {
  extends: '../../tsconfig.base.json',
  compilerOptions: {
    paths: {
      '@repo/csv': ['../../packages/csv/src/csv-text.ts'],
      '@repo/statements': ['../../packages/statements/src/index.ts'],
      '@repo/xlsx/*': ['../../packages/xlsx/src/*-xlsx.ts'],
      '@repo/http': ['../../packages/http/src/index.ts'],
      '@repo/receipts': ['../../packages/receipts/src/index.ts'],
      '@repo/schema-engine/config': ['../../tools/schema-engine/src/config.ts'],
    },
  },
  include: ['*.ts'],
};

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

it('every example of the documentation passes the compiler with the settings of the repository', async () => {
  const folder = join(ROOT, 'e2e', `documented-examples-${String(process.pid)}`);
  await mkdir(folder);
  try {
    let examples = 0;
    for await (const file of glob('{*.md,docs/**/*.md,{apps,packages,tools}/*/*.md}', { cwd: ROOT })) {
      const text = await readFile(join(ROOT, file), 'utf8');
      for (const [, example = ''] of text.matchAll(/```ts\n(.*?)```/gs)) {
        examples += 1;
        await writeFile(join(folder, `${file.replaceAll(/\W/g, '-')}-${String(examples)}.ts`), example);
      }
    }
    expect(examples).toBeGreaterThan(1);
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(EXAMPLE_SETTINGS));
    const compiler = join(ROOT, 'node_modules', '.bin', 'tsc');
    const { stdout } = await run(compiler, ['-p', folder]).catch((error: { stdout: string }) => error);
    expect(stdout).toBe('');
  } finally {
    await rm(folder, { recursive: true });
  }
});

it('every file, folder and heading that the README names is there', async () => {
  const readme = await readFile(join(ROOT, 'README.md'), 'utf8');
  const links = [...readme.matchAll(/\]\(([^):]+)\)/g)].map((match) => match[1] ?? '');
  const paths = [...readme.matchAll(/`((?:apps|packages|prisma|e2e|docs|benchmarks)\/[\w./-]+)`/g)].map(
    (match) => match[1] ?? '',
  );
  expect(links.length).toBeGreaterThan(3);
  for (const target of [...links, ...paths]) {
    const [path = '', heading] = target.split('#');
    const text = await readFile(join(ROOT, path), 'utf8');
    if (heading !== undefined) expect(headingsOf(text), target).toContain(heading);
  }
});

/** The names that a Markdown viewer gives the headings of a text. */
function headingsOf(text: string): string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replaceAll(/[^\w -]/g, '')
      .replaceAll(' ', '-'),
  );
}
