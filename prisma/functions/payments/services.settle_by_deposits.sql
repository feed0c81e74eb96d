-- Settles payments that we asked for by deposits that nobody said were theirs: of such a payment the callback was lost, or comes
-- later, and a confirmation or a pulled row reports its money. For services.follow_deposits.
--
-- Arrays of equal length, one element a payment; p_ids: NULL for what was not posted; p_wallets: who was credited.
-- A deposit settles a payment of the same wallet, amount and short code that has no receipt, whatever was thought of it, when
-- it was paid from two minutes before the request (clocks differ) to an hour after it, its payer's number is told and agrees,
-- and its account is the reference that the prompt showed, or there is none, as at a till: money that was meant for something else
-- must not pay an order. Where two payments may be meant, the callback or M-PESA's answer must say which.
-- What the callback of a request or a proof of M-PESA reports names its payment, and is settled by services.record_payments.
-- Locks: the payments, in order of their ids; the wallets of the batch are locked already.
CREATE OR REPLACE FUNCTION services.settle_by_deposits(
    p_ids uuid[], p_receipts text[], p_kinds text[], p_amounts numeric[], p_short_codes text[], p_accounts text[],
    p_paid_at timestamp[], p_phones text[], p_phone_hashes text[], p_wallets text[]
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
-- The settings are those of services.record_deposits, which does without joins of one row at a time: hence the subquery.
AS $$
DECLARE
    v_payments uuid[];
    v_receipts text[];
    v_has_none boolean;
BEGIN
    -- Nearly all deposits are of wallets that were asked for nothing, and this costs less than the question which.
    IF NOT EXISTS (
        SELECT FROM services.mpesa_payments p
         WHERE p.wallet_id = ANY (p_wallets) AND p.receipt IS NULL
           AND p.created_at >= (SELECT min(t.at) FROM unnest(p_paid_at) AS t (at)) - interval '1 hour'
    ) THEN
        RETURN;
    END IF;
    SELECT array_agg(m.payment::uuid ORDER BY m.payment, m.ord), array_agg(m.receipt ORDER BY m.payment, m.ord)
      INTO v_payments, v_receipts
      FROM (
        SELECT t.ord, t.receipt, (
                   SELECT min(p.id::text)
                     FROM services.mpesa_payments p
                    WHERE p.wallet_id = t.wallet
                      AND p.created_at BETWEEN t.paid_at - interval '1 hour' AND t.paid_at + interval '2 minutes'
                      AND p.receipt IS NULL AND p.amount = t.amount AND p.short_code = t.short_code
                      AND (coalesce(t.account, '') = '' OR upper(btrim(t.account)) = upper(p.reference))
                      AND services.may_be_phone(p_phone => p.phone, p_told => t.phone, p_hash => t.phone_hash)
                   HAVING count(*) = 1
               ) AS payment
          FROM unnest(
            p_ids, p_receipts, p_kinds, p_amounts, p_short_codes, p_accounts, p_paid_at, p_phones, p_phone_hashes, p_wallets
          ) WITH ORDINALITY AS t (id, receipt, kind, amount, short_code, account, paid_at, phone, phone_hash, wallet, ord)
         WHERE t.id IS NOT NULL AND t.kind NOT IN ('STK_CALLBACK', 'STATUS_RESULT', 'STK_REPLAY')
           AND (t.phone IS NOT NULL OR t.phone_hash IS NOT NULL)
      ) m
     WHERE m.payment IS NOT NULL;
    FOR i IN 1 .. coalesce(cardinality(v_payments), 0) LOOP
        SELECT p.receipt IS NULL INTO v_has_none FROM services.mpesa_payments p WHERE p.id = v_payments[i] FOR UPDATE;
        -- Two deposits of one batch may fit: the first one is taken.
        IF v_has_none THEN
            PERFORM services.change_payment(
                p_id => v_payments[i], p_status => 'PAID', p_result_code => '0', p_receipt => v_receipts[i]
            );
            PERFORM services.note_payment(
                p_id => v_payments[i], p_kind => 'PAID', p_reason => 'matched', p_receipt => v_receipts[i]
            );
            PERFORM services.flag_other_wallets(ARRAY[v_receipts[i]]);
        END IF;
    END LOOP;
END
$$;
