-- The money of a payment that waited in suspense was assigned to its wallet, or could not be (p_reason says why): then it
-- is flagged, and a person decides. A payer who could not be told that it waits, because their number came masked, is told
-- now: the request knows the number.
CREATE OR REPLACE FUNCTION services.finish_assignment(p_id uuid, p_reason text)
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    p services.mpesa_payments;
BEGIN
    SELECT * INTO p FROM services.mpesa_payments x WHERE x.id = p_id FOR UPDATE;
    IF p.status <> 'PAID' OR p.due_at IS NULL THEN
        RETURN;
    END IF;
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE services.mpesa_payments x SET due_at = NULL, updated_at = clock_timestamp() AT TIME ZONE 'UTC' WHERE x.id = p_id;
    PERFORM set_config('daftari.door', '', true);
    IF p_reason IS NULL THEN
        PERFORM services.note_payment(p_id => p_id, p_kind => 'ASSIGNED', p_receipt => p.receipt);
    ELSE
        PERFORM services.flag_payment(
            p_id => p_id, p_kind => 'NOT_ASSIGNED', p_reason => p_reason, p_receipt => p.receipt
        );
        IF p_reason <> 'already_assigned' AND p_reason <> 'already_reversed' THEN
            PERFORM services.tell_masked(p_receipt => p.receipt, p_phone => p.phone);
        END IF;
    END IF;
END
$$;
