import { overCopies } from '../database/nodes.ts';
import type { Sql } from '../database/test-db.ts';

/**
 * Everything that can be wrong with a ledger, as sentences; empty when it is sound. It asks the rows alone and uses
 * none of the functions that wrote them, save the hash, which has a test of its own.
 */
export async function ledgerFaults(sql: Sql): Promise<string[]> {
  const rows = await overCopies(sql)(FAULTS);
  return rows.map((row) => String(row['fault']));
}

const FAULTS = `
WITH legs AS (
    SELECT debit_wallet_id AS wallet, debit_version AS version, -amount AS change, debit_balance_after AS after
      FROM core.transactions
    UNION ALL
    SELECT credit_wallet_id, credit_version, amount, credit_balance_after FROM core.transactions
), ordered AS (
    SELECT wallet, version, after,
           row_number() OVER w AS place,
           sum(change) OVER (w ROWS UNBOUNDED PRECEDING) AS running
      FROM legs WINDOW w AS (PARTITION BY wallet ORDER BY version)
), totals AS (
    SELECT w.id, w.balance, w.held, w.min_balance, w.version, coalesce(sum(l.change), 0) AS moved, count(l.wallet) AS postings
      FROM core.wallets w LEFT JOIN legs l ON l.wallet = w.id
     GROUP BY w.id
)
SELECT 'the balances add up to ' || sum(balance) AS fault FROM core.wallets HAVING sum(balance) <> 0
UNION ALL
SELECT 'posting ' || place || ' of ' || wallet || ' has version ' || version FROM ordered WHERE version <> place
UNION ALL
SELECT 'posting ' || place || ' of ' || wallet || ' says ' || after || ' and it is ' || running
  FROM ordered WHERE after <> running
UNION ALL
SELECT id || ' has ' || balance || ' and its postings make ' || moved FROM totals WHERE balance <> moved
UNION ALL
SELECT id || ' has version ' || version || ' and ' || postings || ' postings' FROM totals WHERE version <> postings
UNION ALL
SELECT id || ' is below its floor' FROM totals WHERE balance - held < min_balance
UNION ALL
SELECT reference || ' has a hash that is not its own' FROM core.transactions
 WHERE verification_hash IS DISTINCT FROM core.verification_hash(reference, amount, created_at)`;
