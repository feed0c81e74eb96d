-- What M-PESA should hold for a short code at a moment, by our ledger: zero or above while nobody owes M-PESA.
--
-- A payment counts from when it was paid, what was posted from a statement from when M-PESA did it, everything else from when
-- it was posted. What came too late for a closed period counts from when it was posted: the float with which a period was
-- closed stays what it was, and only what is newer is added up. Money that leaves without a line belongs to no short code, and
-- is subtracted from each.
CREATE OR REPLACE FUNCTION services.mpesa_float(p_short_code text, p_at timestamp)
RETURNS numeric
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    WITH base AS (
        SELECT x.to_at, x."float"
          FROM (
            SELECT p.to_at, p."float"
              FROM services.mpesa_periods p
             WHERE p.short_code = p_short_code AND p.status = 'CLOSED' AND p.to_at <= p_at
            UNION ALL
            SELECT timestamp '1970-01-01', 0
          ) x
         ORDER BY x.to_at DESC
         LIMIT 1
    ), deposits AS (
        SELECT sum(services.deposit_amount(p_receipt => t.reference, p_amount => t.amount)) AS amount
          FROM base b
          JOIN services.mpesa_logs g ON g.short_code = p_short_code AND g.created_at >= b.to_at - interval '1 day'
          JOIN core.transactions t ON t.reference = g.mpesa_receipt AND t.type = 'DEPOSIT'
         CROSS JOIN LATERAL (
            SELECT CASE
                WHEN services.closed_mpesa_period(
                    p_short_code => p_short_code, p_happened_at => coalesce(g.paid_at, g.created_at), p_posted_at => t.created_at
                ) IS NULL THEN coalesce(g.paid_at, g.created_at)
                ELSE t.created_at
            END AS at
         ) e
         WHERE e.at >= b.to_at AND e.at < p_at
    ), stated AS (
        SELECT sum(l.paid_in - l.withdrawn) AS amount
          FROM base b
          JOIN services.mpesa_statement_lines l
            ON l.short_code = p_short_code AND l.completed_at >= b.to_at AND l.completed_at < p_at
          JOIN services.mpesa_matches m ON m.line_id = l.id
          JOIN core.transactions t ON t.id = m.transaction_id AND t.reference ~ '^(MC|MS|RV)-'
         WHERE l.kind IN ('charge', 'sweep', 'reversal')
    ), others AS (
        SELECT sum(CASE WHEN core.account_of(t.credit_wallet_id) = 'MPESA-FLOAT' THEN -t.amount ELSE t.amount END) AS amount
          FROM base b
          JOIN core.transactions t
            ON t.id >= (lpad(to_hex((extract(epoch FROM b.to_at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
          LEFT JOIN core.transactions o ON o.id = t.reverses_id
          LEFT JOIN services.mpesa_logs g ON g.mpesa_receipt = o.reference
          LEFT JOIN services.mpesa_matches m ON m.transaction_id = t.id
          LEFT JOIN services.mpesa_statement_lines l ON l.id = m.line_id
         WHERE t.type <> 'DEPOSIT' AND t.reference !~ '^(MC|MS|RV|CR)-'
           AND 'MPESA-FLOAT' IN (core.account_of(t.debit_wallet_id), core.account_of(t.credit_wallet_id))
           AND (o.type IS DISTINCT FROM 'DEPOSIT' OR g.short_code = p_short_code)
           AND CASE WHEN l.completed_at >= b.to_at THEN l.completed_at ELSE t.created_at END < p_at
    ), corrections AS (
        -- Of deposits that were closed before: the others are in their deposits.
        SELECT sum(CASE WHEN c.type = 'DEPOSIT' THEN c.amount ELSE -c.amount END) AS amount
          FROM base b
          JOIN core.transactions c
            ON c.id >= (lpad(to_hex((extract(epoch FROM b.to_at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
           AND c.created_at < p_at AND c.reference LIKE 'CR-%'
          JOIN services.mpesa_logs g ON g.mpesa_receipt = substr(c.reference, 4) AND g.short_code = p_short_code
          JOIN core.transactions t ON t.reference = g.mpesa_receipt
         WHERE coalesce(g.paid_at, g.created_at) < b.to_at AND services.closed_mpesa_period(
                   p_short_code => p_short_code, p_happened_at => coalesce(g.paid_at, g.created_at), p_posted_at => t.created_at
               ) IS NULL
           AND services.closed_mpesa_period(
                   p_short_code => p_short_code, p_happened_at => coalesce(g.paid_at, g.created_at), p_posted_at => c.created_at
               ) IS NOT NULL
    )
    SELECT (b."float" + coalesce(d.amount, 0) + coalesce(s.amount, 0) + coalesce(o.amount, 0) + coalesce(c.amount, 0))::numeric(19,2)
      FROM base b, deposits d, stated s, others o, corrections c
$$;
