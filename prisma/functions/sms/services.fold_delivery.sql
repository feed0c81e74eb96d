-- Brings messages up to what the reports with their provider's id say.
--
-- Before: the rows are locked, and so is each provider's id (services.lock_message_ids).
-- After:  the delivery columns are those of services.delivery_of. A report whose state is known proves that the
--         provider has the message, so one that waits, for a person or to be sent again, is done; while a request may be
--         under way its answer is awaited. SENT means handed to the provider and not reported as lost: a final "not
--         delivered" makes it FAILED, because the customer did not get the message, and it must be among the failures.
--         What was charged stays charged.
CREATE OR REPLACE FUNCTION services.fold_delivery(p_ids uuid[])
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
    v_now constant timestamp(3) := clock_timestamp() AT TIME ZONE 'UTC';
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE services.sms_logs l
       SET delivery_state = d.state, delivery_status = d.status, delivery_reason = d.reason,
           delivery_updated_at = d.received_at,
           delivered_at = CASE WHEN d.rank = 100 THEN d.received_at END,
           network = d.network,
           phase = CASE WHEN d.decides THEN 'DONE' ELSE l.phase END,
           status = CASE WHEN NOT d.decides THEN l.status WHEN d.is_lost THEN 'FAILED' ELSE 'SENT' END,
           sent_at = CASE WHEN d.decides THEN coalesce(l.sent_at, l.claimed_at) ELSE l.sent_at END,
           settled_at = CASE WHEN d.decides THEN coalesce(l.settled_at, v_now) ELSE l.settled_at END,
           error_code = CASE WHEN NOT d.decides THEN l.error_code WHEN d.is_lost THEN 'undelivered' END,
           error_message = CASE
               WHEN NOT d.decides THEN l.error_message
               WHEN d.is_lost THEN concat_ws(
                   ' ', 'The network reported ' || d.status || coalesce(', ' || d.reason, '') || '.', d.explanation
               )
           END
      FROM (
        SELECT s.id, r.*, s.phase <> 'SENDING' AND r.rank >= 10 AS decides, r.rank BETWEEN 60 AND 99 AS is_lost
          FROM services.sms_logs s
         CROSS JOIN LATERAL services.delivery_of(
             p_provider => s.provider, p_message_id => s.provider_message_id, p_recipient => s.recipient
         ) r
         WHERE s.id = ANY (p_ids)
      ) d
     WHERE l.id = d.id;
    PERFORM set_config('daftari.door', '', true);
END
$$;
