-- Which payments of a batch may be posted. For services.record_deposits, before the door.
--
-- p_max: the largest amount that is posted without a person.
--
-- After: is_plain when all may be, as nearly always; then receipts and amounts are as given. Otherwise receipts has NULL
--        for what is no receipt, and amounts NULL for what is not to be posted. logged has the receipts that are in the
--        log and were never posted, NULL for none.
CREATE OR REPLACE FUNCTION services.screen_deposits(
    p_receipts text[], p_amounts numeric[], p_max numeric, p_is_release boolean,
    OUT receipts text[], OUT amounts numeric[], OUT logged text[], OUT is_plain boolean
)
LANGUAGE plpgsql
STABLE
AS $$
BEGIN
    receipts := p_receipts;
    amounts := p_amounts;
    -- Amounts above the limit, and rows from before the ledger: a database that logged payments and credited them in
    -- another way. To credit them now could be once too often. A row that somebody else adds after this look makes the
    -- insert into the log fail, and the batch is tried again.
    IF NOT p_is_release THEN
        SELECT array_agg(l.mpesa_receipt::text)
          INTO logged
          FROM services.mpesa_logs l
         WHERE (l.outcome IS NULL OR l.outcome = 'HELD') AND l.mpesa_receipt = ANY (p_receipts);
    END IF;
    IF logged IS NOT NULL THEN
        SELECT array_agg(l.receipt)
          INTO logged
          FROM unnest(logged) AS l (receipt)
          LEFT JOIN core.transactions x ON x.reference = l.receipt AND x.reference = ANY (logged)
         WHERE x.id IS NULL;
    END IF;
    -- One look at the characters of all receipts together: a pattern is prepared anew for each text that it is asked about.
    SELECT logged IS NULL AND NOT p_is_release
           AND coalesce(bool_and(p_amounts[i] <= p_max AND length(p_receipts[i]) BETWEEN 6 AND 20), false)
           AND array_to_string(p_receipts, '') COLLATE "C" ~ '^[A-Z0-9]*$'
      INTO is_plain
      FROM generate_series(1, cardinality(p_receipts)) AS i;
    IF is_plain THEN
        RETURN;
    END IF;
    -- Without an amount the door lets nothing through. After a payment that is held its receipt is taken. Receipts of
    -- older systems, which a person posts, are what they are.
    SELECT array_agg(CASE WHEN t.is_receipt THEN t.receipt END ORDER BY t.ord),
           array_agg(
               CASE
                   WHEN t.is_receipt AND (t.receipt = ANY (logged)) IS NOT TRUE AND t.largest <= p_max THEN t.amount
               END ORDER BY t.ord
           )
      INTO receipts, amounts
      FROM (
        SELECT i.*, p_is_release OR i.receipt COLLATE "C" ~ '^[A-Z0-9]{6,20}$' AS is_receipt,
               max(i.amount) OVER (PARTITION BY i.receipt ORDER BY i.ord) AS largest
          FROM unnest(p_receipts, p_amounts) WITH ORDINALITY AS i (receipt, amount, ord)
      ) t;
END
$$;
