-- Updates which payments wait for a person, after a decision about one of their contradictions.
--
-- What proved nothing, or was recorded otherwise, is settled by the decision about its message; a wallet that differs by a
-- correction; and everything but those messages by the review of the payment, if it came later (services.review_payment).
CREATE OR REPLACE FUNCTION services.refresh_flags(p_ids uuid[])
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $$
DECLARE
    v_door constant text := coalesce(current_setting('daftari.door', true), '');
BEGIN
    PERFORM FROM services.mpesa_payments p WHERE p.id = ANY (p_ids) ORDER BY p.id FOR UPDATE;
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE services.mpesa_payments p
       SET is_flagged = EXISTS (
               SELECT FROM services.mpesa_payment_events e
                WHERE e.payment_id = p.id AND (
                    e.kind IN ('SECOND_RECEIPT', 'OTHER_PAYMENT', 'OTHER_WALLET', 'NOT_ASSIGNED') AND NOT EXISTS (
                        SELECT FROM services.mpesa_payment_events c
                         WHERE c.payment_id = p.id AND c.receipt = e.receipt
                           AND (
                               c.kind = 'REVIEWED' AND c.place > e.place
                               OR c.kind = 'CORRECTED' AND e.kind = 'OTHER_WALLET'
                           )
                    )
                    OR e.kind IN ('CONFLICT', 'UNPROVEN') AND EXISTS (
                        SELECT FROM services.mpesa_callbacks c
                         WHERE c.receipt = e.receipt AND c.outcome IN ('CONFLICT', 'QUARANTINED')
                           AND NOT EXISTS (SELECT FROM services.mpesa_decisions d WHERE d.callback_id = c.id)
                    )
                )
           ),
           updated_at = clock_timestamp() AT TIME ZONE 'UTC'
     WHERE p.id = ANY (p_ids);
    PERFORM set_config('daftari.door', v_door, true);
END
$$;
