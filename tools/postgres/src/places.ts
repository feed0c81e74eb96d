import { createHash } from 'node:crypto';
import { chmod, lstat, mkdir, readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { canEnter, findAccount } from './account.ts';
import { PostgresError, codeOf } from './errors.ts';

/**
 * Where the development database of a repository lies: in `.daftari/postgres`, which Git ignores. When root works in
 * a folder that is closed to the server's account (a repository below /root), it lies below /var/tmp instead, which
 * survives a restart of the machine, under a name made from the repository's path.
 */
export async function reachableDevelopmentDirectory(rootDirectory: string): Promise<string> {
  const root = await realpath(rootDirectory);
  const directory = join(root, '.daftari', 'postgres');
  const account = await findAccount(directory);
  if (await canEnter(account, root)) return directory;
  const name = createHash('sha256').update(root).digest('hex').slice(0, 12);
  const place = join('/var/tmp', `daftari-${name}`);
  await claim(place);
  return join(place, 'postgres');
}

/** Everybody may create folders in /var/tmp, so one that is there already is used only if it is our own. */
async function claim(place: string): Promise<void> {
  try {
    await mkdir(place);
    await chmod(place, 0o755);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
    const folder = await lstat(place);
    if (folder.isDirectory() && folder.uid === process.geteuid?.()) return;
    throw new PostgresError('DIRECTORY_UNREACHABLE', `${place} belongs to another user. Remove it.`, {
      cause: error,
    });
  }
}

/** Ports from here on, a thousand of them, are taken by nothing well-known, and no outgoing connection uses them. */
const FIRST_PORT = 15_500;

/**
 * The port that the server of a directory asks for, so that its address stays the same: the one of its last start, which
 * PostgreSQL itself notes, or one made from the directory's path.
 */
export async function usualPort(directory: string): Promise<number> {
  const options = await readFile(join(directory, 'postmaster.opts'), 'utf8').catch(() => '');
  const last = [...options.matchAll(/"port=(\d+)"/g)].at(-1)?.[1];
  if (last !== undefined) return Number(last);
  return FIRST_PORT + (createHash('sha256').update(directory).digest().readUInt32BE(0) % 1_000);
}
