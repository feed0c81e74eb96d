-- What came into suspense before a place, the latest first, p_examined postings at most; with p_receipt that payment alone.
CREATE OR REPLACE FUNCTION lanes.suspense_before(
    p_time timestamp, p_version bigint, p_id uuid, p_examined integer, p_from timestamp, p_receipt text DEFAULT NULL
)
RETURNS SETOF core.transactions
LANGUAGE plpgsql
VOLATILE
AS $$
BEGIN
    IF p_receipt IS NOT NULL THEN
        RETURN QUERY
        SELECT t.*
          FROM lanes.transactions_of(ARRAY[p_receipt]) t
         WHERE core.account_of(t.credit_wallet_id) = 'SUSPENSE'
           AND (t.created_at, t.credit_version, t.id) < (p_time, p_version, p_id) AND t.created_at >= p_from;
        RETURN;
    END IF;
    RETURN QUERY
    SELECT t.*
      FROM core.transactions t
     WHERE t.credit_wallet_id LIKE 'SUSPENSE%' AND core.account_of(t.credit_wallet_id) = 'SUSPENSE'
       AND (t.created_at, t.credit_version, t.id) < (p_time, p_version, p_id) AND t.created_at >= p_from
     ORDER BY t.created_at DESC, t.credit_version DESC, t.id DESC
     LIMIT p_examined;
END
$$;
