import { glob, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { appNames } from './apps.ts';
import { ROOT } from './env.ts';
import { readSchemaOf } from './settings.ts';

const apps = await appNames();

/** The first two cells of each row in the table below a heading of an app's README. */
async function rowsOf(app: string, heading: string): Promise<(readonly [string, string])[]> {
  const readme = await readFile(join(ROOT, 'apps', app, 'README.md'), 'utf8');
  const section = readme.split(/^## /m).find((text) => text.startsWith(`${heading}\n`)) ?? '';
  return [...section.matchAll(/^\| `([^`]+)` +\| ([^|]+?) +\|/gm)].map(([, name = '', fact = '']) => [
    name,
    fact,
  ]);
}

it.each(apps)('the README of %s has its routes, and says which need a key', async (app) => {
  const { paths } = JSON.parse(await readFile(join(ROOT, 'apps', app, 'openapi.json'), 'utf8')) as {
    readonly paths: Readonly<
      Record<string, Readonly<Record<string, { readonly security?: readonly object[] }>>>
    >;
  };
  const described = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { security = [] }]) => {
      return wayIn(`${method.toUpperCase()} ${path}`, security.length > 0);
    }),
  );
  const written = await rowsOf(app, 'Routes');
  const routes = written.map(([route, scope]) => wayIn(route, scope !== '-'));
  expect(routes.toSorted()).toEqual(described.toSorted());
});

function wayIn(route: string, needsKey: boolean): string {
  return `${route} ${needsKey ? 'with a key' : 'open'}`;
}

it.each(apps)('the README of %s has its settings and their defaults', async (app) => {
  const settings = Object.entries((await readSchemaOf(app)).shape).map(([name, setting]) => {
    const { success, data } = setting.safeParse(undefined);
    const isPlain = typeof data === 'string' || typeof data === 'number';
    return [name, success ? (isPlain ? `\`${String(data)}\`` : '-') : 'required'];
  });
  expect(await rowsOf(app, 'Settings')).toEqual(settings);
});

it.each(apps)('the README of %s has its metrics', async (app) => {
  const names: string[] = [];
  for await (const file of glob(`apps/${app}/src/**/*metrics.ts`, { cwd: ROOT })) {
    const text = await readFile(join(ROOT, file), 'utf8');
    names.push(...[...text.matchAll(new RegExp(`'(${app}_[a-z_]+)'`, 'g'))].map(([, name = '']) => name));
  }
  const written = await rowsOf(app, 'Metrics');
  expect(written.map(([name]) => name).toSorted()).toEqual(names.toSorted());
});
