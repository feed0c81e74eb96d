import { accessSync, constants } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ERRORS } from './errors.ts';

/** Where the CLI looks for the path of its schema engine. */
const ENGINE_VARIABLE = 'PRISMA_SCHEMA_ENGINE_BINARY';

/**
 * Makes the Prisma CLI use this package as its schema engine. To be called in `prisma.config.ts`, which the CLI reads
 * before it looks for an engine. What the operator has set in `PRISMA_SCHEMA_ENGINE_BINARY` wins.
 *
 * @param env the environment of the CLI's process
 * @param native the path of a native engine to use instead, if the operator has one
 * @throws EngineError if that path is not an executable file
 */
export function useSchemaEngine(env: NodeJS.ProcessEnv, native?: string): void {
  if (env[ENGINE_VARIABLE]) return;
  if (native && !isExecutable(native)) throw ERRORS.noNativeEngine(native);
  env[ENGINE_VARIABLE] = native || fileURLToPath(new URL('../bin/schema-engine.mjs', import.meta.url));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
