-- What reports say of these messages, and what comes of it. For lanes.fold_delivery, which has them locked.
CREATE OR REPLACE FUNCTION lanes.deliveries_of(p_ids uuid[], p_lanes smallint[])
RETURNS TABLE (
    id uuid, lane smallint, rank integer, state text, status text, reason text, explanation text, network text,
    received_at timestamp, decides boolean, is_lost boolean
)
LANGUAGE plpgsql
VOLATILE
AS $$
#variable_conflict use_column
DECLARE
    s record;
BEGIN
    FOR i IN 1 .. coalesce(cardinality(p_ids), 0) LOOP
        SELECT l.provider::text, l.provider_message_id::text AS message_id, l.recipient::text, l.phase
          INTO s
          FROM services.sms_logs l
         WHERE l.lane = p_lanes[i] AND l.id = p_ids[i];
        SELECT r.rank, r.state, r.status, r.reason, r.explanation, r.network, r.received_at
          INTO rank, state, status, reason, explanation, network, received_at
          FROM services.delivery_of(
              p_provider => s.provider, p_message_id => s.message_id, p_recipient => s.recipient
          ) r;
        CONTINUE WHEN NOT FOUND;
        id := p_ids[i]; lane := p_lanes[i];
        decides := s.phase <> 'SENDING' AND rank >= 10;
        is_lost := rank BETWEEN 60 AND 99;
        RETURN NEXT;
    END LOOP;
END
$$;
