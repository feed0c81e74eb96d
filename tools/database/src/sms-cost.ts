// sms:cost: what the SMS of a period cost, as a table or as CSV.
import { readCommandLine, refuse } from '@repo/command/command-line';
import type { Period, SmsCostKey, SmsCostReport } from '@repo/db';
import { print, runCommand } from './command.ts';
import { projectAt } from './project.ts';
import { openReadTarget, REPLICA_OPTION } from './target.ts';
import { renderTable } from './terminal/text-table.ts';

const KEYS: readonly SmsCostKey[] = ['day', 'status', 'network', 'template'];

const USAGE = `Usage: sms:cost [--from <day>] [--to <day>] [--by day|status|network|template] [--csv] [--replica]

What the SMS of a period cost.

  --from <day>   the first day, such as 2026-11-01, of East Africa Time; or a time with its zone (default: 30 days ago)
  --to <day>     the last day, which is included (default: today)
  --by <what>    a line for each day, status, network or template (default: day)
  --csv          CSV instead of a table
${REPLICA_OPTION}

Settings, from the environment or .env:
  DATABASE_URL   the database; without it the development database, whose server runs as long as it is used

Exit codes: 0 done, 1 it failed, 2 the command line cannot be used.`;

const { values } = readCommandLine(USAGE, {
  options: {
    from: { type: 'string' },
    to: { type: 'string' },
    by: { type: 'string', default: 'day' },
    csv: { type: 'boolean', default: false },
    replica: { type: 'boolean', default: false },
  },
});

const { createDb, smsCostCsv, smsCostReport } = await import('@repo/db');
const { readPeriod } = await import('./period-option.ts');
const kind = KEYS.find((key) => key === values.by) ?? refuse(`--by is one of ${KEYS.join(', ')}.`, USAGE);

const asked = readPeriod(values, USAGE);

await runCommand(async () => {
  await using target = await openReadTarget(projectAt(), values.replica);
  const db = createDb({ url: target.url, maxConnections: 1, readsOnly: true });
  try {
    const report = await smsCostReport(db, { ...asked, by: kind });
    if (values.csv) process.stdout.write(smsCostCsv(report));
    else printTable(report, { by: kind, period: asked });
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
