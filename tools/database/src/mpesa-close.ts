// mpesa:close: closes the books of a period, or reopens them.
import { readFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { readCommandLine, refuse } from '@repo/command/command-line';
import type { ClosedPeriod, Db, PeriodItem } from '@repo/db';
import { print, runCommand } from './command.ts';
import { projectAt } from './project.ts';
import { openTarget } from './target.ts';

const USAGE = `Usage: mpesa:close --short-code <number> --from <day> --to <day> [--items <file>]
       mpesa:close --reopen <period> --reason <why>

Closes the books of a period: M-PESA's statements, its callbacks and our float agree, or each difference is itemised. Nothing
is healed in a closed period or imported into it, and a payment that comes too late belongs to the day on which it is posted.
docs/reconciling.md explains it.

  --short-code <number>  the paybill or till
  --from <day>           the first day, such as 2026-11-01, of East Africa Time; or a time with its zone
  --to <day>             the last day, which is included
  --items <file>         what explains each difference, as JSON: [{"control": "float", "amount": "10.00", "note": "why"}]
  --reopen <period>      the id of the last closed period of a short code
  --reason <why>         why it is reopened; kept with the name of who does it

Settings, from the environment or .env:
  DATABASE_URL   the database; without it the development database, whose server runs as long as it is used

Exit codes: 0 done, 1 it cannot be closed or reopened, 2 the command line cannot be used, or it could not run.`;

const STATEMENT_TIMEOUT_MS = 15 * 60_000;

const { values } = readCommandLine(USAGE, {
  options: {
    'short-code': { type: 'string' },
    from: { type: 'string' },
    to: { type: 'string' },
    items: { type: 'string' },
    reopen: { type: 'string' },
    reason: { type: 'string' },
  },
});

const { closePeriod, createDb, isDaftariError, reopenPeriod } = await import('@repo/db');
const { readPeriod } = await import('./period-option.ts');
const { reopen: reopened, reason } = values;
const work = reopened === undefined ? await closing() : reopening(reopened);

await runCommand(async () => {
  await using target = await openTarget(projectAt());
  const db = createDb({ url: target.url, statementTimeoutMs: STATEMENT_TIMEOUT_MS });
  try {
    describe(await work(db));
    return 0;
  } catch (error) {
    if (!isDaftariError(error) || error.kind !== 'refused') throw error;
    process.stderr.write(`${error.message}\n`);
    return 1;
  } finally {
    await db.close();
  }
}, 2);

type Work = (db: Db) => Promise<ClosedPeriod>;

async function closing(): Promise<Work> {
  const shortCode = values['short-code'] ?? refuse('Name the paybill or till with --short-code.', USAGE);
  if (!/^\d{3,10}$/.test(shortCode))
    refuse('--short-code takes the three to ten digits of a paybill or till.', USAGE);
  if (values.from === undefined || values.to === undefined)
    return refuse('Name the period with --from and --to.', USAGE);
  const { from, to } = readPeriod(values, USAGE);
  const items = await readItems(values.items);
  return async (db) => closePeriod(db, { shortCode, from, to, items, closedBy: userInfo().username });
}

function reopening(id: string): Work {
  const why = reason ?? refuse('Say why with --reason.', USAGE);
  return async (db) => reopenPeriod(db, { id, reason: why, reopenedBy: userInfo().username });
}

async function readItems(path: string | undefined): Promise<PeriodItem[]> {
  if (path === undefined) return [];
  const text = await readFile(path, 'utf8').catch(() => refuse(`${path} cannot be read.`, USAGE));
  try {
    const items: unknown = JSON.parse(text);
    if (Array.isArray(items) && items.every(isItem)) return items;
  } catch {
    // It is no JSON: refused below, as everything else that is no list of items.
  }
  return refuse(
    `${path} is no list of items: each has a control, an amount such as "10.00" and a note.`,
    USAGE,
  );
}

function isItem(item: unknown): item is PeriodItem {
  if (typeof item !== 'object' || item === null) return false;
  const { control, amount, note, reference } = item as Readonly<Record<string, unknown>>;
  return (
    [control, amount, note].every((each) => typeof each === 'string') &&
    (reference === undefined || typeof reference === 'string')
  );
}

function describe(period: ClosedPeriod): void {
  const { id, shortCode, from, to, status, closingBalance, float, items, reconciliationId } = period;
  print(
    `Period ${id} of ${shortCode} from ${from.toISOString()} to ${to.toISOString()}: ${status.toLowerCase()}`,
  );
  print(
    `M-PESA held ${closingBalance ?? 'nobody knows what'}, our ledger says ${float}; ${String(items.length)} items`,
  );
  print(`The report: reconciliation ${reconciliationId}`);
}
