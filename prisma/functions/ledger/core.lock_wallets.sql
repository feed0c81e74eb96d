-- Takes the locks of wallets in the one global order, for functions that must look before they call the door.
CREATE OR REPLACE FUNCTION core.lock_wallets(p_ids text[])
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $$
BEGIN
    PERFORM 1
       FROM core.wallets w
      WHERE w.id = ANY (p_ids)
      ORDER BY w.kind = 'SYSTEM', w.id COLLATE "C"
        FOR NO KEY UPDATE;
END
$$;
