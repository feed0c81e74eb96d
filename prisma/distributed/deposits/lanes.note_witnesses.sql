-- services.note_witnesses of a distributed database: the wallets are found already, those that the accounts mean (p_wallets)
-- and those that were credited (p_credited).
CREATE OR REPLACE FUNCTION lanes.note_witnesses(
    p_receipts text[], p_kinds text[], p_amounts numeric[], p_short_codes text[], p_accounts text[], p_phones text[],
    p_phone_hashes text[], p_names text[], p_wallets text[], p_credited text[], p_lanes smallint[]
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_recorded text[]; -- receipt, kind and account of the messages that were recorded first
    v_named    text[]; -- receipts of which a message names another wallet
BEGIN
    SELECT array_agg(c.receipt || ' ' || c.kind || ' ' || coalesce(l.account, ''))
      INTO v_recorded
      FROM services.mpesa_callbacks c
      JOIN services.mpesa_logs l ON l.lane = c.lane AND l.mpesa_receipt = c.receipt
     WHERE c.lane = ANY (p_lanes) AND c.receipt = ANY (p_receipts) AND c.outcome IN ('CREDITED', 'SUSPENSE', 'HELD');
    PERFORM 1 FROM lanes.set_door('open');
    WITH told AS (
        INSERT INTO services.mpesa_witnesses (
            receipt, kind, amount, short_code, account, phone, phone_hash, payer_name, wallet_id
        )
        SELECT DISTINCT ON (t.receipt, t.kind)
               t.receipt, t.kind, t.amount, t.short_code, t.account, t.phone, t.phone_hash, t.name,
               nullif(t.wallet, t.credited)
          FROM unnest(
            p_receipts, p_kinds, p_amounts, p_short_codes, p_accounts, p_phones, p_phone_hashes, p_names, p_wallets,
            p_credited
          ) WITH ORDINALITY AS t (receipt, kind, amount, short_code, account, phone, phone_hash, name, wallet, credited, ord)
         WHERE t.amount < 100000000000000000
           AND (t.receipt || ' ' || t.kind || ' ' || coalesce(t.account, '') = ANY (v_recorded)) IS NOT TRUE
         ORDER BY t.receipt, t.kind, t.ord
        ON CONFLICT (receipt, kind) DO NOTHING
        RETURNING receipt, wallet_id
    )
    SELECT array_agg(DISTINCT told.receipt::text) INTO v_named FROM told WHERE told.wallet_id IS NOT NULL;
    PERFORM 1 FROM lanes.set_door('');
    IF v_named IS NOT NULL THEN
        PERFORM services.flag_other_wallets(v_named);
    END IF;
END
$$;
