-- The payments among postings into suspense, each with what is left of it and the assignment by which its money is in a wallet.
CREATE OR REPLACE FUNCTION lanes.suspense_payments(p_postings core.transactions[])
RETURNS TABLE (
    id uuid, reference text, amount numeric, currency text, created_at timestamp, credit_version bigint, assignment text,
    remaining numeric
)
LANGUAGE plpgsql
VOLATILE
AS $$
#variable_conflict use_column
DECLARE
    v_receipts text[];
    v_ids      uuid[];
BEGIN
    SELECT array_agg(t.reference::text), array_agg(t.id) INTO v_receipts, v_ids FROM unnest(p_postings) t WHERE t.type = 'DEPOSIT';
    IF v_receipts IS NULL THEN
        RETURN;
    END IF;
    RETURN QUERY
    SELECT t.id, t.reference::text, t.amount, t.currency::text, t.created_at::timestamp, t.credit_version, a.reference,
           t.amount - coalesce(r.amount, 0)
      FROM unnest(p_postings) t
      LEFT JOIN lanes.assignments_of(v_receipts) a ON a.receipt = t.reference
      LEFT JOIN (
        SELECT x.reverses_id, sum(x.amount) AS amount FROM lanes.reversals_of(v_ids) x GROUP BY x.reverses_id
      ) r ON r.reverses_id = t.id
     WHERE t.type = 'DEPOSIT';
END
$$;
