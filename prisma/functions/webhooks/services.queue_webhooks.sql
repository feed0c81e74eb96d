-- Queues events for the endpoints that want them, in the transaction that made them true: whoever sees the money sees them.
--
-- Arrays of equal length, one element an event. p_types: NULL for none. p_data: what the endpoint gets beside type and time;
--          nobody's phone number and nobody's name.
-- After:   one row in services.webhook_events for each event that an active endpoint wants, and one in
--          services.webhook_deliveries for each of these endpoints, due at once.
-- For functions that have opened the door and found that there is an endpoint.
CREATE OR REPLACE FUNCTION services.queue_webhooks(p_types text[], p_data jsonb[])
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $$
DECLARE
    v_now  constant timestamp := date_trunc('milliseconds', clock_timestamp() AT TIME ZONE 'UTC');
    v_ms   constant bigint := (extract(epoch FROM v_now) * 1000)::bigint;
    v_door constant text := coalesce(current_setting('daftari.door', true), '');
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    WITH wanted AS (
        SELECT core.uuid_v7(p_milliseconds => v_ms, p_sequence => (t.ord & 4095)::integer) AS id, t.type, t.data, w.ids
          FROM unnest(p_types, p_data) WITH ORDINALITY AS t (type, data, ord)
         CROSS JOIN LATERAL (
            SELECT array_agg(x.id) AS ids FROM services.webhooks x WHERE x.status = 'ACTIVE' AND t.type = ANY (x.events)
         ) w
         WHERE w.ids IS NOT NULL
    ), event AS (
        INSERT INTO services.webhook_events (id, type, data, created_at)
        SELECT x.id, x.type, x.data, v_now FROM wanted x
    )
    INSERT INTO services.webhook_deliveries (event_id, webhook_id, due_at, created_at)
    SELECT x.id, w.id, v_now, v_now FROM wanted x CROSS JOIN LATERAL unnest(x.ids) AS w (id);
    PERFORM set_config('daftari.door', v_door, true);
END
$$;
