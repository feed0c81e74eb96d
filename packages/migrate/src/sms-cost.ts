// sms:cost: what the SMS of a period cost, as a table or as CSV.
//
//   sms:cost [--from 2026-11-01] [--to 2026-11-30] [--by day|status|network|template] [--csv]
//
// Days are those of East Africa Time, both included; times with their zone are taken too. Without them, the last 30 days.
import { parseArgs } from 'node:util';
import { costPeriod, createDb, smsCostCsv, smsCostReport } from '@repo/db';
import type { Period, SmsCostKey, SmsCostReport } from '@repo/db';
import { print, runCommand } from './command.ts';
import { MigrateError } from './errors.ts';
import { projectAt } from './project.ts';
import { openTarget } from './target.ts';
import { renderTable } from './text-table.ts';

const KEYS: readonly SmsCostKey[] = ['day', 'status', 'network', 'template'];

await runCommand(async () => {
  const { values } = parseArgs({
    options: {
      from: { type: 'string' },
      to: { type: 'string' },
      by: { type: 'string', default: 'day' },
      csv: { type: 'boolean', default: false },
    },
  });
  const by = KEYS.find((key) => key === values.by);
  if (by === undefined) throw new MigrateError('OPTION_INVALID', `--by is one of ${KEYS.join(', ')}.`);
  const period = costPeriod(values);
  await using target = await openTarget(projectAt());
  const db = createDb({ url: target.url, maxConnections: 1 });
  try {
    const report = await smsCostReport(db, { ...period, by });
    if (values.csv) process.stdout.write(smsCostCsv(report));
    else printTable(report, { by, period });
    return 0;
  } finally {
    await db.close();
  }
});

function printTable(
  report: SmsCostReport,
  { by, period }: { readonly by: SmsCostKey; readonly period: Period },
): void {
  print(`SMS queued from ${period.from.toISOString()} to ${period.to.toISOString()}`);
  const numbers = ['messages', 'parts', 'expected', 'cost'];
  const cellsOf = (key: string, row: SmsCostReport['totals'][number]): string[] => {
    const { messages, parts, expectedParts, cost, currency } = row;
    return [key, String(messages), String(parts), String(expectedParts), cost, currency];
  };
  const rows = [
    ...report.rows.map((row) => cellsOf(row.key, row)),
    ...report.uncosted.map(({ key, messages }) => [key, String(messages), '', '', 'none', '']),
    ...report.totals.map((row) => cellsOf('total', row)),
  ];
  for (const line of renderTable([by, ...numbers, 'currency'], rows, numbers)) print(line);
}
