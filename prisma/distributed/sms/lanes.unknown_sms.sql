-- A page of messages of unknown outcome behind a place, the longest waiting first, each with the reports that may be about it:
-- those that nobody knows the message of, about the same number and of that time.
--
-- p_after, p_id: the place; NULL for the first page.
CREATE OR REPLACE FUNCTION lanes.unknown_sms(p_limit integer, p_after timestamp, p_id uuid)
RETURNS TABLE (
    id uuid, claimed_at timestamp, report_id uuid, message_id text, status text, reason text, received_at timestamp
)
LANGUAGE plpgsql
VOLATILE
AS $$
#variable_conflict use_column
DECLARE
    l record;
    r record;
BEGIN
    FOR l IN
        SELECT u.id, u.claimed_at, u.recipient, u.provider
          FROM services.sms_logs u
         WHERE u.phase = 'UNKNOWN' AND (p_after IS NULL OR (u.claimed_at, u.id) > (p_after, p_id))
         ORDER BY u.claimed_at, u.id
         LIMIT p_limit
    LOOP
        id := l.id; claimed_at := l.claimed_at;
        report_id := NULL; message_id := NULL; status := NULL; reason := NULL; received_at := NULL;
        FOR r IN
            SELECT p.id, p.provider_message_id::text AS message_id, p.status::text, p.reason::text, p.received_at
              FROM services.sms_delivery_reports p
             WHERE p.outcome = 'PARKED' AND p.phone = l.recipient AND p.provider = l.provider
               AND p.received_at BETWEEN l.claimed_at - interval '1 minute' AND l.claimed_at + interval '3 days'
             ORDER BY p.received_at
        LOOP
            CONTINUE WHEN lanes.has_message(p_provider => l.provider, p_message_id => r.message_id);
            report_id := r.id; message_id := r.message_id; status := r.status; reason := r.reason;
            received_at := r.received_at;
            RETURN NEXT;
        END LOOP;
        IF report_id IS NULL THEN
            RETURN NEXT;
        END IF;
    END LOOP;
END
$$;
