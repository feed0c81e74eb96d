import { glob, readFile } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import { expect, it } from 'vitest';
import { ROOT } from './env.ts';

/** A source file and what it imports, both as paths from the root; packages of others by their names. */
interface Source {
  readonly path: string;
  readonly text: string;
  readonly imports: readonly string[];
}

const sources = await readSources();
const production = sources.filter(({ path }) => /^(apps|packages)\//.test(path) && !isForTests(path));

/** How many sources a folder may hold before it needs rooms; tests beside them do not count. */
const MOST_FILES = 30;

/** The rooms of packages/db, lowest first: a room imports from its own floor and those below. */
const FLOORS = [['connection'], ['sms'], ['wallets', 'deposits', 'ledger'], ['audit', 'gaps', 'statements']];

it('what runs in production imports nothing that only serves development', () => {
  expect(arrows(production, (to) => /^(tools|e2e|benchmarks)\//.test(to) || isForTests(to))).toEqual([]);
});

it('nothing below an app, and no other app, imports it', () => {
  const appOf = (path: string): string | undefined => /^apps\/[^/]+/.exec(path)?.[0];
  const below = sources.filter(({ path }) => !/^(e2e|benchmarks)\//.test(path));
  expect(arrows(below, (to, from) => appOf(to) !== undefined && appOf(to) !== appOf(from))).toEqual([]);
});

it('another package is imported by its name', () => {
  const isFarther = (to: string, from: string): boolean =>
    /^(apps|packages|tools)\//.test(to) && packageOf(to) !== packageOf(from) && from.includes('/src/');
  expect(relativeArrows(isFarther)).toEqual([]);
});

it('only packages/db and the tools of the database know Prisma', () => {
  const isPrisma = (to: string): boolean =>
    /^(@prisma\/|prisma\/?$|prisma\/)/.test(to) || to.startsWith('packages/db/src/generated/');
  const known = /^(packages\/db|tools\/(schema-engine|database))\/|^prisma\.config\.ts$/;
  expect(arrows(sources, (to, from) => isPrisma(to) && !known.test(from))).toEqual([]);
});

it('the rooms of packages/db import one way', () => {
  const floorOf = (path: string): number =>
    FLOORS.findIndex((rooms) => rooms.some((room) => path.startsWith(`packages/db/src/${room}/`)));
  const isUpwards = (to: string, from: string): boolean => floorOf(from) >= 0 && floorOf(to) > floorOf(from);
  expect(arrows(production, isUpwards)).toEqual([]);
});

it('the environment is read in env.ts alone', () => {
  const readers = production.filter(
    ({ path, text }) => /process\.env\b/.test(text) && !path.endsWith('/env.ts'),
  );
  expect(readers.map(({ path }) => path)).toEqual([]);
});

it('a public face names what is public', () => {
  expect(sources.filter(({ text }) => /^export \*/m.test(text)).map(({ path }) => path)).toEqual([]);
});

it(`no folder holds more than ${String(MOST_FILES)} sources`, () => {
  const folders = Map.groupBy(
    sources.filter(({ path }) => !path.endsWith('.test.ts')),
    ({ path }) => dirname(path),
  );
  const crowded = [...folders].filter(([, files]) => files.length > MOST_FILES);
  expect(crowded.map(([folder, { length }]) => `${folder}: ${String(length)}`)).toEqual([]);
});

it('a module constant that is written out is in UPPER_CASE', () => {
  const lowerCase =
    /^(?:export )?const (\w*[a-z]\w*)(?:: .+)? =\s+(?!\[\];|new \w+(?:<.*>)?\(\))(?:['"`\d[{/]|-\d|new (?:Map|RegExp|Set)\b)/gm;
  expect(
    sources.flatMap(({ path, text }) => names(text, lowerCase).map((name) => `${path}: ${name}`)),
  ).toEqual([]);
});

it("an interface's field is readonly unless its package assigns it", () => {
  const texts = Map.groupBy(sources, ({ path }) => packageOf(path));
  const isAssigned = (field: string, path: string): boolean =>
    texts.get(packageOf(path))?.some(({ text }) => new RegExp(`\\.${field} [-+?|]*= `).test(text)) ?? false;
  const mutable = sources.flatMap(({ path, text }) =>
    names(text, /^(?:export )?interface .*\{\n([^]*?)^\}/gm)
      .flatMap((body) => names(body, /^  (\w+)\??: /gm))
      .filter((field) => !isAssigned(field, path))
      .map((field) => `${path}: ${field}`),
  );
  expect(mutable).toEqual([]);
});

async function readSources(): Promise<Source[]> {
  const found: Source[] = [];
  for await (const file of glob('{*.config.ts,{apps,packages,tools,e2e,benchmarks}/**/*.ts}', {
    cwd: ROOT,
    // What tests make for a moment ends with the number of their process.
    exclude: (name) => name.split('/').some((part) => /^(node_modules|generated)$|-\d+(\.ts)?$/.test(part)),
  })) {
    const text = await readFile(join(ROOT, file), 'utf8');
    const specifiers = names(text, /(?:from|import)\s*\(?\s*'([^']+)'/g);
    found.push({ path: file, text, imports: specifiers.map((name) => resolve(file, name)) });
  }
  return found;
}

function resolve(file: string, specifier: string): string {
  return specifier.startsWith('.') ? normalize(join(dirname(file), specifier)) : specifier;
}

/** What the pattern's group holds wherever the pattern is found. */
function names(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map(([, name = '']) => name);
}

function packageOf(path: string): string {
  return path.split('/').slice(0, 2).join('/');
}

function isForTests(path: string): boolean {
  return /\.test\.ts$|\/testing(\.ts$|\/)|\.fixture\.ts$|\/fixtures\//.test(path);
}

function arrows(from: readonly Source[], isWrong: (to: string, from: string) => boolean): string[] {
  return from.flatMap(({ path, imports }) =>
    imports.filter((to) => isWrong(to, path)).map((to) => `${path} -> ${to}`),
  );
}

function relativeArrows(isWrong: (to: string, from: string) => boolean): string[] {
  return arrows(sources, (to, from) => !to.startsWith('@') && isWrong(to, from));
}
