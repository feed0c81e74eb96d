import { execFile } from 'node:child_process';
import { stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import { serverEnvironment } from './env.ts';
import { PostgresError, codeOf } from './errors.ts';

const execute = promisify(execFile);

/** The account that the server runs under. */
export interface Account {
  readonly uid: number;
  readonly gid: number;
}

const CANDIDATES = ['postgres', 'nobody'];

/**
 * PostgreSQL refuses to run as root, so root hands it to another account: the owner of the data directory when
 * there is one, else `postgres`, else `nobody`. Everybody else runs it as themselves, which is `undefined`.
 * The account must have a name, because initdb looks itself up.
 */
export async function findAccount(dataDirectory: string): Promise<Account | undefined> {
  if (process.geteuid?.() !== 0) return undefined;
  const owner = await ownerOf(dataDirectory);
  if (owner !== undefined && owner.uid !== 0) return owner;
  for (const name of CANDIDATES) {
    const account = await accountNamed(name);
    if (account !== undefined) return account;
  }
  throw new PostgresError(
    'ACCOUNT_MISSING',
    `PostgreSQL does not run as root. Create an account named ${CANDIDATES.join(' or ')}, or run this as another user.`,
  );
}

/** Runs a program to its end as `account`, from a working directory that every account can be in. */
export async function runAs(account: Account | undefined, program: string, args: string[]): Promise<string> {
  const { stdout } = await execute(program, args, { ...account, cwd: '/', env: serverEnvironment() });
  return stdout;
}

/** Whether `account` can pass through all folders that lead to `directory` and into it. */
export async function canEnter(account: Account | undefined, directory: string): Promise<boolean> {
  try {
    await runAs(account, '/bin/sh', ['-c', 'cd -- "$1"', 'sh', directory]);
    return true;
  } catch (error) {
    // A number is the shell's exit code, its answer "no". Anything else means that it could not be asked.
    if (typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'number')
      return false;
    throw new PostgresError(
      'ACCOUNT_MISSING',
      `cannot act as the account with uid ${account?.uid ?? 'of this process'}; run this as an ordinary user instead.`,
      { cause: error },
    );
  }
}

async function ownerOf(directory: string): Promise<Account | undefined> {
  try {
    const { uid, gid } = await stat(directory);
    return { uid, gid };
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function accountNamed(name: string): Promise<Account | undefined> {
  try {
    const [uid, gid] = await Promise.all([execute('id', ['-u', name]), execute('id', ['-g', name])]);
    return { uid: Number(uid.stdout), gid: Number(gid.stdout) };
  } catch {
    // `id` exits with 1 when there is no such account, which is an answer and not a failure.
    return undefined;
  }
}
