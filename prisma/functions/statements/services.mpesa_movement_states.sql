-- The state of each movement of the float in a period that no line of the period explains: exactly one row a movement.
--
-- Movements are those of the short code's deposits, by the time when they were paid, and those that go out of the ledger or
-- back, by the time when they were posted. The latter have no short code unless they reverse a deposit, and belong to each.
-- A correction belongs to its deposit (services.deposit_amount). What came too late for a closed period is in the period in
-- which it was posted, and closed_period names the other one.
-- state: matched or amount_differs, by a line outside the period; reversed, posted and undone without a line; missing_there.
CREATE OR REPLACE FUNCTION services.mpesa_movement_states(p_short_code text, p_from timestamp, p_to timestamp)
RETURNS TABLE (
    transaction_id uuid, state text, reason text, is_open boolean, reference text, amount numeric, ledger_net numeric,
    happened_at timestamp, closed_period uuid
)
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    WITH movements AS (
        SELECT t.id, t.reference, t.type, t.id AS original, t.reference AS receipt,
               services.deposit_amount(p_receipt => t.reference, p_amount => t.amount) AS amount,
               services.deposit_amount(p_receipt => t.reference, p_amount => t.amount) AS original_amount,
               1 AS sign, p.at AS happened_at, c.closed
          FROM services.mpesa_logs g
          JOIN core.transactions t ON t.reference = g.mpesa_receipt AND t.type = 'DEPOSIT'
         CROSS JOIN LATERAL (
            SELECT services.closed_mpesa_period(
                p_short_code => p_short_code, p_happened_at => coalesce(g.paid_at, g.created_at), p_posted_at => t.created_at
            ) AS closed
         ) c
         CROSS JOIN LATERAL (
            SELECT CASE WHEN c.closed IS NULL THEN coalesce(g.paid_at, g.created_at) ELSE t.created_at END AS at
         ) p
         -- Nobody reports a payment long before it was made, so the index of the log says where to begin.
         WHERE g.short_code = p_short_code AND g.created_at >= p_from - interval '1 day' AND p.at >= p_from AND p.at < p_to
        UNION ALL
        SELECT t.id, t.reference, t.type, coalesce(o.id, t.id), o.reference, t.amount,
               CASE
                   WHEN o.type = 'DEPOSIT' THEN services.deposit_amount(p_receipt => o.reference, p_amount => o.amount)
                   ELSE coalesce(o.amount, t.amount)
               END,
               CASE WHEN core.account_of(t.credit_wallet_id) = 'MPESA-FLOAT' THEN -1 ELSE 1 END, t.created_at, NULL
          FROM core.transactions t
          LEFT JOIN core.transactions o ON o.id = t.reverses_id
          LEFT JOIN services.mpesa_logs g ON g.mpesa_receipt = o.reference
         -- The ids sort by time; see core.uuid_v7.
         WHERE t.id >= (lpad(to_hex((extract(epoch FROM p_from) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
           AND t.id < (lpad(to_hex((extract(epoch FROM p_to) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
           AND t.type <> 'DEPOSIT' AND t.reference NOT LIKE 'CR-%'
           AND 'MPESA-FLOAT' IN (core.account_of(t.debit_wallet_id), core.account_of(t.credit_wallet_id))
           AND (o.type IS DISTINCT FROM 'DEPOSIT' OR g.short_code = p_short_code)
           -- What was posted from a line is in the state of that line.
           AND t.debit_wallet_id <> 'RECEIVABLES'
           AND NOT (
               t.type <> 'REVERSAL'
               AND ('BANK' IN (t.debit_wallet_id, t.credit_wallet_id) OR 'CHARGES' IN (t.debit_wallet_id, t.credit_wallet_id))
               AND EXISTS (SELECT FROM services.mpesa_matches p WHERE p.transaction_id = t.id)
           )
    ), seen AS (
        SELECT m.*, x.line_id AS explained, coalesce(own.completed_at, l.completed_at) AS completed_at,
               coalesce(own.paid_in, l.paid_in) AS paid_in,
               coalesce((
                   SELECT sum(r.amount)
                     FROM core.transactions r
                    WHERE r.reverses_id = m.original AND r.reference NOT LIKE 'CR-%'
               ), 0) = m.original_amount AND NOT EXISTS (
                   SELECT FROM services.mpesa_statement_lines p
                    WHERE p.receipt = m.receipt AND p.short_code || '' = p_short_code AND p.kind = 'payment' AND p.is_completed
               ) AS is_undone
          FROM movements m
          LEFT JOIN services.mpesa_matches x ON x.transaction_id = m.id
          LEFT JOIN services.mpesa_statement_lines own ON own.id = x.line_id
          -- Each of the two by an index of its own: one condition for both would read every line for each movement. By the
          -- receipt: see services.post_mpesa_lines.
          LEFT JOIN LATERAL (
            SELECT p.completed_at, p.paid_in
              FROM services.mpesa_statement_lines p
             WHERE x.line_id IS NULL AND m.type = 'DEPOSIT' AND p.receipt = m.receipt AND p.short_code || '' = p_short_code
               AND p.kind = 'payment' AND p.is_completed AND p.account_key = ''
             ORDER BY p.id
             LIMIT 1
          ) l ON true
    ), judged AS (
        SELECT s.*,
               CASE
                   WHEN s.completed_at IS NOT NULL AND s.type <> 'DEPOSIT' THEN 'reversed'
                   WHEN s.completed_at IS NOT NULL AND s.paid_in = s.amount THEN 'matched'
                   WHEN s.completed_at IS NOT NULL THEN 'amount_differs'
                   WHEN s.is_undone THEN 'reversed'
                   ELSE 'missing_there'
               END AS state
          FROM seen s
         WHERE s.completed_at IS NULL OR s.completed_at < p_from OR s.completed_at >= p_to
    )
    SELECT j.id, j.state,
           CASE
               WHEN j.closed IS NOT NULL THEN 'late_for_closed_period'
               WHEN j.state IN ('matched', 'amount_differs') THEN 'line_outside_period'
               WHEN j.state = 'reversed' AND j.completed_at IS NULL THEN 'undone_here'
               WHEN j.state = 'missing_there' AND j.type <> 'DEPOSIT' THEN lower(j.type)
           END,
           j.state IN ('missing_there', 'amount_differs'),
           j.reference::text, j.amount, CASE WHEN j.completed_at IS NULL OR j.closed IS NOT NULL THEN j.sign * j.amount ELSE 0 END,
           j.happened_at::timestamp, j.closed
      FROM judged j
$$;
