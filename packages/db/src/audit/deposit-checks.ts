import { LEDGER_BEGAN } from './audit-check.ts';
import type { AuditCheck } from './audit-check.ts';

const COMPARE_WITH_MPESA =
  'Look the receipt up in the M-PESA portal: what was paid there decides. Find out who changed the rows before you ' +
  'correct anything.';

/** Whether a payment's callback, log and transaction agree with each other. */
export const DEPOSIT_CHECKS: readonly AuditCheck[] = [
  {
    name: 'deposits',
    about: 'each deposit has its M-PESA log, with the same amount and wallet',
    advice: COMPARE_WITH_MPESA,
    // A log without an outcome is older than the ledger: of it only the amount is known. One that was held is released
    // without being changed, and a correction has no log of its own.
    sql: `
      SELECT t.reference::text AS subject,
             'deposit ' || t.reference || CASE
                 WHEN l.id IS NULL THEN ' has no M-PESA log'
                 WHEN l.amount <> t.amount THEN ' is of ' || t.amount || ' and its M-PESA log says ' || l.amount
                 WHEN l.wallet_id IS DISTINCT FROM core.account_of(t.credit_wallet_id)
                     THEN ' went to ' || core.account_of(t.credit_wallet_id) || ' and its M-PESA log says '
                          || coalesce(l.wallet_id, 'nothing')
                 ELSE ' went to ' || core.account_of(t.credit_wallet_id) || ' and its M-PESA log says ' || l.outcome
             END AS what
        FROM core.transactions t
        LEFT JOIN services.mpesa_logs l ON l.mpesa_receipt = t.reference
       WHERE t.type = 'DEPOSIT'
         AND NOT EXISTS (SELECT FROM services.mpesa_decisions d WHERE d.reference = t.reference)
         AND CASE
             WHEN l.id IS NULL THEN t.created_at >= ${LEDGER_BEGAN}
             WHEN l.outcome IS NULL OR l.outcome = 'HELD' THEN l.amount <> t.amount
             ELSE l.amount <> t.amount OR l.wallet_id IS DISTINCT FROM core.account_of(t.credit_wallet_id)
                  OR (l.outcome = 'SUSPENSE') <> (core.account_of(t.credit_wallet_id) = 'SUSPENSE')
         END`,
  },
  {
    name: 'logs',
    about: 'each M-PESA log has its deposit, and the amount that M-PESA sent',
    advice: COMPARE_WITH_MPESA,
    sql: `
      SELECT l.mpesa_receipt::text AS subject,
             'M-PESA log ' || l.mpesa_receipt || CASE
                 WHEN t.id IS NULL THEN ' has no deposit'
                 ELSE ' says ' || l.amount || ' and the message that it keeps says ' || (l.raw_payload ->> 'TransAmount')
             END AS what
        FROM services.mpesa_logs l
        LEFT JOIN core.transactions t ON t.reference = l.mpesa_receipt AND t.type = 'DEPOSIT'
       WHERE l.outcome IS NOT NULL
         AND (t.id IS NULL AND l.outcome <> 'HELD' OR CASE
             WHEN l.raw_payload ->> 'TransAmount' ~ '^[0-9]{1,17}(\\.[0-9]{1,10})?$'
                 THEN (l.raw_payload ->> 'TransAmount')::numeric <> l.amount
             ELSE false
         END)`,
  },
  {
    name: 'callbacks',
    about:
      'each callback that was credited has its M-PESA log, each log its callback, and no receipt was credited twice',
    advice: COMPARE_WITH_MPESA,
    sql: `
      SELECT coalesce(c.receipt, l.mpesa_receipt)::text AS subject,
             CASE
                 WHEN c.receipt IS NULL THEN 'M-PESA log ' || l.mpesa_receipt || ' has no callback in the inbox'
                 WHEN l.id IS NULL AND c.posted > 0
                     THEN 'callback ' || c.receipt || ' is ' || c.outcome || ' and has no M-PESA log'
                 WHEN c.posted > 1 THEN 'callback ' || c.receipt || ' is credited ' || c.posted || ' times in the inbox'
                 ELSE 'callback ' || c.receipt || ' is ' || c.outcome || ' and its M-PESA log says ' || l.outcome
             END AS what
        FROM (
          SELECT m.receipt, count(*) FILTER (WHERE m.outcome IN ('CREDITED', 'SUSPENSE')) AS posted,
                 min(m.outcome) FILTER (WHERE m.outcome IN ('CREDITED', 'SUSPENSE')) AS outcome
            FROM services.mpesa_callbacks m
           WHERE m.receipt IS NOT NULL
           GROUP BY m.receipt
        ) c
        FULL JOIN services.mpesa_logs l ON l.mpesa_receipt = c.receipt
       WHERE c.receipt IS NULL AND l.outcome IS NOT NULL OR c.posted > 1
          OR c.posted = 1 AND (l.id IS NULL OR l.outcome <> c.outcome AND l.outcome <> 'HELD')`,
  },
  {
    name: 'assignments',
    about:
      'money left suspense, or a wallet that had got it by mistake, only under the receipt that it came in with, once and whole',
    advice: COMPARE_WITH_MPESA,
    // A receipt of more than 45 characters has an assignment named by its hash, which says nothing about it.
    sql: `
      SELECT a.reference::text AS subject,
             'assignment ' || a.reference || CASE
                 WHEN d.id IS NULL THEN ' has no deposit in the wallet that it left'
                 ELSE ' is of ' || a.amount || ' and the deposit is of ' || d.amount
             END AS what
        FROM core.transactions a
        LEFT JOIN core.transactions d
             ON d.reference = regexp_replace(a.reference, '^AS[0-9]*-', '') AND d.type = 'DEPOSIT'
                AND d.credit_wallet_id = a.debit_wallet_id
       WHERE a.type = 'ASSIGNMENT' AND a.created_at >= ${LEDGER_BEGAN}
         AND (d.amount <> a.amount OR d.id IS NULL AND a.reference !~ '^AS[0-9]*-[0-9A-F]{40}$')
      UNION ALL
      SELECT d.reference, 'deposit ' || d.reference || ' of ' || d.amount || ' left the wallet that it came into with ' || sum(o.amount)
        FROM core.transactions d
        JOIN (
          SELECT regexp_replace(a.reference, '^AS[0-9]*-', '') AS receipt,
                 a.amount - coalesce((SELECT sum(r.amount) FROM core.transactions r WHERE r.reverses_id = a.id), 0) AS amount
            FROM core.transactions a
           WHERE a.type = 'ASSIGNMENT'
          UNION ALL
          SELECT b.reference, r.amount
            FROM core.transactions r
            JOIN core.transactions b ON b.id = r.reverses_id AND b.type = 'DEPOSIT'
           WHERE r.debit_wallet_id = b.credit_wallet_id
        ) o ON o.receipt = d.reference
       WHERE d.type = 'DEPOSIT'
       GROUP BY d.id
      HAVING sum(o.amount) > d.amount
      UNION ALL
      SELECT t.reference, t.type || ' ' || t.reference || ' moved money of the suspense wallet'
        FROM core.transactions t
       WHERE 'SUSPENSE' IN (core.account_of(t.debit_wallet_id), core.account_of(t.credit_wallet_id))
         AND t.type NOT IN ('DEPOSIT', 'ASSIGNMENT', 'REVERSAL') AND t.created_at >= ${LEDGER_BEGAN}`,
  },
];
