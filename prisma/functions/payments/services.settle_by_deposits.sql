-- Settles payments that we asked for by deposits that nobody said were theirs: of such a payment the callback was lost, or comes
-- later, and a confirmation or a pulled row reports its money. For services.follow_deposits.
--
-- Arrays of equal length, one element a payment; p_ids: NULL for what was not posted; p_wallets: who was credited.
-- A deposit settles a payment of the same wallet, amount and short code that has no receipt, whatever was thought of it, when
-- it was paid from two minutes before the request (clocks differ) to an hour after it, and its payer's number is told and
-- agrees. Where two payments may be meant, the callback or M-PESA's answer must say which.
-- What the callback of a request or a proof of M-PESA reports names its payment, and is settled by services.record_payments.
-- Locks: the payments, in order of their ids; the wallets of the batch are locked already.
CREATE OR REPLACE FUNCTION services.settle_by_deposits(
    p_ids uuid[], p_receipts text[], p_kinds text[], p_amounts numeric[], p_short_codes text[], p_paid_at timestamp[],
    p_phones text[], p_phone_hashes text[], p_wallets text[]
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_nestloop = on
SET enable_seqscan = off
AS $$
DECLARE
    r          record;
    v_has_none boolean;
BEGIN
    FOR r IN
        SELECT min(p.id::text)::uuid AS id, t.receipt
          FROM unnest(
            p_ids, p_receipts, p_kinds, p_amounts, p_short_codes, p_paid_at, p_phones, p_phone_hashes, p_wallets
          ) WITH ORDINALITY AS t (id, receipt, kind, amount, short_code, paid_at, phone, phone_hash, wallet, ord)
          JOIN services.mpesa_payments p
            ON p.wallet_id = t.wallet
           AND p.created_at BETWEEN t.paid_at - interval '1 hour' AND t.paid_at + interval '2 minutes'
         WHERE t.id IS NOT NULL AND t.kind NOT IN ('STK_CALLBACK', 'STATUS_RESULT')
           AND p.receipt IS NULL AND p.amount = t.amount AND p.short_code = t.short_code
           AND coalesce(t.phone, t.phone_hash) IS NOT NULL
           AND services.may_be_phone(p_phone => p.phone, p_told => t.phone, p_hash => t.phone_hash)
         GROUP BY t.ord, t.receipt
        HAVING count(*) = 1
         ORDER BY 1, t.ord
    LOOP
        SELECT p.receipt IS NULL INTO v_has_none FROM services.mpesa_payments p WHERE p.id = r.id FOR UPDATE;
        -- Two deposits of one batch may fit: the first one is taken.
        IF v_has_none THEN
            PERFORM services.change_payment(p_id => r.id, p_status => 'PAID', p_result_code => '0', p_receipt => r.receipt);
            PERFORM services.note_payment(p_id => r.id, p_kind => 'PAID', p_reason => 'matched', p_receipt => r.receipt);
        END IF;
    END LOOP;
END
$$;
