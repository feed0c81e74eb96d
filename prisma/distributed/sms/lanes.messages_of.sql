-- The messages that have this id of a provider, whichever lanes they are in, locked until the transaction ends.
--
-- Before: the id is locked (services.lock_message_ids).
CREATE OR REPLACE FUNCTION lanes.messages_of(p_message_id text)
RETURNS SETOF services.sms_logs
LANGUAGE plpgsql
VOLATILE
AS $$
DECLARE
    v_home  constant smallint := core.lane_of(p_message_id);
    v_lanes smallint[];
    v_ids   uuid[];
BEGIN
    SELECT array_agg(k.sms_lane ORDER BY k.sms_lane, k.sms_id), array_agg(k.sms_id ORDER BY k.sms_lane, k.sms_id)
      INTO v_lanes, v_ids
      FROM (
        SELECT DISTINCT m.sms_lane, m.sms_id
          FROM lanes.message_ids m
         WHERE m.lane = v_home AND m.provider_message_id = p_message_id
      ) k;
    FOR i IN 1 .. coalesce(cardinality(v_ids), 0) LOOP
        -- By its key alone, and only then by what it says: its node may still have to commit the id that is noted here, and
        -- who asks for a row with that id does not wait for one that does not show it yet.
        PERFORM 1 FROM services.sms_logs s WHERE s.lane = v_lanes[i] AND s.id = v_ids[i] FOR NO KEY UPDATE;
        -- Another attempt may have got another id since.
        RETURN QUERY
        SELECT s.*
          FROM services.sms_logs s
         WHERE s.lane = v_lanes[i] AND s.id = v_ids[i] AND s.provider_message_id = p_message_id;
    END LOOP;
END
$$;
