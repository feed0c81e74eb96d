/** Something about a database that its operator should know. */
export type Finding = {
  /** A notice is no fault. */
  severity: 'wrong' | 'notice';
  what: string;
  /** What to do about it. */
  remedy: string;
  /** The object concerned, by the title that it has in the dump, if it is one. */
  object?: string;
};

/** The answer of one part of the verification. */
export type Check = {
  name: string;
  /** What was looked at, for when nothing was found. */
  summary: string;
  findings: Finding[];
};

/** Whether a check found a fault. */
export function isWrong({ findings }: Check): boolean {
  return findings.some(({ severity }) => severity === 'wrong');
}
