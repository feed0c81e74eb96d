import { LEDGER_BEGAN } from './audit-check.ts';
import type { AuditCheck } from './audit-check.ts';

const ASK_THE_CALLER =
  'Compare with what the caller recorded for its request, and find out who changed the rows before you correct anything.';

/** The reference of what was posted from a line by which M-PESA took a payment back. */
const REVERSED_LINE = `'RV-' || upper(replace(l.id::text, '-', ''))`;

/** Whether what was asked for, what was posted and what it cost agree with each other. */
export const REQUEST_CHECKS: readonly AuditCheck[] = [
  {
    name: 'requests',
    about: 'each request that was posted has what it made, and each transaction with a key has its request',
    advice: ASK_THE_CALLER,
    // A request is also remembered for what is no transaction: a hold, a wallet, a key, a fee rule, a payment asked for, and
    // a decision about a message or a payment that moved nothing.
    sql: `
      SELECT q.reference::text AS subject, 'a request was posted as ' || q.reference || ', which does not exist' AS what
        FROM core.requests q
       WHERE q.outcome = 'POSTED'
         AND NOT EXISTS (SELECT FROM core.transactions t WHERE t.reference = q.reference)
         AND NOT EXISTS (SELECT FROM core.holds h WHERE h.id::text = q.reference)
         AND NOT EXISTS (SELECT FROM core.wallets w WHERE w.id = q.reference)
         AND NOT EXISTS (SELECT FROM services.api_keys k WHERE k.id::text = q.reference)
         AND NOT EXISTS (SELECT FROM core.fee_rules f WHERE f.id::text = q.reference)
         AND NOT EXISTS (SELECT FROM services.mpesa_payments p WHERE p.id::text = q.reference)
         AND NOT EXISTS (SELECT FROM services.mpesa_decisions d WHERE d.callback_id::text = q.reference)
         AND NOT EXISTS (SELECT FROM services.mpesa_decisions d WHERE d.receipt = q.reference)
      UNION ALL
      SELECT t.reference, 'transaction ' || t.reference || ' has a key whose request ' || CASE
                 WHEN q.digest IS NULL THEN 'is not remembered'
                 WHEN q.outcome <> 'POSTED' THEN 'is remembered as refused'
                 WHEN q.reference <> t.reference THEN 'is remembered as posted with ' || q.reference
                 ELSE 'is remembered with other contents'
             END
        FROM core.transactions t
        LEFT JOIN core.requests q ON q.idempotency_key = t.idempotency_key
       WHERE t.idempotency_key IS NOT NULL
         AND (q.outcome, q.digest, q.reference) IS DISTINCT FROM ('POSTED', t.request_digest, t.reference)`,
  },
  {
    name: 'reversals',
    about:
      'each reversal goes back the way its transaction came or as M-PESA took it back, and all of them no further than its amount',
    advice:
      'Money went back twice or elsewhere. Stop reversals, and settle it with the wallet holders concerned.',
    sql: `
      SELECT r.reference::text AS subject,
             'reversal ' || r.reference || CASE
                 WHEN t.id IS NULL THEN ' reverses a transaction that does not exist'
                 WHEN t.type = 'REVERSAL' THEN ' reverses the reversal ' || t.reference
                 ELSE ' does not go back the way ' || t.reference || ' came'
             END AS what
        FROM core.transactions r
        LEFT JOIN core.transactions t ON t.id = r.reverses_id
       WHERE r.type = 'REVERSAL'
         AND (t.id IS NULL OR t.type = 'REVERSAL'
              OR (r.debit_wallet_id, r.credit_wallet_id, r.currency)
                 <> (t.credit_wallet_id, t.debit_wallet_id, t.currency)
              -- What M-PESA took back is taken from who has the payment now, or owed, by a line of its statement.
              AND NOT (t.type = 'DEPOSIT' AND r.credit_wallet_id = t.debit_wallet_id AND EXISTS (
                  SELECT FROM services.mpesa_statement_lines l
                   WHERE l.linked_receipt = t.reference AND l.kind = 'reversal'
                     AND r.reference IN (${REVERSED_LINE}, ${REVERSED_LINE} || '-R')
              )))
      UNION ALL
      SELECT t.reference,
             'transaction ' || t.reference || ' of ' || t.amount || ' was reversed by ' || sum(r.amount)
        FROM core.transactions r
        JOIN core.transactions t ON t.id = r.reverses_id
       GROUP BY t.id
      HAVING sum(r.amount) > t.amount`,
  },
  {
    name: 'captures',
    about: 'each hold that was captured has the transaction that paid it out',
    advice: ASK_THE_CALLER,
    // Captures from before the column have no reference.
    sql: `
      SELECT h.id::text AS subject,
             'hold ' || h.id || CASE
                 WHEN (h.status = 'CAPTURED') <> (h.captured > 0) THEN ' is ' || h.status || ' and captured ' || h.captured
                 WHEN t.id IS NULL THEN ' was captured by ' || h.capture_reference || ', which does not exist'
                 ELSE ' of wallet ' || h.wallet_id || ' captured ' || h.captured || ', and ' || t.reference || ' took '
                      || t.amount || ' from wallet ' || t.debit_wallet_id
             END AS what
        FROM core.holds h
        LEFT JOIN core.transactions t ON t.reference = h.capture_reference
       WHERE (h.status = 'CAPTURED') <> (h.captured > 0)
          OR h.capture_reference IS NOT NULL
             AND (t.debit_wallet_id, t.amount) IS DISTINCT FROM (h.wallet_id, h.captured)`,
  },
  {
    name: 'fees',
    about: 'each fee belongs to a transaction of the wallet that paid it',
    advice: ASK_THE_CALLER,
    sql: `
      SELECT f.reference::text AS subject, 'fee ' || f.reference || ' belongs to no transaction of its payer' AS what
        FROM core.transactions f
        LEFT JOIN core.transactions t ON t.reference = regexp_replace(f.reference, '-F$', '') AND t.type <> 'FEE'
       WHERE f.type = 'FEE' AND f.created_at >= ${LEDGER_BEGAN}
         -- A charge of M-PESA belongs to a line of its statement.
         AND NOT (f.reference LIKE 'MC-%' AND EXISTS (
             SELECT FROM services.mpesa_matches m
               JOIN services.mpesa_statement_lines l ON l.id = m.line_id
              WHERE m.transaction_id = f.id AND l.kind = 'charge' AND l.paid_in + l.withdrawn = f.amount
         ))
         AND (t.id IS NULL OR f.debit_wallet_id NOT IN (t.debit_wallet_id, t.credit_wallet_id))`,
  },
  {
    name: 'sms-costs',
    about: 'what SMS cost is what was booked as spent',
    advice: 'Compare with the invoice of the provider. The daily budget follows services.sms_spend.',
    // Messages that were never claimed are older than the outbox, whose costs were never booked. Where charges came in
    // two currencies a message can hold only one of them, so then the sums can only be compared as a whole.
    sql: `
      WITH messages AS (
        SELECT coalesce(m.currency, 'XXX') AS currency, sum(m.cost) AS cost
          FROM services.sms_logs m
         WHERE m.cost IS NOT NULL AND m.attempts > 0
         GROUP BY 1
      ), spent AS (
        SELECT s.currency, sum(s.cost) AS cost FROM services.sms_spend s GROUP BY s.currency
      ), compared AS (
        SELECT coalesce(m.currency, s.currency) AS currency, coalesce(m.cost, 0.0000) AS cost,
               coalesce(s.cost, 0.0000) AS booked
          FROM messages m
          FULL JOIN spent s ON s.currency = m.currency
      ), whole AS (
        SELECT count(*) AS currencies, sum(c.cost) AS cost, sum(c.booked) AS booked FROM compared c
      )
      SELECT c.currency::text AS subject,
             'SMS cost ' || c.cost || ' ' || c.currency || ' and ' || c.booked || ' is booked as spent' AS what
        FROM compared c, whole w
       WHERE c.cost <> c.booked AND (w.currencies = 1 OR w.cost > w.booked)`,
  },
];
