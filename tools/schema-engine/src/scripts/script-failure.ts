import { DatabaseError } from 'pg';
import { ScriptError } from '../errors.ts';

/** A script that failed, and why. */
export interface ScriptFailure {
  readonly script: string;
  readonly cause: unknown;
  /** What was last written into the migration history: among it is the name of the migration. */
  readonly recorded?: readonly unknown[];
}

/** How many lines are shown on each side of the failing one. */
const LINES_AROUND = 5;

/** The SQLSTATE of a failure, or `none` if the server gave none. */
export function sqlState(cause: unknown): string {
  const known = cause instanceof DatabaseError || cause instanceof ScriptError;
  return (known ? cause.code : undefined) ?? 'none';
}

/** The server's message with all that it adds to it, and the place in the script where it gives one. */
export function describeScriptFailure({ script, cause }: ScriptFailure): string {
  if (!(cause instanceof DatabaseError)) return cause instanceof Error ? cause.message : String(cause);
  const parts = [
    cause.message,
    cause.detail && `DETAIL: ${withoutValues(cause)}`,
    cause.hint && `HINT: ${cause.hint}`,
    cause.where && `CONTEXT: ${cause.where}`,
    cause.position && `\n${describePlace(script, Number(cause.position))}`,
  ];
  return parts.filter(Boolean).join('\n');
}

/** The detail without the values of a row, which may be personal; of our ledger's rows the key is shown. */
function withoutValues({ code, detail = '', schema }: DatabaseError): string {
  if (code?.startsWith('23') !== true) return detail;
  const key = schema === 'core' ? /^Failing row contains \(([\w-]{1,40}), /.exec(detail)?.[1] : undefined;
  return detail
    .replace(
      /^Failing row contains \(.*$/s,
      key === undefined ? 'The row is not shown.' : `The row has the key ${key}.`,
    )
    .replace(/\)=\(.*\) (?=is |already |conflicts )/s, ') ');
}

/** `position` counts characters (not UTF-16 units) from 1, as the server does. */
export function describePlace(script: string, position: number): string {
  const before = Array.from(script)
    .slice(0, position - 1)
    .join('');
  const line = before.split('\n').length;
  const column = Array.from(before.slice(before.lastIndexOf('\n') + 1)).length + 1;
  const lines = script.split(/\r?\n/);
  const first = Math.max(1, line - LINES_AROUND);
  const shown = lines.slice(first - 1, line + LINES_AROUND).flatMap((text, index) => {
    const number = first + index;
    const numbered = `${number === line ? '>' : ' '}${String(number).padStart(5)} | ${text}`;
    return number === line ? [numbered, `${' '.repeat(9)}${' '.repeat(column - 1)}^`] : [numbered];
  });
  return [`Position: line ${line}, column ${column}`, ...shown].join('\n');
}
