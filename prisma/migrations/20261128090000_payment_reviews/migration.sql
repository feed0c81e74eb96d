-- Before: two receipts of one payment, and money that stays where it is, stay flagged whatever a person does about them.
-- After:  a person says that they have dealt with it (services.review_payment), and the flag ends.

ALTER TABLE services.mpesa_decisions
    DROP CONSTRAINT mpesa_decisions_decision_check,
    ADD CONSTRAINT mpesa_decisions_decision_check CHECK (
        decision IN (
            'KEPT', 'CORRECTED', 'REPLAYED', 'RELEASED', 'REJECTED', 'REFUND', 'NO_REFUND', 'ASSIGNED', 'MOVED', 'REVIEWED'
        )
    );

-- ==== functions: written by db:migration, edit prisma/functions instead ====

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

-- A person has dealt with what contradicts a payment, and no money of it has to move, or none any more: its flags end. What a
-- decision about a message ends (CONFLICT, UNPROVEN) stays, and so does every event. A contradiction that comes later flags the
-- payment again.
--
-- p_key, p_digest: as for core.reverse_transaction.
-- Locks: the payment.
-- After: outcome 'reviewed', 'replayed' when the key was used for this very request, 'key_reused', or 'refused' with reason:
--        unknown_payment, or nothing_to_review. receipts: what the review was about.
CREATE OR REPLACE FUNCTION services.review_payment(
    p_id uuid, p_by text, p_reason text, p_key text, p_digest text,
    OUT outcome text, OUT reason text, OUT receipts text[]
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    v_receipt text;
BEGIN
    PERFORM FROM services.mpesa_payments x WHERE x.id = p_id FOR UPDATE;
    reason := CASE WHEN NOT FOUND THEN 'unknown_payment' END;
    outcome := core.find_request(p_key => p_key, p_digest => p_digest);
    IF outcome = 'replayed' THEN
        SELECT q.reason INTO reason FROM core.requests q WHERE q.idempotency_key = p_key;
    END IF;
    IF outcome IS NOT NULL THEN
        RETURN;
    END IF;

    receipts := ARRAY(
        SELECT DISTINCT e.receipt::text
          FROM services.mpesa_payment_events e
         WHERE e.payment_id = p_id
           AND e.kind IN ('SECOND_RECEIPT', 'OTHER_PAYMENT', 'OTHER_WALLET', 'NOT_ASSIGNED')
           AND NOT EXISTS (
               SELECT FROM services.mpesa_payment_events c
                WHERE c.payment_id = p_id AND c.receipt = e.receipt
                  AND (c.kind = 'REVIEWED' AND c.place > e.place OR c.kind = 'CORRECTED' AND e.kind = 'OTHER_WALLET')
           )
         ORDER BY 1
    );
    IF reason IS NULL AND cardinality(receipts) = 0 THEN
        reason := 'nothing_to_review';
    END IF;
    IF reason IS NOT NULL THEN
        outcome := 'refused';
        PERFORM core.refuse_request(p_key => p_key, p_digest => p_digest, p_reason => reason);
        RETURN;
    END IF;

    outcome := 'reviewed';
    FOREACH v_receipt IN ARRAY receipts LOOP
        PERFORM services.note_payment(p_id => p_id, p_kind => 'REVIEWED', p_receipt => v_receipt);
        PERFORM set_config('daftari.door', 'open', true);
        INSERT INTO services.mpesa_decisions (receipt, decision, reason, decided_by)
        VALUES (v_receipt, 'REVIEWED', p_reason, p_by);
    END LOOP;
    PERFORM services.refresh_flags(ARRAY[p_id]);
    INSERT INTO core.requests (idempotency_key, digest, outcome, reference)
    VALUES (p_key, p_digest, 'POSTED', p_id::text);
    PERFORM set_config('daftari.door', '', true);
END
$$;

-- ==== end of functions ====
