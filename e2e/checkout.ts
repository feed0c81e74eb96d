import { execFile } from 'node:child_process';
import { mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { ROOT } from './env.ts';

/** The repository's files in another folder, as Git writes them with `core.autocrlf`, removed afterwards. */
export interface Checkout extends AsyncDisposable {
  readonly folder: string;
}

/** Makes one, with the installed dependencies of the root and of these packages. */
export async function createCheckout(packages: readonly string[]): Promise<Checkout> {
  const folder = await mkdtemp(join(tmpdir(), 'checkout-'));
  const checkout = { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
  try {
    const copy = ['-c', 'core.autocrlf=true', 'checkout-index', '--all', `--prefix=${folder}/`];
    await promisify(execFile)('git', copy, { cwd: ROOT });
    for (const path of ['', ...packages]) {
      await symlink(join(ROOT, path, 'node_modules'), join(folder, path, 'node_modules'));
    }
    return checkout;
  } catch (error) {
    await checkout[Symbol.asyncDispose]();
    throw error;
  }
}
