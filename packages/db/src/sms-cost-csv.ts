import type { SmsCostReport } from './sms-costs.ts';

const HEADER = ['key', 'messages', 'parts', 'expected_parts', 'cost', 'currency'];

/** The rows of the report as CSV (RFC 4180), with those that cost nothing at the end. */
export function smsCostCsv(report: SmsCostReport): string {
  const costed = report.rows.map((row) => {
    return [row.key, row.messages, row.parts, row.expectedParts, row.cost, row.currency];
  });
  const uncosted = report.uncosted.map(({ key, messages }) => [key, messages, '', '', '', '']);
  return [HEADER, ...costed, ...uncosted].map((cells) => `${cells.map(cellOf).join(',')}\r\n`).join('');
}

function cellOf(value: string | number): string {
  const text = String(value);
  // A spreadsheet takes what begins so for a formula, and a template's name comes from whoever queues messages.
  const harmless = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(harmless) ? `"${harmless.replaceAll('"', '""')}"` : harmless;
}
