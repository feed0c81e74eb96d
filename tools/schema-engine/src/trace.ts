import { appendFileSync } from 'node:fs';

/** Writes one line about what the engine does; does nothing unless a log file was asked for. */
export type Trace = (event: string, details?: unknown) => void;

const LONGEST_LINE = 4000;

/**
 * A trace into a file. Query parameters and connection strings are left out by those who call it, and anything that
 * still looks like a password in a URL is masked here, so that the file can be attached to a bug report.
 */
export function openTrace(file: string | undefined): Trace {
  if (file === undefined) return () => undefined;
  return (event, details) => {
    const text =
      details === undefined ? '' : ` ${typeof details === 'string' ? details : JSON.stringify(details)}`;
    const line = `${new Date().toISOString()} ${process.pid} ${event}${text}`.slice(0, LONGEST_LINE);
    appendFileSync(file, `${maskUrls(line)}\n`);
  };
}

/** Hides user and password of every URL in a text. */
export function maskUrls(text: string): string {
  return text.replaceAll(/(postgres(?:ql)?:\/\/)[^@\s"']*@/gi, '$1***@');
}
