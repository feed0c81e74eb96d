import { DaftariError } from '../errors.ts';

/** What does not agree, and so keeps a period from being closed (`period_not_agreed`). It names no person. */
export class PeriodError extends DaftariError {
  /** `where` is a control, or the reference of what is open; `what` says how far apart the two sides are. */
  readonly findings: readonly { readonly where: string; readonly what: string }[];

  constructor(findings: readonly { readonly where: string; readonly what: string }[]) {
    const named = findings.slice(0, 5).map(({ where, what }) => `${where}: ${what}`);
    const more = findings.length > 5 ? `; and ${String(findings.length - 5)} more` : '';
    super('period_not_agreed', {
      advice: `The period stays open: ${named.join('; ')}${more}. Correct what is wrong, or itemise each difference.`,
    });
    this.findings = findings;
  }
}
