import { execute } from '@repo/postgres/database';
import type { DatabaseKind } from '../data/databases.ts';
import { BenchmarkError } from '../lib/errors.ts';

/** What the callers know when the last of them has its answer. */
export interface Expectation {
  readonly acknowledged: number;
  /** Failed calls; of each it is unknown whether it was committed. */
  readonly failed: number;
}

/**
 * Compares a database with what was acknowledged: every deposit is there once, and with all that belongs to it.
 *
 * @throws BenchmarkError `counts_wrong`
 */
export async function auditDatabase(
  url: string,
  kind: DatabaseKind,
  { acknowledged, failed }: Expectation,
): Promise<void> {
  const [row] = await execute(url, FACTS);
  const facts = Object.fromEntries(Object.entries(row ?? {}).map(([name, value]) => [name, String(value)]));
  const { transactions, logs, callbacks, sms, credited } = facts;
  const count = Number(transactions);
  const rules: Record<string, boolean> = {
    'a transaction for each acknowledged deposit': count >= acknowledged && count <= acknowledged + failed,
    'a log row for each transaction': logs === transactions,
    'customers have what was paid': facts['customers'] === facts['paid'],
    ...(kind === 'ledger' && {
      'the balances add up to zero': facts['balances'] === '0.00',
      'an inbox row for each transaction': callbacks === transactions,
      'an SMS for each transaction': sms === transactions,
      'all were credited to their customers': credited === transactions,
    }),
  };
  const broken = Object.keys(rules).filter((rule) => rules[rule] !== true);
  if (broken.length === 0) return;
  throw new BenchmarkError(
    'counts_wrong',
    `not so: ${broken.join('; ')}. ${String(acknowledged)} were acknowledged, ${String(failed)} failed, and there are ${JSON.stringify(facts)}.`,
  );
}

const FACTS = `
SELECT (SELECT sum(balance)::numeric(19,2)::text FROM core.wallets) AS balances,
       (SELECT sum(balance)::numeric(19,2)::text FROM core.wallets WHERE kind = 'CUSTOMER') AS customers,
       (SELECT coalesce(sum(amount), 0)::numeric(19,2)::text FROM core.transactions) AS paid,
       (SELECT count(*)::text FROM core.transactions) AS transactions,
       (SELECT count(*)::text FROM services.mpesa_logs) AS logs,
       (SELECT count(*)::text FROM services.mpesa_logs WHERE outcome = 'CREDITED') AS credited,
       (SELECT count(*)::text FROM services.mpesa_callbacks) AS callbacks,
       (SELECT count(*)::text FROM services.sms_logs) AS sms`;
