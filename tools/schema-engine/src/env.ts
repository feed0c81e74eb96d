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

/**
 * All that a process which the tests start gets of the environment around it: where commands are found, and where Node
 * keeps what it has compiled, without which it compiles the CLI and the engine again each time.
 */
export function commandEnvironment(env: NodeJS.ProcessEnv = process.env): NodeJS.ProcessEnv {
  return { PATH: env['PATH'], NODE_COMPILE_CACHE: env['NODE_COMPILE_CACHE'] };
}
