import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository. */
export const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** The environment of a program of this repository that the benchmark starts: this one's, with `settings` over it. */
export function childEnvironment(settings: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  const path = [join(ROOT, 'node_modules', '.bin'), process.env['PATH']].filter(Boolean).join(delimiter);
  // Without the last one Prisma's command line asks the network for news of itself.
  return { ...process.env, ...settings, PATH: path, CHECKPOINT_DISABLE: '1' };
}
