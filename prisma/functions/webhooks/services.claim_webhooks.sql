-- Takes deliveries of one endpoint that are due, the longest due first; nobody else gets them for p_lease_ms.
--
-- After: one row a delivery. It counts the attempt, so one whose sender dies is due again when the lease is over, and is sent
--        again with the same event. After the last attempt (p_most) a delivery whose lease is over has failed. What waits for
--        an endpoint that was disabled has failed too.
CREATE OR REPLACE FUNCTION services.claim_webhooks(p_webhook uuid, p_limit integer, p_lease_ms integer, p_most integer)
RETURNS TABLE (id uuid, attempt integer, event_id uuid, type text, data jsonb, created_at timestamp)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    v_now    constant timestamp := clock_timestamp() AT TIME ZONE 'UTC';
    v_active constant boolean := EXISTS (SELECT FROM services.webhooks w WHERE w.id = p_webhook AND w.status = 'ACTIVE');
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    RETURN QUERY
    WITH due AS (
        SELECT d.id
          FROM services.webhook_deliveries d
         WHERE d.webhook_id = p_webhook AND d.due_at <= v_now
         ORDER BY d.due_at
         LIMIT p_limit
           FOR UPDATE SKIP LOCKED
    ), taken AS (
        UPDATE services.webhook_deliveries d
           SET status = CASE WHEN v_active AND d.attempts < p_most THEN 'PENDING' ELSE 'FAILED' END,
               attempts = d.attempts + CASE WHEN v_active AND d.attempts < p_most THEN 1 ELSE 0 END,
               due_at = CASE WHEN v_active AND d.attempts < p_most THEN v_now + p_lease_ms * interval '1 millisecond' END,
               reason = CASE WHEN NOT v_active THEN 'webhook_disabled' WHEN d.attempts < p_most THEN d.reason ELSE 'answer_lost' END,
               updated_at = v_now
          FROM due
         WHERE d.id = due.id
        RETURNING d.id, d.attempts, d.event_id, d.status
    )
    SELECT t.id, t.attempts::integer, e.id, e.type::text, e.data, e.created_at
      FROM taken t
      JOIN services.webhook_events e ON e.id = t.event_id
     WHERE t.status = 'PENDING';
    PERFORM set_config('daftari.door', '', true);
END
$$;
