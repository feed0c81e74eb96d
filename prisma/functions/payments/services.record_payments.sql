-- Records receipts of payments that we asked for: each is a deposit like any other, through services.record_deposits, and
-- settles its payment in the same transaction.
--
-- The arrays are those of services.record_deposits, with for each element the payment that it settles (NULL for none), and
-- what M-PESA calls it.
-- Locks: the wallets of the batch, as always; then the payments. Batches that share a payment share its wallet.
CREATE OR REPLACE FUNCTION services.record_payments(
    p_payments     uuid[],
    p_merchants    text[],
    p_checkouts    text[],
    p_receipts     text[],
    p_amounts      numeric[],
    p_short_codes  text[],
    p_accounts     text[],
    p_paid_at      timestamp[],
    p_phones       text[],
    p_phone_hashes text[],
    p_names        text[],
    p_payloads     text[],
    p_kinds        text[],
    p_sources      text[],
    p_body_starts  integer[],
    p_body_lengths integer[],
    p_bodies       bytea,
    p_max_amount   numeric DEFAULT NULL
)
RETURNS TABLE (
    ord integer, outcome text, original text, reason text, suggestions text,
    wallet text, transaction_id uuid, amount numeric, balance_after numeric,
    created_at timestamp, verification_hash text, recorded_short_code text
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    r record;
BEGIN
    FOR r IN
        SELECT d.* FROM services.record_deposits(
            p_receipts => p_receipts, p_amounts => p_amounts, p_short_codes => p_short_codes, p_accounts => p_accounts,
            p_paid_at => p_paid_at, p_phones => p_phones, p_phone_hashes => p_phone_hashes, p_names => p_names,
            p_payloads => p_payloads, p_kinds => p_kinds, p_sources => p_sources, p_body_starts => p_body_starts,
            p_body_lengths => p_body_lengths, p_bodies => p_bodies, p_max_amount => p_max_amount
        ) AS d
         ORDER BY d.ord
    LOOP
        IF p_payments[r.ord] IS NOT NULL THEN
            PERFORM services.settle_payment(
                p_id => p_payments[r.ord], p_receipt => p_receipts[r.ord], p_outcome => r.outcome,
                p_original => r.original, p_merchant_request_id => p_merchants[r.ord],
                p_checkout_request_id => p_checkouts[r.ord]
            );
        END IF;
        PERFORM services.close_inquiry(p_receipt => p_receipts[r.ord], p_status => 'PROVED', p_reason => r.outcome);
        ord := r.ord; outcome := r.outcome; original := r.original; reason := r.reason; suggestions := r.suggestions;
        wallet := r.wallet; transaction_id := r.transaction_id; amount := r.amount; balance_after := r.balance_after;
        created_at := r.created_at; verification_hash := r.verification_hash;
        recorded_short_code := r.recorded_short_code;
        RETURN NEXT;
    END LOOP;
END
$$;
