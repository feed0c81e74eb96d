import type { z } from 'zod';

/** The environment lacks something or has it wrong. The message names every variable and what to set. */
export class EnvironmentError extends Error {
  override readonly name = 'EnvironmentError';
  readonly code = 'environment_invalid';
}

/** The exit code for a wrong configuration (EX_CONFIG of sysexits): restarting will not help. */
export const EXIT_CONFIG = 78;

type EnvironmentSchema = z.ZodObject<Record<string, z.ZodType>>;
type Environment = Readonly<Record<string, string | undefined>>;

/** Whether settings are read as strictly as production needs it: secrets must be strong and nothing has a stand-in. */
export function isProduction(environment: Environment = process.env): boolean {
  return environment['NODE_ENV'] === 'production';
}

/**
 * Reads the settings of a service out of an environment. Each field of the schema is a variable, and its
 * `description` says what to set. An empty variable counts as absent.
 * Throws `EnvironmentError`; its message never repeats a value, for it may be a secret.
 */
export function parseEnvironment<S extends EnvironmentSchema>(
  service: string,
  schema: S,
  environment: Environment = process.env,
): z.output<S> {
  const names = Object.keys(schema.shape);
  const given = names.flatMap((name) => {
    const value = environment[name];
    return value === undefined || value === '' ? [] : [[name, value] as const];
  });
  const present = new Set(given.map(([name]) => name));
  const result = schema.safeParse(Object.fromEntries(given));
  if (result.success) return result.data;

  const wrong = new Map(result.error.issues.map((issue) => [String(issue.path[0]), issue.message]));
  const width = Math.max(...[...wrong.keys()].map((name) => name.length));
  const lines = [...wrong].map(([name, message]) => {
    const what = present.has(name) ? `is not valid (${message})` : 'is not set';
    return `  ${name.padEnd(width)}  ${what}: ${schema.shape[name]?.description ?? 'see the documentation'}`;
  });
  throw new EnvironmentError(
    [
      `${service} cannot start, its environment needs attention:`,
      ...lines,
      'Set these variables and start again.',
    ].join('\n'),
  );
}

/** Like `parseEnvironment` for a program's start: prints the message without a stack trace and exits with 78. */
export function loadEnvironment<S extends EnvironmentSchema>(service: string, schema: S): z.output<S> {
  try {
    return parseEnvironment(service, schema);
  } catch (error) {
    return exitOnWrongSettings(error);
  }
}

/** Ends a program that cannot use its settings; throws any other error on. */
export function exitOnWrongSettings(error: unknown): never {
  if (!(error instanceof EnvironmentError)) throw error;
  process.stderr.write(`${error.message}\n`);
  return process.exit(EXIT_CONFIG);
}
