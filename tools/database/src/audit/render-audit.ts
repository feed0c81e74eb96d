import type { AuditedCheck, LedgerAudit } from '@repo/db';

/** An audit as lines for people. */
export function renderAudit({ at, wallets, transactions, checks }: LedgerAudit): string[] {
  const width = Math.max(...checks.map(({ name }) => name.length));
  const time = at.toISOString().slice(0, 19).replace('T', ' ');
  return [
    `The ledger at ${time} UTC: ${wallets} wallets, ${transactions} transactions`,
    ...checks.flatMap((check) => checkLines(check, width)),
    verdict(checks),
  ];
}

function checkLines({ name, about, advice, faults, findings }: AuditedCheck, width: number): string[] {
  const title = name.padEnd(width);
  if (faults === 0) return [`  ok      ${title}  ${about}`];
  const rest = faults - findings.length;
  const indent = ' '.repeat(12 + width);
  return [
    ...findings.map(({ what }) => `  WRONG   ${title}  ${what}`),
    ...(rest > 0 ? [`${indent}and ${rest} more`] : []),
    `${indent}${advice}`,
  ];
}

function verdict(checks: readonly AuditedCheck[]): string {
  const faults = checks.reduce((sum, check) => sum + check.faults, 0);
  if (faults === 0) return `Nothing was found in ${checks.length} checks.`;
  return faults === 1 ? 'One thing was found.' : `${faults} things were found.`;
}
