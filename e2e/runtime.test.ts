import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ROOT } from './env.ts';

const read = (path: string) => readFile(join(ROOT, path), 'utf8');

it('one version of Node runs everything, and the lock file has its digest and platform', async () => {
  const { optionalDependencies } = JSON.parse(await read('package.json')) as {
    optionalDependencies: Readonly<Record<string, string>>;
  };
  const [version] = /(?<=^nodeVersion: ).*$/m.exec(await read('pnpm-workspace.yaml')) ?? [];
  expect(process.version).toBe(`v${String(version)}`);
  const lock = await read('pnpm-lock.yaml');
  const platforms = Object.entries(optionalDependencies).map(([name, wanted]) => {
    expect(wanted).toBe(version);
    const entry = lock.split(`\n  ${name}@${wanted}:\n`)[1]?.split('\n\n')[0] ?? '';
    expect(entry, name).toMatch(/integrity: sha512-/);
    return `${String(/os: \[(\w+)\]/.exec(entry)?.[1])}-${String(/cpu: \[(\w+)\]/.exec(entry)?.[1])}`;
  });
  expect(platforms.toSorted()).toEqual([
    'darwin-arm64',
    'darwin-x64',
    'linux-arm64',
    'linux-x64',
    'win32-x64',
  ]);
});
