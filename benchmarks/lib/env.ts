import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** The environment of a command of this repository that the benchmark runs: this one's, with `settings` over it. */
export function commandEnvironment(settings: Settings): NodeJS.ProcessEnv {
  // Without the last one Prisma's command line asks the network for news of itself.
  return { ...process.env, ...settings, PATH: searchPath(), CHECKPOINT_DISABLE: '1' };
}

/** The environment of a service that shall run with its defaults, whatever is set here: `settings` and nothing else. */
export function serviceEnvironment(settings: Settings): NodeJS.ProcessEnv {
  return { ...settings, PATH: searchPath() };
}

type Settings = Readonly<Record<string, string>>;

function searchPath(): string {
  return [join(ROOT, 'node_modules', '.bin'), process.env['PATH']].filter(Boolean).join(delimiter);
}
