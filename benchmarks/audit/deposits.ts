import type { DatabaseKind } from '../data/databases.ts';
import { readFacts } from '../lib/facts.ts';
import { isBetween, requireRules } from './audit.ts';
import type { Expectation } from './audit.ts';

/**
 * Compares a database with what was acknowledged: every deposit is there once, and with all that belongs to it.
 *
 * @throws BenchmarkError `counts_wrong`
 */
export async function auditDeposits(url: string, kind: DatabaseKind, known: Expectation): Promise<void> {
  const facts = await readFacts(url, FACTS);
  const { transactions, logs, callbacks, sms, credited } = facts;
  const rules = {
    'a transaction for each acknowledged deposit': isBetween(Number(transactions), known),
    'a log row for each transaction': logs === transactions,
    'customers have what was paid': facts['customers'] === facts['paid'],
    ...(kind === 'ledger' && {
      'the balances add up to zero': facts['balances'] === '0.00',
      'an inbox row for each transaction': callbacks === transactions,
      'an SMS for each transaction': sms === transactions,
      'all were credited to their customers': credited === transactions,
    }),
  };
  requireRules(rules, facts, known);
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
