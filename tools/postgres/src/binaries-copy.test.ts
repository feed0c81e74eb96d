import { execFileSync } from 'node:child_process';
import { chmod, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { copyForOthers } from './binaries-copy.ts';
import { locatePackage } from './binaries.ts';
import { createFolder } from './fixtures/folder.ts';

function versionOf(copy: string): string {
  return execFileSync(join(copy, 'bin', 'postgres'), ['-V'], { encoding: 'utf8' });
}

test('the copy runs, everybody may read it and nobody else may change it', async () => {
  await using folder = await createFolder();
  const copy = await copyForOthers(locatePackage(), folder.path);
  expect(versionOf(copy)).toMatch(/PostgreSQL\) 18/);
  for (const path of [copy, join(copy, 'bin', 'initdb'), join(copy, 'share', 'postgresql', 'postgres.bki')]) {
    expect((await stat(path)).mode & 0o777).toBe(0o755);
  }
});

test('a copy is made once, also by three at the same time', async () => {
  await using folder = await createFolder();
  const copies = await Promise.all([1, 2, 3].map(() => copyForOthers(locatePackage(), folder.path)));
  expect(new Set(copies).size).toBe(1);
  expect(await readdir(folder.path)).toHaveLength(1);
  const before = await stat(String(copies[0]));
  const again = await stat(await copyForOthers(locatePackage(), folder.path));
  expect(again.ino).toBe(before.ino);
});

test('a copy that lost a file is made again', async () => {
  await using folder = await createFolder();
  const copy = await copyForOthers(locatePackage(), folder.path);
  await rm(join(copy, 'share', 'postgresql', 'postgres.bki'));
  const repaired = await copyForOthers(locatePackage(), folder.path);
  expect((await stat(join(repaired, 'share', 'postgresql', 'postgres.bki'))).size).toBeGreaterThan(0);
});

test('a copy that others could have changed is not trusted', async () => {
  await using folder = await createFolder();
  const copy = await copyForOthers(locatePackage(), folder.path);
  const before = await stat(copy);
  await chmod(copy, 0o777);
  const again = await stat(await copyForOthers(locatePackage(), folder.path));
  expect(again.ino).not.toBe(before.ino);
  expect(again.mode & 0o777).toBe(0o755);
});
