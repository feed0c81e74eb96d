/** The engine's settings, read from the environment once, here and nowhere else. */
export interface EngineEnvironment {
  /** A file to append a trace of requests, SQL and errors to. It holds no connection string. */
  readonly logFile: string | undefined;
  /** Prisma's own switch for servers without advisory locks: "1" or "true" turns the migration lock off. */
  readonly advisoryLockDisabled: boolean;
}

export function readEnvironment(env: NodeJS.ProcessEnv = process.env): EngineEnvironment {
  return {
    logFile: env['SCHEMA_ENGINE_LOG'] || undefined,
    advisoryLockDisabled: ['1', 'true'].includes(env['PRISMA_SCHEMA_DISABLE_ADVISORY_LOCK'] ?? ''),
  };
}

/** Where commands are found: all that a process which the tests start gets of the environment around it. */
export function commandPath(): { PATH: string | undefined } {
  return { PATH: process.env['PATH'] };
}
