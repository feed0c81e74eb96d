import type { DatabaseKind } from '../data/databases.ts';
import { readFacts } from '../lib/facts.ts';
import { isBetween, requireRules } from './audit.ts';
import type { Expectation } from './audit.ts';

/**
 * Compares a database with the transfers that were acknowledged: each is there once, no money was made or lost, and
 * every wallet holds what its transactions make.
 *
 * @throws BenchmarkError `counts_wrong`
 */
export async function auditTransfers(url: string, kind: DatabaseKind, known: Expectation): Promise<void> {
  const facts = await readFacts(url, FACTS);
  const { balances, transfers, requests, unexplained } = facts;
  const rules = {
    'a transaction for each acknowledged transfer': isBetween(Number(transfers), known),
    'the balances add up to zero': balances === '0.00',
    'every wallet holds what its transactions make': unexplained === '0',
    ...(kind === 'funded' && { 'a remembered request for each transaction': requests === transfers }),
  };
  requireRules(rules, facts, known);
}

const FACTS = `
WITH legs AS (
    SELECT debit_wallet_id AS wallet, -amount AS change FROM core.transactions
    UNION ALL
    SELECT credit_wallet_id, amount FROM core.transactions
), made AS (
    SELECT wallet, sum(change) AS balance FROM legs GROUP BY wallet
)
SELECT (SELECT sum(balance)::numeric(19,2)::text FROM core.wallets) AS balances,
       (SELECT count(*)::text FROM core.transactions WHERE type = 'TRANSFER') AS transfers,
       (SELECT count(*)::text FROM core.requests WHERE outcome = 'POSTED') AS requests,
       (
           SELECT count(*)::text
             FROM core.wallets w LEFT JOIN made m ON m.wallet = w.id
            WHERE w.balance <> coalesce(m.balance, 0)
       ) AS unexplained`;
