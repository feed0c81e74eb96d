import { EngineError } from './errors.ts';

/**
 * The engine's log: one JSON object a line on standard error, in the form the CLI parses. The CLI throws the first line
 * of a `cli` sub-command away, so another line must come before an error.
 */
export function logInfo(message: string): void {
  write({ level: 'INFO', target: 'schema_engine', fields: { message } });
}

/** An error that ends the process. The CLI finds it by its target. */
export function logFailure(error: unknown): void {
  const message = error instanceof Error ? error.message : String(error);
  const code = error instanceof EngineError ? error.code : undefined;
  const fields = { message, is_panic: false, ...(code === undefined ? {} : { error_code: code }) };
  write({ level: 'ERROR', target: 'schema_engine::logger', fields });
}

function write(entry: object): void {
  process.stderr.write(`${JSON.stringify({ timestamp: new Date().toISOString(), ...entry })}\n`);
}
