// mpesa:reconcile: compares M-PESA's statements with the ledger.
import { csvText } from '@repo/csv';
import { readCommandLine, refuse } from '@repo/command/command-line';
import type { Break, Period, ReconciliationReport } from '@repo/db';
import { print, runCommand } from './command.ts';
import { showProgress } from './terminal/progress.ts';
import { projectAt } from './project.ts';
import { openTarget } from './target.ts';
import { renderTable } from './terminal/text-table.ts';

const FORMATS = ['table', 'csv', 'json'] as const;

const USAGE = `Usage: mpesa:reconcile --short-code <number> --from <day> --to <day> [--heal] [--format table|csv|json]

Compares M-PESA's statements of a period with the ledger: every line and every movement gets exactly one state. The same
files and ledger make the same report. docs/reconciling.md explains it.

  --short-code <number>  the paybill or till
  --from <day>           the first day, such as 2026-11-01, of East Africa Time; or a time with its zone
  --to <day>             the last day, which is included
  --heal                 credit the payments that the statements show and the ledger lacks; post charges, settlements to the
                         bank, and what M-PESA took back
  --format <format>      table: totals and what is open; csv: what is open; json: the whole report (default: table)

Settings, from the environment or .env:
  DATABASE_URL   the database; without it the development database, whose server runs as long as it is used

Exit codes: 0 nothing is open, 1 something is open, 2 the command line cannot be used, or it could not run.`;

const STATEMENT_TIMEOUT_MS = 15 * 60_000;

const COLUMNS = {
  state: (each: Break) => each.state,
  side: (each: Break) => each.side,
  reference: (each: Break) => each.reference,
  kind: (each: Break) => each.kind,
  amount: (each: Break) => each.amount,
  ledgerAmount: (each: Break) => each.ledgerAmount,
  at: (each: Break) => each.at,
  reason: (each: Break) => each.reason,
  suggestion: (each: Break) => each.suggestion?.reference ?? null,
  because: (each: Break) => each.suggestion?.because ?? null,
};

const { values } = readCommandLine(USAGE, {
  options: {
    'short-code': { type: 'string' },
    from: { type: 'string' },
    to: { type: 'string' },
    heal: { type: 'boolean', default: false },
    format: { type: 'string', default: 'table' },
  },
});

const { RECONCILIATION_STATES, createDb, reconcile } = await import('@repo/db');
const { readPeriod } = await import('./period-option.ts');
const shortCode = values['short-code'] ?? refuse('Name the paybill or till with --short-code.', USAGE);
if (!/^\d{3,10}$/.test(shortCode))
  refuse('--short-code takes the three to ten digits of a paybill or till.', USAGE);
const format =
  FORMATS.find((each) => each === values.format) ??
  refuse(`--format is one of ${FORMATS.join(', ')}.`, USAGE);
const period = periodOf();

await runCommand(async () => {
  await using target = await openTarget(projectAt());
  using progress = showProgress();
  const db = createDb({ url: target.url, statementTimeoutMs: STATEMENT_TIMEOUT_MS });
  try {
    progress.step('comparing');
    const { report, text, healed, posted } = await reconcile(db, {
      shortCode,
      ...period,
      heal: values.heal,
      runBy: 'mpesa:reconcile',
      onProgress: (count) => progress.step(`${String(count)} payments credited`),
    });
    progress.end();
    // Not in the report: the ledger is the same, no matter who credited it.
    if (values.heal) process.stderr.write(`Payments credited: ${String(healed)}\n`);
    if (format === 'json') print(text);
    else if (format === 'csv') process.stdout.write(csvText(COLUMNS, report.breaks));
    else printTable(report);
    if (format === 'table' && posted > 0)
      print(`Charges, settlements and reversals posted: ${String(posted)}`);
    return report.breaks.length === 0 ? 0 : 1;
  } finally {
    await db.close();
  }
}, 2);

function periodOf(): Period {
  if (values.from === undefined || values.to === undefined)
    return refuse('Name the period with --from and --to.', USAGE);
  return readPeriod(values, USAGE);
}

function printTable({ id, from, to, totals, controls, breaks, inputs }: ReconciliationReport): void {
  print(`Reconciliation ${id} of ${shortCode} from ${from} to ${to}`);
  print(
    `${String(inputs.length)} statements; ${String(controls.uncovered.length)} parts of the period without one`,
  );
  const rows = RECONCILIATION_STATES.map((state) => [
    state,
    String(totals[state].lines),
    totals[state].amount,
  ]);
  for (const line of renderTable(['state', 'lines', 'amount'], rows, ['lines', 'amount'])) print(line);
  print(
    `The statement moved ${controls.statement.net}, the ledger ${controls.ledger.net}: ${controls.difference} between them.`,
  );
  if (breaks.length === 0) {
    print('Nothing is open.');
    return;
  }
  const cells = breaks.map((each) => [
    each.at,
    each.state,
    each.reference,
    each.amount,
    [each.reason, each.suggestion && `see ${each.suggestion.reference}: ${each.suggestion.because}`]
      .filter((text) => text !== null && text !== '')
      .join('; '),
  ]);
  for (const line of renderTable(['at', 'open', 'reference', 'amount', 'why'], cells, ['amount']))
    print(line);
}
