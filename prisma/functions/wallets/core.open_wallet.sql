-- Opens a customer's wallet with nothing in it, once for its idempotency key.
--
-- p_phone:          a Kenyan mobile number in any usual form; NULL for a wallet without one.
-- p_key, p_digest:  idempotency key and digest of the request, or NULL for both.
--
-- After: outcome 'opened' and the wallet; 'replayed' with the wallet, as it is now, that was opened for this key;
--        'key_reused'; or 'refused' with reason: invalid_number, invalid_holder_name, invalid_phone, wallet_exists. A
--        refusal leaves the key free. Of two calls with one new key at the same moment the later one fails with
--        SQLSTATE 23505 on requests_pkey: repeated, it finds the wallet.
CREATE OR REPLACE FUNCTION core.open_wallet(
    p_number text, p_holder_name text, p_phone text, p_currency text DEFAULT 'KES', p_language text DEFAULT 'en',
    p_key text DEFAULT NULL, p_digest text DEFAULT NULL,
    OUT outcome text, OUT reason text, OUT wallet core.wallets
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    reason := CASE
        WHEN p_number IS NULL OR p_number <> btrim(p_number) OR length(p_number) NOT BETWEEN 1 AND 20 THEN 'invalid_number'
        ELSE core.wallet_fault(p_holder_name => coalesce(p_holder_name, ''), p_phone => p_phone)
    END;
    IF reason IS NOT NULL THEN
        outcome := 'refused';
        RETURN;
    END IF;

    outcome := core.find_request(p_key => p_key, p_digest => p_digest);
    IF outcome IS NULL THEN
        PERFORM set_config('daftari.door', 'open', true);
        INSERT INTO core.wallets AS w (id, holder_name, phone, currency, language, lane)
        VALUES (p_number, p_holder_name, core.normalize_phone(p_phone), p_currency, p_language, core.lane_of(p_number))
        ON CONFLICT (id) DO NOTHING
        RETURNING w.* INTO wallet;
        IF wallet.id IS NOT NULL AND p_key IS NOT NULL THEN
            INSERT INTO core.requests (idempotency_key, digest, outcome, reference)
            VALUES (p_key, p_digest, 'POSTED', p_number);
        END IF;
        PERFORM set_config('daftari.door', '', true);
        -- The call that took the number may have taken it for this very key.
        outcome := CASE
            WHEN wallet.id IS NULL THEN core.find_request(p_key => p_key, p_digest => p_digest)
            ELSE 'opened'
        END;
    END IF;
    IF outcome IS NULL THEN
        outcome := 'refused';
        reason := 'wallet_exists';
    ELSIF outcome = 'replayed' THEN
        SELECT w.* INTO wallet
          FROM core.requests q JOIN core.wallets w ON w.id = q.reference
         WHERE q.idempotency_key = p_key;
    END IF;
END
$$;
