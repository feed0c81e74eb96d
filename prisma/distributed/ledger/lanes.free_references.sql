-- Gives up the claims of this transaction under which nothing was recorded.
CREATE OR REPLACE FUNCTION lanes.free_references(p_references text[])
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_posted text[];
    v_logged text[];
BEGIN
    SELECT array_agg(t.reference::text) INTO v_posted FROM core.transactions t WHERE t.reference = ANY (p_references);
    SELECT array_agg(l.mpesa_receipt::text)
      INTO v_logged
      FROM services.mpesa_logs l
     WHERE l.mpesa_receipt = ANY (p_references);
    DELETE FROM lanes.claims c
     WHERE c.reference = ANY (p_references)
       AND c.reference <> ALL (coalesce(v_posted, '{}'))
       AND c.reference <> ALL (coalesce(v_logged, '{}'));
END
$$;
