-- What follows from a batch of payments besides its money: what further messages told of receipts is kept, endpoints learn of
-- what came, and payments that we asked for are settled. For services.record_deposits, which has opened the door.
--
-- Arrays of equal length, one element a payment. p_receipts: NULL for what is no receipt. p_ids: NULL for what was not posted.
-- p_outcomes: as services.compare_deposits says them. p_wallets: who was credited. p_door_reasons, p_reasons (may be NULL): why
-- not who was meant.
CREATE OR REPLACE FUNCTION services.follow_deposits(
    p_receipts text[], p_ids uuid[], p_outcomes text[], p_kinds text[], p_amounts numeric[], p_short_codes text[],
    p_accounts text[], p_paid_at timestamp[], p_phones text[], p_phone_hashes text[], p_names text[], p_wallets text[],
    p_door_reasons text[], p_reasons text[], p_now timestamp
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $$
BEGIN
    IF 'duplicate' = ANY (p_outcomes) OR 'conflict' = ANY (p_outcomes) THEN
        PERFORM services.note_witnesses(
            p_receipts => p_receipts, p_outcomes => p_outcomes, p_kinds => p_kinds, p_amounts => p_amounts,
            p_short_codes => p_short_codes, p_accounts => p_accounts, p_phones => p_phones,
            p_phone_hashes => p_phone_hashes, p_names => p_names
        );
    END IF;
    IF EXISTS (SELECT FROM services.webhooks w WHERE w.status = 'ACTIVE') THEN
        PERFORM services.queue_deposit_webhooks(
            p_receipts => p_receipts, p_amounts => p_amounts, p_short_codes => p_short_codes, p_paid_at => p_paid_at,
            p_outcomes => p_outcomes, p_wallets => p_wallets, p_door_reasons => p_door_reasons, p_reasons => p_reasons,
            p_now => p_now
        );
    END IF;
    PERFORM services.settle_by_deposits(
        p_ids => p_ids, p_receipts => p_receipts, p_kinds => p_kinds, p_amounts => p_amounts,
        p_short_codes => p_short_codes, p_accounts => p_accounts, p_paid_at => p_paid_at, p_phones => p_phones,
        p_phone_hashes => p_phone_hashes, p_wallets => p_wallets
    );
END
$$;
