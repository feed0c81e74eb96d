import { ledgerFaults } from './faults.ts';
import { overCopies } from '../database/nodes.ts';
import type { Sql } from '../database/test-db.ts';

/** Everything that can be wrong with a ledger that knows holds, reversals and remembered requests. */
export async function allFaults(sql: Sql): Promise<string[]> {
  const rows = await overCopies(sql)(FAULTS);
  return [...(await ledgerFaults(sql)), ...rows.map((row) => String(row['fault']))];
}

const FAULTS = `
SELECT w.id || ' holds ' || w.held || ' and its holds make ' || coalesce(sum(h.amount + coalesce(h.fee_held, 0)), 0)
       AS fault
  FROM core.wallets w LEFT JOIN core.holds h ON h.wallet_id = w.id AND h.status = 'ACTIVE'
 GROUP BY w.id
HAVING w.held <> coalesce(sum(h.amount + coalesce(h.fee_held, 0)), 0)
UNION ALL
SELECT 'hold ' || h.id || ' is ' || h.status || ' and captured ' || h.captured FROM core.holds h
 WHERE (h.status = 'CAPTURED') <> (h.captured > 0)
UNION ALL
SELECT 'hold ' || h.id || ' paid ' || h.captured || ' and its transaction ' || coalesce(t.amount::text, 'is not there')
  FROM core.holds h LEFT JOIN core.transactions t ON t.reference = h.capture_reference
 WHERE h.status = 'CAPTURED' AND (t.debit_wallet_id, t.amount) IS DISTINCT FROM (h.wallet_id, h.captured)
UNION ALL
SELECT t.reference || ' gave back ' || sum(r.amount) || ' of ' || t.amount
  FROM core.transactions t JOIN core.transactions r ON r.reverses_id = t.id
 GROUP BY t.id HAVING sum(r.amount) > t.amount
UNION ALL
SELECT r.reference || ' does not go back the way it came'
  FROM core.transactions r JOIN core.transactions t ON t.id = r.reverses_id
 WHERE (r.debit_wallet_id, r.credit_wallet_id) <> (t.credit_wallet_id, t.debit_wallet_id)
UNION ALL
SELECT t.reference || ' has a key that is not remembered as its own'
  FROM core.transactions t LEFT JOIN core.requests q ON q.idempotency_key = t.idempotency_key
 WHERE t.idempotency_key IS NOT NULL
   AND (q.outcome, q.digest, q.reference) IS DISTINCT FROM ('POSTED', t.request_digest, t.reference)
UNION ALL
SELECT 'more than one transaction has the key of ' || min(t.reference)
  FROM core.transactions t WHERE t.idempotency_key IS NOT NULL
 GROUP BY t.idempotency_key HAVING count(*) > 1
UNION ALL
-- What waits in suspense is what came in for nobody, less what was assigned or sent back.
SELECT w.id || ' has ' || w.balance || ' and the payments that wait there make ' || waiting.amount
  FROM core.wallets w,
       LATERAL (
         SELECT coalesce(sum(CASE WHEN t.credit_wallet_id = w.id THEN t.amount ELSE -t.amount END), 0) AS amount
           FROM core.transactions t
          WHERE w.id IN (t.debit_wallet_id, t.credit_wallet_id)
            AND t.type IN ('DEPOSIT', 'ASSIGNMENT', 'REVERSAL')
       ) waiting
 WHERE core.account_of(w.id) = 'SUSPENSE' AND w.balance <> waiting.amount`;
