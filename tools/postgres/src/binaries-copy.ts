import { chmod, cp, lstat, mkdtemp, readFile, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf } from './errors.ts';

/**
 * Copies the programs of a platform's package into a folder below `base` that every account can read and only this one
 * can change. The copy is kept for the next time; one that is incomplete (systems clean their temporary folders file by
 * file) is made again.
 */
export async function copyForOthers(installation: string, base: string): Promise<string> {
  const version = await versionOf(installation);
  const source = join(installation, 'native');
  const copy = join(base, `daftari-postgresql-${version}-${process.arch}`);
  if (await isGoodCopy(source, copy)) return copy;
  const fresh = await mkdtemp(`${copy}.`);
  await cp(source, fresh, { recursive: true, verbatimSymlinks: true });
  await openToOthers(fresh);
  try {
    if (!(await moveTo(copy, fresh)) && !(await isGoodCopy(source, copy))) {
      await rm(copy, { recursive: true, force: true });
      await rename(fresh, copy);
    }
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
  return copy;
}

async function versionOf(installation: string): Promise<string> {
  const manifest: unknown = JSON.parse(await readFile(join(installation, 'package.json'), 'utf8'));
  if (typeof manifest === 'object' && manifest !== null && 'version' in manifest)
    return String(manifest.version);
  throw new TypeError(`the package in ${installation} has no version`);
}

/** Answers whether it could: not when a folder is there already, which may be the copy of a faster process. */
async function moveTo(target: string, source: string): Promise<boolean> {
  try {
    await rename(source, target);
    return true;
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENOTEMPTY' || code === 'EEXIST' || code === 'ENOTDIR') return false;
    throw error;
  }
}

async function isGoodCopy(source: string, copy: string): Promise<boolean> {
  try {
    const folder = await lstat(copy);
    // Anybody may create a folder of this name in a shared temporary folder: programs are run only from our own.
    if (!folder.isDirectory() || folder.uid !== process.geteuid?.() || (folder.mode & 0o022) !== 0)
      return false;
    const [wanted, present] = await Promise.all(
      [source, copy].map((path) => readdir(path, { recursive: true })),
    );
    const names = new Set(present);
    return wanted?.every((name) => names.has(name)) ?? false;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
}

/** Under a strict umask the installed files are readable by their owner alone; the copy must not be. */
async function openToOthers(directory: string): Promise<void> {
  await chmod(directory, 0o755);
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isSymbolicLink()) await chmod(join(entry.parentPath, entry.name), 0o755);
  }
}
