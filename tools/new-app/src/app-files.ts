import { glob, mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

export interface NewApp {
  /** Lower-case words with hyphens between them, such as `loan-desk`. */
  readonly name: string;
  readonly port: number;
}

const TEMPLATE = join(import.meta.dirname, '..', 'template');

/** Writes the files of a new app into a folder that is not there yet. `root` is the repository. */
export async function writeAppFiles(root: string, folder: string, app: NewApp): Promise<void> {
  const [mpesa, own] = await Promise.all(
    ['apps/mpesa/package.json', 'package.json'].map((path) => readFile(join(root, path), 'utf8')),
  );
  const values: Readonly<Record<string, string>> = {
    name: app.name,
    NAME: variableName(app.name),
    port: String(app.port),
    // The same version as the other apps have, so that there is nothing to download.
    zod: member(mpesa, ['dependencies', 'zod']),
    pnpm: member(own, ['devEngines', 'packageManager', 'version']),
  };
  await mkdir(folder);
  for await (const path of glob('**/*.template', { cwd: TEMPLATE })) {
    const text = await readFile(join(TEMPLATE, path), 'utf8');
    const target = join(folder, path.replace(/\.template$/, ''));
    await mkdir(dirname(target), { recursive: true });
    await writeFile(
      target,
      text.replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => values[name] ?? ''),
    );
  }
}

/** What the name of its variables begins with. */
export function variableName(app: string): string {
  return app.toUpperCase().replaceAll('-', '_');
}

function member(json: string | undefined, path: readonly string[]): string {
  const value = path.reduce<unknown>(
    (object, name) => (object as Readonly<Record<string, unknown>>)[name],
    JSON.parse(json ?? '{}'),
  );
  return String(value);
}
