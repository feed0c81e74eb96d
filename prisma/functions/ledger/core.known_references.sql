-- What the transactions under these references moved. For core.post_transactions, which has locked their wallets.
--
-- After: all is NULL, as nearly always, when no reference is taken and none is named twice. Otherwise places has the
--        place of each item's reference, and amounts, debits and credits what is recorded there, NULL for nothing yet.
CREATE OR REPLACE FUNCTION core.known_references(
    p_references text[], OUT places integer[], OUT amounts numeric[], OUT debits text[], OUT credits text[]
)
LANGUAGE plpgsql
STABLE
AS $$
DECLARE
    v_taken text[];
    v_names text[];
BEGIN
    SELECT array_agg(t.reference::text), array_agg(t.amount), array_agg(t.debit_wallet_id::text),
           array_agg(t.credit_wallet_id::text)
      INTO v_taken, amounts, debits, credits
      FROM core.transactions t
     WHERE t.reference = ANY (p_references);
    IF v_taken IS NULL
       AND (SELECT count(DISTINCT q.reference COLLATE "C") FROM unnest(p_references) AS q (reference))
           = cardinality(p_references) THEN
        RETURN;
    END IF;
    SELECT r.places, r.names INTO places, v_names FROM core.rank_names(p_references) AS r;
    SELECT array_agg(t.amount ORDER BY s.place), array_agg(t.debit ORDER BY s.place), array_agg(t.credit ORDER BY s.place)
      INTO amounts, debits, credits
      FROM unnest(v_names) WITH ORDINALITY AS s (reference, place)
      LEFT JOIN unnest(v_taken, amounts, debits, credits) AS t (reference, amount, debit, credit)
        ON t.reference = s.reference;
END
$$;
