-- Before: messages that were taken in again, and marks of payments that go back to their payers.
-- After:  what was recorded stays recorded. These decisions stay, as KEPT, the older release's word for one that moves no money.

-- ==== functions: written by db:migration, edit prisma/functions instead ====

DROP FUNCTION services.mark_refund(p_receipt text, p_decision text, p_by text, p_reason text, p_key text, p_digest text, OUT outcome text, OUT reason text);

DROP FUNCTION services.replay_callback(p_id uuid, p_by text, p_reason text, p_key text, p_digest text, p_receipt text, p_amount numeric, p_short_code text, p_account text, p_paid_at timestamp without time zone, p_phone text, p_phone_hash text, p_name text, p_payload text, p_body bytea, p_max_amount numeric, OUT outcome text, OUT reason text, OUT receipt text, OUT result text);

-- ==== end of functions ====

ALTER TABLE services.mpesa_decisions DISABLE TRIGGER USER;
UPDATE services.mpesa_decisions SET decision = 'KEPT' WHERE decision IN ('REPLAYED', 'REFUND', 'NO_REFUND');
ALTER TABLE services.mpesa_decisions ENABLE TRIGGER USER;
ALTER TABLE services.mpesa_decisions
    DROP CONSTRAINT mpesa_decisions_decision_check,
    ADD CONSTRAINT mpesa_decisions_decision_check CHECK (
        decision IN ('KEPT', 'CORRECTED', 'RELEASED', 'REJECTED')
    );
