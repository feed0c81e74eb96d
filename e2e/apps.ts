import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ROOT } from './env.ts';

/** The names of the services, which are the folders in `apps/`. */
export async function appNames(): Promise<string[]> {
  const entries = await readdir(join(ROOT, 'apps'), { withFileTypes: true });
  return entries.flatMap((entry) => (entry.isDirectory() ? [entry.name] : [])).toSorted();
}
