-- Changes the holder's name, phone or language of a customer's wallet and writes down who wanted it and why.
--
-- p_holder_name, p_phone, p_language: NULL for what stays; p_phone '' for a wallet without a phone from now on. Payments
--                                     are routed by the phone too: from the commit on to where it belongs now.
-- p_actor:                            who; NULL for the database role of the session.
--
-- After: outcome 'done', also when nothing was different, and one row in core.wallet_events for each column that
--        changed; or 'refused' with reason: unknown_wallet, wallet_closed, invalid_holder_name, invalid_phone.
CREATE OR REPLACE FUNCTION core.change_wallet(
    p_wallet text, p_holder_name text, p_phone text, p_language text, p_reason text, p_actor text DEFAULT NULL,
    OUT outcome text, OUT reason text
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    w core.wallets;
    n core.wallets;
BEGIN
    PERFORM core.lock_wallets(ARRAY[p_wallet]);
    SELECT * INTO w FROM core.wallets WHERE id = p_wallet AND kind = 'CUSTOMER';
    reason := CASE
        WHEN w.id IS NULL THEN 'unknown_wallet'
        WHEN w.status = 'CLOSED' THEN 'wallet_closed'
        ELSE core.wallet_fault(p_holder_name => p_holder_name, p_phone => nullif(p_phone, ''))
    END;
    outcome := CASE WHEN reason IS NULL THEN 'done' ELSE 'refused' END;
    IF reason IS NOT NULL THEN
        RETURN;
    END IF;

    n := w;
    n.holder_name := coalesce(p_holder_name, w.holder_name);
    n.phone := CASE WHEN p_phone IS NULL THEN w.phone ELSE core.normalize_phone(nullif(p_phone, '')) END;
    n.language := coalesce(p_language, w.language);
    IF n IS NOT DISTINCT FROM w THEN
        RETURN;
    END IF;
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE core.wallets
       SET holder_name = n.holder_name, phone = n.phone, language = n.language,
           updated_at = greatest(updated_at, clock_timestamp() AT TIME ZONE 'UTC')
     WHERE id = p_wallet;
    PERFORM set_config('daftari.door', '', true);
    PERFORM core.note_wallet_change(
        p_wallet => p_wallet, p_column => c.changed, p_from => c.old_value, p_to => c.new_value,
        p_reason => p_reason, p_actor => p_actor
    )
       FROM (
        VALUES ('holder_name', w.holder_name, n.holder_name), ('phone', w.phone, n.phone),
               ('language', w.language::text, n.language::text)
       ) AS c (changed, old_value, new_value)
      WHERE c.old_value IS DISTINCT FROM c.new_value;
END
$$;
