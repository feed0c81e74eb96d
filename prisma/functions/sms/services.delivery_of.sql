-- What the reports with a provider's id say together, whatever their order: one row, or none without reports.
--
-- p_recipient: the message's number, NULL where it has none. A report that names another number is about another
--              message, and one without a number counts.
--
-- The report of the highest rank counts, of equals the one whose words sort last. The network is the one that the
-- highest report with a network names.
CREATE OR REPLACE FUNCTION services.delivery_of(p_provider text, p_message_id text, p_recipient text)
RETURNS TABLE (
    rank integer, state text, status text, reason text, explanation text, network text, received_at timestamp
)
LANGUAGE sql
STABLE
AS $$
    SELECT services.delivery_rank(r.state), r.state, r.status, r.reason, r.explanation,
           (
               SELECT n.network
                 FROM services.sms_delivery_reports n
                WHERE n.provider_message_id = p_message_id AND n.provider = p_provider
                  AND n.outcome NOT IN ('QUARANTINED', 'AMBIGUOUS')
                  AND (n.phone IS NULL OR p_recipient IS NULL OR n.phone = p_recipient)
                  AND n.network IS NOT NULL
                ORDER BY services.delivery_rank(n.state) DESC, n.network COLLATE "C" DESC
                LIMIT 1
           ),
           r.received_at
      FROM services.sms_delivery_reports r
     WHERE r.provider_message_id = p_message_id AND r.provider = p_provider
       AND r.outcome NOT IN ('QUARANTINED', 'AMBIGUOUS')
       AND (r.phone IS NULL OR p_recipient IS NULL OR r.phone = p_recipient)
     ORDER BY services.delivery_rank(r.state) DESC, r.status COLLATE "C" DESC, r.reason COLLATE "C" DESC NULLS LAST,
              r.received_at
     LIMIT 1
$$;
