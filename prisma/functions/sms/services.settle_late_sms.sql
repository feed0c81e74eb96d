-- Books the provider's acceptance of attempts after which a person had the message sent again, each once. For
-- services.settle_sms, which holds the messages' locks; its parameters are that function's.
--
-- After: which elements were booked, NULL for none. The message counts as sent unless the next attempt says otherwise.
CREATE OR REPLACE FUNCTION services.settle_late_sms(
    p_now timestamp, p_ids uuid[], p_attempts integer[], p_outcomes text[], p_message_ids text[], p_costs numeric[],
    p_currencies text[], p_parts integer[]
)
RETURNS integer[]
LANGUAGE plpgsql
VOLATILE
AS $$
DECLARE
    v_late integer[];
    i      integer;
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    -- The unique row is what keeps an answer from being booked twice.
    WITH booked AS (
        INSERT INTO services.sms_events (sms_id, kind, attempt, detail)
        SELECT s.id, 'LATE_ANSWER', t.attempt, concat_ws(', ', 'accepted after the next attempt had begun', t.message_id)
          FROM unnest(p_ids, p_attempts, p_outcomes, p_message_ids) AS t (id, attempt, outcome, message_id)
          JOIN services.sms_logs s ON s.id = t.id AND s.attempts > t.attempt
         WHERE t.outcome = 'accepted'
           AND EXISTS (
               SELECT 1 FROM services.sms_events e
                WHERE e.sms_id = s.id AND e.attempt = t.attempt AND e.kind = 'DECIDED'
           )
        ON CONFLICT (sms_id, attempt) WHERE kind = 'LATE_ANSWER' DO NOTHING
        RETURNING sms_id, attempt
    )
    SELECT array_agg(f.ord)
      INTO v_late
      FROM (
        SELECT min(t.ord)::integer AS ord
          FROM booked b
          JOIN unnest(p_ids, p_attempts, p_outcomes) WITH ORDINALITY AS t (id, attempt, outcome, ord)
            ON t.id = b.sms_id AND t.attempt = b.attempt AND t.outcome = 'accepted'
         GROUP BY b.sms_id, b.attempt
      ) f;
    -- One at a time: two attempts of one message may both be among them.
    FOREACH i IN ARRAY coalesce(v_late, '{}') LOOP
        UPDATE services.sms_logs l
           SET cost = CASE WHEN a.adds_cost THEN coalesce(l.cost, 0) + round(p_costs[i], 4) ELSE l.cost END,
               currency = CASE WHEN a.adds_cost THEN p_currencies[i] ELSE l.currency END,
               parts = coalesce(l.parts + p_parts[i], p_parts[i], l.parts),
               -- The customer has been told: it need not be sent again, and has not failed.
               phase = CASE WHEN a.tells THEN 'DONE' ELSE l.phase END,
               status = CASE WHEN a.tells THEN 'SENT' ELSE l.status END,
               provider_message_id = CASE
                   WHEN a.tells THEN coalesce(p_message_ids[i], l.provider_message_id) ELSE l.provider_message_id
               END,
               sent_at = CASE WHEN a.tells THEN coalesce(l.sent_at, l.claimed_at) ELSE l.sent_at END,
               settled_at = CASE WHEN a.tells THEN coalesce(l.settled_at, p_now) ELSE l.settled_at END,
               error_code = CASE WHEN NOT a.tells THEN l.error_code END,
               error_message = CASE WHEN NOT a.tells THEN l.error_message END
          FROM (
            SELECT p_costs[i] IS NOT NULL
                       AND (coalesce(s.cost, 0) = 0 OR s.currency IS NOT DISTINCT FROM p_currencies[i]) AS adds_cost,
                   s.phase = 'QUEUED' OR s.status = 'FAILED' AND s.delivery_state IS NULL AS tells
              FROM services.sms_logs s
             WHERE s.id = p_ids[i]
          ) a
         WHERE l.id = p_ids[i];
    END LOOP;
    PERFORM set_config('daftari.door', '', true);
    PERFORM services.fold_delivery(array_agg(p_ids[t.ord])) FROM unnest(v_late) AS t (ord);
    RETURN v_late;
END
$$;
