import { execute } from '@repo/postgres/database';
import { formatCost, parseCost, sumCosts } from './book.ts';
import type { ProviderBook } from './book.ts';

/** What the rows say, held against the provider's book. */
export interface Audit {
  readonly rows: number;
  readonly sent: number;
  /** Rows that are not done, or whose message the provider never saw. */
  readonly forgotten: number;
  /** Messages that reached the provider more than once. */
  readonly repeated: number;
  /** Those of them whose row does not say that a person had them sent again: none. */
  readonly repeatedByNobody: number;
  /** What the provider accepted for no row. */
  readonly strangers: number;
  /** Rows whose cost is not what the provider charged, though it was told. */
  readonly wrongCosts: number;
  readonly attemptsLeftUnknown: number;
  readonly bookCost: string;
  readonly rowsCost: string;
  readonly spendCost: string;
  /** Charged for attempts that a person had sent again without a look: nobody learned of these charges. */
  readonly untoldCost: string;
  /** Whether rows and spending are the same, and with the untold the provider's book, to the fourth decimal. */
  readonly costsAgree: boolean;
}

interface Row {
  readonly recipient: string;
  readonly status: string;
  readonly phase: string;
  readonly cost: string | null;
  readonly repeats: number;
  readonly unknowns: number;
}

/** Ours, past the service: each message with how often a person had it sent again. */
async function readRows(databaseUrl: string): Promise<readonly Row[]> {
  const rows = await execute(
    databaseUrl,
    `SELECT id::text AS id, recipient, status, phase, cost::text AS cost FROM services.sms_logs`,
  );
  const events = await execute(
    databaseUrl,
    `SELECT sms_id::text AS id, count(*) FILTER (WHERE kind = 'DECIDED' AND detail LIKE 'send_again:%')::int AS repeats,
            count(*) FILTER (WHERE kind = 'UNKNOWN')::int AS unknowns
       FROM services.sms_events GROUP BY sms_id`,
  );
  const counts = new Map(events.map(({ id, ...count }) => [id, count]));
  return rows.map(({ id, ...row }) => ({
    repeats: 0,
    unknowns: 0,
    ...row,
    ...counts.get(id),
  })) as unknown as Row[];
}

/** Compares every row with the provider's book. */
export async function audit(databaseUrl: string, book: ProviderBook): Promise<Audit> {
  const rows = await readRows(databaseUrl);
  const acceptedFor = (row: Row) => book.byNumber.get(row.recipient) ?? [];
  const repeated = rows.filter((row) => acceptedFor(row).length > 1);
  const untold = (row: Row) => sumCosts(acceptedFor(row)) - parseCost(row.cost ?? '0');
  const untoldCost = rows.filter(({ repeats }) => repeats > 0).reduce((sum, row) => sum + untold(row), 0n);
  const numbers = new Set(rows.map(({ recipient }) => recipient));
  const rowsCost = rows.reduce((sum, { cost }) => sum + parseCost(cost ?? '0'), 0n);
  const spent = await execute(databaseUrl, `SELECT cost::text AS cost FROM services.sms_spend`);
  const spendCost = sumCosts(spent as { cost: string }[]);
  return {
    rows: rows.length,
    sent: rows.filter(({ status }) => status === 'SENT').length,
    forgotten: rows.filter((row) => row.phase !== 'DONE' || acceptedFor(row).length === 0).length,
    repeated: repeated.length,
    repeatedByNobody: repeated.filter((row) => acceptedFor(row).length > 1 + row.repeats).length,
    strangers: [...book.byNumber.keys()].filter((number) => !numbers.has(number)).length,
    wrongCosts: rows.filter((row) => row.repeats === 0 && untold(row) !== 0n).length,
    attemptsLeftUnknown: rows.reduce((sum, { unknowns }) => sum + unknowns, 0),
    bookCost: book.cost,
    rowsCost: formatCost(rowsCost),
    spendCost: formatCost(spendCost),
    untoldCost: formatCost(untoldCost),
    costsAgree: rowsCost === spendCost && rowsCost + untoldCost === parseCost(book.cost),
  };
}
