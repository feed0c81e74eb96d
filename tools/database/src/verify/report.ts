import { isWrong } from './finding.ts';
import type { Check, Finding } from './finding.ts';
import type { Verification } from './verify-database.ts';

/** The report of a verification, as lines. */
export function renderReport({ place, checks }: Verification): string[] {
  const width = Math.max(...checks.map(({ name }) => name.length));
  return [place, ...checks.flatMap((check) => checkLines(check, width)), verdict(checks)];
}

/** How many things are wrong, in a sentence. */
export function verdict(checks: readonly Check[]): string {
  const count = checks.flatMap(({ findings }) =>
    findings.filter(({ severity }) => severity === 'wrong'),
  ).length;
  if (count === 0) return 'Nothing is wrong.';
  return count === 1 ? 'One thing is wrong.' : `${count} things are wrong.`;
}

/** What is wrong, without what to do about it. */
export function faultLines(checks: readonly Check[]): string[] {
  const faults = checks.flatMap(({ name, findings }) =>
    findings
      .filter(({ severity }) => severity === 'wrong')
      .map(({ what }) => `  WRONG   ${name}  ${what.split('\n')[0] ?? ''}`),
  );
  return faults.length === 0 ? [] : [...faults, 'db:verify says what to do about it.'];
}

function checkLines(check: Check, width: number): string[] {
  const name = check.name.padEnd(width);
  const first = isWrong(check) ? [] : [`  ok      ${name}  ${check.summary}`.trimEnd()];
  return [...first, ...check.findings.map((finding) => findingLine(finding, name))];
}

function findingLine({ severity, what, remedy }: Finding, name: string): string {
  const mark = severity === 'wrong' ? 'WRONG ' : 'notice';
  const indent = ' '.repeat(12 + name.length);
  return [`  ${mark}  ${name}  ${what}`, remedy].join('\n').replaceAll('\n', `\n${indent}`);
}
