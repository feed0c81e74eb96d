-- Queues the event that the money of a deposit has moved on: assigned out of suspense, moved to another wallet, sent back or
-- corrected. For services.tell_of_transaction, which sees every reversal and assignment, whichever way it was posted. The
-- reversal of anything but a deposit's money is no event.
CREATE OR REPLACE FUNCTION services.queue_movement_webhook(p_movement core.transactions)
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $$
DECLARE
    v_from    constant text := core.account_of(p_movement.debit_wallet_id);
    v_to      constant text := core.account_of(p_movement.credit_wallet_id);
    o         core.transactions; -- what it reverses
    v_outcome text;
BEGIN
    IF NOT EXISTS (SELECT FROM services.webhooks w WHERE w.status = 'ACTIVE') THEN
        RETURN;
    END IF;
    SELECT * INTO o FROM core.transactions t WHERE t.id = p_movement.reverses_id;
    v_outcome := CASE
        WHEN p_movement.type = 'ASSIGNMENT' AND v_from = 'SUSPENSE' THEN 'assigned'
        WHEN p_movement.type = 'ASSIGNMENT' THEN 'moved'
        WHEN o.type = 'ASSIGNMENT' AND v_to = 'SUSPENSE' THEN 'suspense'
        WHEN o.type = 'ASSIGNMENT' THEN 'moved'
        WHEN o.type = 'DEPOSIT' AND p_movement.reference = 'CR-' || o.reference THEN 'corrected'
        WHEN o.type = 'DEPOSIT' THEN 'reversed'
    END;
    IF v_outcome IS NULL THEN
        RETURN;
    END IF;
    PERFORM services.queue_change_webhook(
        p_receipt => regexp_replace(coalesce(o.reference, p_movement.reference), '^(AS[0-9]*|CR)-', ''),
        p_outcome => v_outcome, p_amount => p_movement.amount, p_currency => p_movement.currency,
        p_wallet => (SELECT w.id FROM core.wallets w WHERE w.id = v_to AND w.kind = 'CUSTOMER'),
        p_from => (SELECT w.id FROM core.wallets w WHERE w.id = v_from AND w.kind = 'CUSTOMER'),
        p_reference => p_movement.reference,
        p_reason => CASE WHEN o.type = 'ASSIGNMENT' THEN 'assignment_reversed' WHEN v_from = 'RECEIVABLES' THEN 'owed' END,
        p_at => p_movement.created_at
    );
END
$$;
