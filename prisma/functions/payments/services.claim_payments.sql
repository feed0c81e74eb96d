-- Takes payments about which something is to be done, the longest due first; nobody else gets them for p_lease_ms.
--
-- After: one row a payment, with its task:
--   SEND    it was not sent, or M-PESA was busy; the row counts the attempt, which is the record of it
--   QUERY   M-PESA is to be asked what became of it
--   ASSIGN  it is paid, and its money waits in suspense for the wallet that it was asked for
-- An attempt whose answer nobody recorded makes its payment UNKNOWN: it may have been sent, and is not sent again.
CREATE OR REPLACE FUNCTION services.claim_payments(p_limit integer, p_lease_ms integer)
RETURNS TABLE (id uuid, task text)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    v_now constant timestamp := clock_timestamp() AT TIME ZONE 'UTC';
    p     services.mpesa_payments;
BEGIN
    FOR p IN
        SELECT * FROM services.mpesa_payments x
         WHERE x.due_at <= v_now
         ORDER BY x.due_at
         LIMIT p_limit
           FOR UPDATE SKIP LOCKED
    LOOP
        IF p.is_sending THEN
            PERFORM services.change_payment(p_id => p.id, p_status => 'UNKNOWN', p_reason => 'answer_lost');
            PERFORM services.note_payment(p_id => p.id, p_kind => 'LOST', p_reason => 'answer_lost');
            CONTINUE;
        END IF;
        id := p.id;
        task := CASE p.status WHEN 'REQUESTED' THEN 'SEND' WHEN 'PAID' THEN 'ASSIGN' ELSE 'QUERY' END;
        PERFORM set_config('daftari.door', 'open', true);
        UPDATE services.mpesa_payments x
           SET due_at = v_now + p_lease_ms * interval '1 millisecond',
               is_sending = task = 'SEND',
               attempts = x.attempts + CASE WHEN task = 'SEND' THEN 1 ELSE 0 END,
               checks = x.checks + CASE WHEN task = 'QUERY' THEN 1 ELSE 0 END,
               updated_at = v_now
         WHERE x.id = p.id;
        PERFORM set_config('daftari.door', '', true);
        RETURN NEXT;
    END LOOP;
END
$$;
