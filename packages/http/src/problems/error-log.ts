/** Any class whose errors have messages that were written without personal data. */
export type TrustedError = abstract new (...args: never[]) => Error;

/** What the log keeps of an error. */
export interface LoggedError {
  readonly type: string;
  readonly code?: string;
  readonly message?: string;
  /** Where it was thrown: the frames of the stack, without the line that repeats the message. */
  readonly frames?: readonly string[];
  readonly cause?: LoggedError;
}

const MAX_FRAMES = 12;
const MAX_CAUSES = 5;

/**
 * Builds the log's view of errors. A message is kept only when the error is of a trusted class or comes from
 * the operating system: a JSON parser quotes the body in its message, PostgreSQL the row, and both hold
 * phone numbers. Type, code and frames are always kept; they lead to the place without quoting anything.
 */
export function createErrorSerializer(trusted: readonly TrustedError[]): (error: unknown) => LoggedError {
  const isTrusted = (error: Error) => trusted.some((type) => error instanceof type) || 'syscall' in error;

  function describe(error: unknown, depth: number): LoggedError {
    if (!(error instanceof Error)) return { type: typeof error };
    const code = 'code' in error && typeof error.code === 'string' ? error.code : null;
    const hasCause = error.cause !== undefined && depth < MAX_CAUSES;
    return {
      type: error.name,
      ...(code === null ? {} : { code }),
      ...(isTrusted(error) ? { message: error.message } : {}),
      frames: framesOf(error),
      ...(hasCause ? { cause: describe(error.cause, depth + 1) } : {}),
    };
  }

  return (error) => describe(error, 0);
}

function framesOf(error: Error): string[] {
  // A message may span lines and may even look like a frame: only what follows it is taken.
  const stack = error.stack ?? '';
  const start = stack.indexOf(error.message) + error.message.length;
  return stack
    .slice(start)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line.startsWith('at '))
    .slice(0, MAX_FRAMES);
}
