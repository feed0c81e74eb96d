import { spawnSync } from 'node:child_process';
import { access, mkdir, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { chooseTemporaryDirectory, removeTemporaryDirectory } from './temporary.ts';

/** The number of a process that has just ended. */
function endedPid(): string {
  return String(spawnSync(process.execPath, ['--version']).pid);
}

test('what a killed process left behind, folders and files, is removed by the next', async () => {
  const ours = await chooseTemporaryDirectory();
  const abandoned = ours.replace(`-${process.pid}-`, `-${endedPid()}-`);
  await mkdir(abandoned);
  await writeFile(`${abandoned}.password`, 'secret');
  await chooseTemporaryDirectory();
  await expect(access(abandoned)).rejects.toMatchObject({ code: 'ENOENT' });
  await expect(access(`${abandoned}.password`)).rejects.toMatchObject({ code: 'ENOENT' });
});

test('what a live process has made stays', async () => {
  const ours = await chooseTemporaryDirectory();
  await mkdir(ours);
  await chooseTemporaryDirectory();
  await access(ours);
  await removeTemporaryDirectory(ours);
});
