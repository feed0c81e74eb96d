/** Something about a database that its operator should know. */
export interface Finding {
  /** A notice is no fault. */
  readonly severity: 'wrong' | 'notice';
  readonly what: string;
  /** What to do about it. */
  readonly remedy: string;
  /** The object concerned, by the title that it has in the dump, if it is one. */
  readonly object?: string;
}

/** The answer of one part of the verification. */
export interface Check {
  readonly name: string;
  /** What was looked at, for when nothing was found. */
  readonly summary: string;
  readonly findings: Finding[];
}

/** Whether a check found a fault. */
export function isWrong({ findings }: Check): boolean {
  return findings.some(({ severity }) => severity === 'wrong');
}
