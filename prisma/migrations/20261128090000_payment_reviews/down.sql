-- Before: who reviewed flagged payments is on record.
-- After:  these decisions stay, as KEPT, the older release's word for one that moves no money of its own. A payment that was
--         reviewed is flagged again when something else about it is decided.

-- ==== functions: written by db:migration, edit prisma/functions instead ====

CREATE OR REPLACE FUNCTION services.refresh_flags(p_ids uuid[])
 RETURNS void
 LANGUAGE plpgsql
AS $function$
DECLARE
    v_door constant text := coalesce(current_setting('daftari.door', true), '');
BEGIN
    PERFORM FROM services.mpesa_payments p WHERE p.id = ANY (p_ids) ORDER BY p.id FOR UPDATE;
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE services.mpesa_payments p
       SET is_flagged = EXISTS (
               SELECT FROM services.mpesa_payment_events e
                WHERE e.payment_id = p.id AND (
                    e.kind IN ('SECOND_RECEIPT', 'OTHER_PAYMENT', 'NOT_ASSIGNED')
                    OR e.kind = 'OTHER_WALLET' AND NOT EXISTS (
                        SELECT FROM services.mpesa_payment_events c
                         WHERE c.payment_id = p.id AND c.kind = 'CORRECTED' AND c.receipt = e.receipt
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
$function$;

DROP FUNCTION services.review_payment(p_id uuid, p_by text, p_reason text, p_key text, p_digest text, OUT outcome text, OUT reason text, OUT receipts text[]);

-- ==== end of functions ====

ALTER TABLE services.mpesa_decisions DISABLE TRIGGER USER;
UPDATE services.mpesa_decisions SET decision = 'KEPT' WHERE decision = 'REVIEWED';
ALTER TABLE services.mpesa_decisions ENABLE TRIGGER USER;
ALTER TABLE services.mpesa_decisions
    DROP CONSTRAINT mpesa_decisions_decision_check,
    ADD CONSTRAINT mpesa_decisions_decision_check CHECK (
        decision IN (
            'KEPT', 'CORRECTED', 'REPLAYED', 'RELEASED', 'REJECTED', 'REFUND', 'NO_REFUND', 'ASSIGNED', 'MOVED'
        )
    );
