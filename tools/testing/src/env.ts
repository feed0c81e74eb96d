/**
 * Parts of the paths of test files that may be skipped, from ALLOWED_SKIPS, with commas between them. Null when it is
 * not set: then any may. Set and empty, as in CI, it allows none.
 */
export function allowedSkips(): string[] | null {
  const text = process.env['ALLOWED_SKIPS'];
  if (text === undefined) return null;
  return text.split(',').filter((part) => part !== '');
}

/**
 * Lets every process that this one starts from now on keep in `directory` what Node has compiled, and find it there: most
 * of what a short command costs is compiling its sources. A place that is set already is left.
 */
export function keepCompiledCode(directory: string): void {
  process.env['NODE_COMPILE_CACHE'] ??= directory;
}

/** All that a process gets of the environment around the tests: no command, but what Node has compiled for others. */
export function bareEnvironment(): Record<string, string> {
  const cache = process.env['NODE_COMPILE_CACHE'];
  return { PATH: '', ...(cache !== undefined && { NODE_COMPILE_CACHE: cache }) };
}
