-- Writes down which movement of the ledger each line of a period explains. The receipt decides, and nothing else does.
--
-- A payment explains the deposit with its receipt, short code and amount; a log from before the ledger has no short
-- code. A reversal explains the reversal of the deposit that it names, with its amount.
-- After: a line explains at most one movement and a movement is explained by at most one line, whoever runs this at the
--        same time: the keys of services.mpesa_matches see to it. matched: how many this call added.
CREATE OR REPLACE FUNCTION services.match_mpesa_lines(
    p_short_code text, p_from timestamp, p_to timestamp, OUT matched integer
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    WITH lines AS (
        SELECT l.id, l.kind, l.receipt, l.linked_receipt, l.paid_in, l.withdrawn, l.short_code
          FROM services.mpesa_statement_lines l
         WHERE l.short_code = p_short_code AND l.completed_at >= p_from AND l.completed_at < p_to
           AND l.is_completed AND l.account_key = '' AND l.kind IN ('payment', 'reversal')
           AND NOT EXISTS (SELECT FROM services.mpesa_matches m WHERE m.line_id = l.id)
    ), payments AS (
        SELECT DISTINCT ON (t.id) l.id AS line_id, t.id AS transaction_id
          FROM lines l
          JOIN core.transactions t ON t.reference = l.receipt AND t.type = 'DEPOSIT'
          JOIN services.mpesa_logs g ON g.mpesa_receipt = l.receipt AND coalesce(g.short_code, l.short_code) = l.short_code
         WHERE l.kind = 'payment'
           AND l.paid_in = services.deposit_amount(p_receipt => l.receipt, p_amount => t.amount)
         ORDER BY t.id, l.id
    ), reversal_lines AS (
        SELECT l.id, l.linked_receipt, l.withdrawn,
               row_number() OVER (PARTITION BY l.linked_receipt, l.withdrawn ORDER BY l.id) AS place
          FROM lines l
         WHERE l.kind = 'reversal' AND l.withdrawn > 0 AND l.linked_receipt IS NOT NULL
    ), reversal_movements AS (
        SELECT r.id, d.reference AS receipt, r.amount,
               row_number() OVER (PARTITION BY d.id, r.amount ORDER BY r.id) AS place
          FROM core.transactions d
          JOIN services.mpesa_logs g ON g.mpesa_receipt = d.reference AND g.short_code = p_short_code
          JOIN core.transactions r ON r.reverses_id = d.id AND r.type = 'REVERSAL' AND r.reference NOT LIKE 'CR-%'
         WHERE d.type = 'DEPOSIT' AND d.reference IN (SELECT l.linked_receipt FROM reversal_lines l)
           AND NOT EXISTS (SELECT FROM services.mpesa_matches m WHERE m.transaction_id = r.id)
    ), found AS (
        SELECT p.line_id, p.transaction_id FROM payments p
        UNION ALL
        SELECT l.id, r.id
          FROM reversal_lines l
          JOIN reversal_movements r
            ON r.receipt = l.linked_receipt AND r.amount = l.withdrawn AND r.place = l.place
    )
    -- In one order, so that two who do this at the same time wait for each other and never in a circle.
    INSERT INTO services.mpesa_matches (line_id, transaction_id)
    SELECT f.line_id, f.transaction_id FROM found f ORDER BY f.line_id
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS matched = ROW_COUNT;
    PERFORM set_config('daftari.door', '', true);
END
$$;
