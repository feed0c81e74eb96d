import { pathToFileURL } from 'node:url';
import { join } from 'node:path';
import { ROOT } from './env.ts';

/** A setting of a service; parsing undefined gives its default. */
interface Setting {
  readonly safeParse: (value: undefined) => { readonly success: boolean; readonly data?: unknown };
}

interface EnvironmentSchema {
  readonly shape: Readonly<Record<string, Setting>>;
  readonly parse: (environment: Readonly<Record<string, string | undefined>>) => unknown;
}

/** The schema of a service's settings outside production, by the names of their variables. */
export async function readSchemaOf(app: string): Promise<EnvironmentSchema> {
  const file = pathToFileURL(join(ROOT, 'apps', app, 'src/env.ts')).href;
  const { environmentSchema } = (await import(file)) as {
    readonly environmentSchema: (strictness: { readonly isProduction: boolean }) => EnvironmentSchema;
  };
  return environmentSchema({ isProduction: false });
}
