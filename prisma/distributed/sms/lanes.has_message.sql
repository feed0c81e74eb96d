-- Whether a message has this id of a provider.
CREATE OR REPLACE FUNCTION lanes.has_message(p_provider text, p_message_id text)
RETURNS boolean
LANGUAGE plpgsql
VOLATILE
AS $$
DECLARE
    v_home constant smallint := core.lane_of(p_message_id);
    m      record;
BEGIN
    FOR m IN
        SELECT DISTINCT k.sms_lane, k.sms_id
          FROM lanes.message_ids k
         WHERE k.lane = v_home AND k.provider_message_id = p_message_id
    LOOP
        IF EXISTS (
            SELECT FROM services.sms_logs s
             WHERE s.lane = m.sms_lane AND s.id = m.sms_id AND s.provider_message_id = p_message_id AND s.provider = p_provider
        ) THEN
            RETURN true;
        END IF;
    END LOOP;
    RETURN false;
END
$$;
