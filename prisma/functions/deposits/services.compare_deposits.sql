-- What each payment of a batch became when it was not simply posted. For services.record_deposits, after its log rows.
--
-- A receipt that was there before, in the table or earlier in the batch, is compared with what is recorded of it; a
-- transaction without its log row (a database from before the ledger) by its amount.
--
-- p_receipts: NULL for what is no receipt. p_outcomes: of the door. p_held: the ids of what is held. p_logged: receipts
--             that are in the log and were never posted.
CREATE OR REPLACE FUNCTION services.compare_deposits(
    p_receipts text[], p_amounts numeric[], p_short_codes text[], p_outcomes text[], p_held uuid[], p_logged text[]
)
RETURNS text[]
LANGUAGE plpgsql
STABLE
AS $$
BEGIN
    RETURN (
        SELECT array_agg(
                   CASE
                       WHEN t.held IS NOT NULL THEN 'held'
                       WHEN t.receipt IS NULL THEN 'refused'
                       WHEN x.id IS NULL AND l.outcome = 'HELD' THEN CASE
                           WHEN l.amount = t.amount AND l.short_code = t.short_code THEN 'duplicate'
                           ELSE 'conflict'
                       END
                       WHEN x.id IS NULL AND t.receipt = ANY (p_logged) THEN 'conflict'
                       WHEN t.door_outcome NOT IN ('exists', 'exists_different') THEN t.door_outcome
                       WHEN x.amount = t.amount AND x.type = 'DEPOSIT'
                            AND coalesce(l.short_code, t.short_code) = t.short_code THEN 'duplicate'
                       ELSE 'conflict'
                   END ORDER BY t.ord
               )
          FROM unnest(p_receipts, p_amounts, p_short_codes, p_outcomes, p_held)
               WITH ORDINALITY AS t (receipt, amount, short_code, door_outcome, held, ord)
          LEFT JOIN core.transactions x ON x.reference = t.receipt AND x.reference = ANY (p_receipts)
          LEFT JOIN services.mpesa_logs l ON l.mpesa_receipt = t.receipt AND l.mpesa_receipt = ANY (p_receipts)
    );
END
$$;
