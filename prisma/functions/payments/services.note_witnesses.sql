-- Keeps what further messages told of receipts that are recorded, one row for each kind of message: a C2B confirmation knows
-- the account and the name, the callback of a request the whole number. For services.record_deposits.
--
-- Arrays of equal length; p_outcomes as services.record_deposits answers them. A repeat of the message that was recorded
-- first tells nothing new, unless it names another account. A message whose account names another wallet than the one that was credited may contradict a payment that
-- we asked for: services.flag_other_wallets.
CREATE OR REPLACE FUNCTION services.note_witnesses(
    p_receipts text[], p_outcomes text[], p_kinds text[], p_amounts numeric[], p_short_codes text[], p_accounts text[],
    p_phones text[], p_phone_hashes text[], p_names text[]
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
SET enable_nestloop = on
AS $$
DECLARE
    v_named text[]; -- receipts of which a message names another wallet
BEGIN
    WITH told AS (
        INSERT INTO services.mpesa_witnesses (
            receipt, kind, amount, short_code, account, phone, phone_hash, payer_name, wallet_id
        )
        SELECT DISTINCT ON (t.receipt, t.kind)
               t.receipt, t.kind, t.amount, t.short_code, t.account, t.phone, t.phone_hash, t.name,
               nullif(coalesce(r.wallet_id, services.wallet_of_payment(
                   p_account => t.account, p_phone => t.phone, p_phone_hash => t.phone_hash
               )), core.account_of(x.credit_wallet_id))
          FROM unnest(
            p_receipts, p_outcomes, p_kinds, p_amounts, p_short_codes, p_accounts, p_phones, p_phone_hashes, p_names
          ) WITH ORDINALITY AS t (receipt, outcome, kind, amount, short_code, account, phone, phone_hash, name, ord)
          LEFT JOIN core.transactions x ON x.reference = t.receipt
         CROSS JOIN LATERAL core.route_account(t.account) AS r
         WHERE t.outcome IN ('duplicate', 'conflict') AND t.amount < 100000000000000000
           AND NOT EXISTS (
               SELECT FROM services.mpesa_callbacks c
                WHERE c.receipt = t.receipt AND c.kind = t.kind AND c.outcome IN ('CREDITED', 'SUSPENSE', 'HELD')
                  AND NOT EXISTS (
                      SELECT FROM services.mpesa_logs l
                       WHERE l.mpesa_receipt = t.receipt AND coalesce(l.account, '') <> coalesce(t.account, '')
                  )
           )
         ORDER BY t.receipt, t.kind, t.ord
        ON CONFLICT (receipt, kind) DO NOTHING
        RETURNING receipt, wallet_id
    )
    SELECT array_agg(DISTINCT told.receipt::text) INTO v_named FROM told WHERE told.wallet_id IS NOT NULL;
    IF v_named IS NOT NULL THEN
        PERFORM services.flag_other_wallets(v_named);
        -- Flagging has closed it, and the caller has more to write.
        PERFORM set_config('daftari.door', 'open', true);
    END IF;
END
$$;
