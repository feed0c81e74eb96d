-- A page of payments by the time when they were recorded, the latest first: those of this outcome, or all.
--
-- p_unposted: only what has no transaction is wanted, so only such logs are looked at.
CREATE OR REPLACE FUNCTION lanes.deposits_before(
    p_from timestamp, p_to timestamp, p_before timestamp, p_id uuid, p_outcome text, p_limit integer, p_unposted boolean
)
RETURNS TABLE (log services.mpesa_logs, outcome text, wallet text)
LANGUAGE plpgsql
VOLATILE
AS $$
#variable_conflict use_column
DECLARE
    v_receipts text[];
    v_count    integer := 0;
    d          record;
BEGIN
    LOOP
        SELECT array_agg(x.receipt)
          INTO v_receipts
          FROM (
            SELECT l.mpesa_receipt::text AS receipt
              FROM services.mpesa_logs l
             WHERE l.created_at >= p_from AND l.created_at < p_to AND (l.created_at, l.id) < (p_before, p_id)
               AND (NOT p_unposted OR l.outcome IS NULL OR l.outcome = 'HELD')
             ORDER BY l.created_at DESC, l.id DESC
             LIMIT p_limit
          ) x;
        EXIT WHEN v_receipts IS NULL;
        FOR d IN
            SELECT l AS log, l.created_at, l.id, lanes.deposit_outcome(l, t) AS outcome,
                   core.account_of(t.credit_wallet_id) AS wallet
              FROM lanes.logs_of(v_receipts) l
              LEFT JOIN lanes.transactions_of(v_receipts) t ON t.reference = l.mpesa_receipt AND t.type = 'DEPOSIT'
             ORDER BY l.created_at DESC, l.id DESC
        LOOP
            p_before := d.created_at; p_id := d.id;
            CONTINUE WHEN d.outcome <> p_outcome;
            log := d.log; outcome := d.outcome; wallet := d.wallet;
            RETURN NEXT;
            v_count := v_count + 1;
            IF v_count = p_limit THEN
                RETURN;
            END IF;
        END LOOP;
    END LOOP;
END
$$;
