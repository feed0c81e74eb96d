-- Writes down, in the lanes of the provider's ids, which messages got them and where those lie.
--
-- Before: the ids are locked (services.lock_message_ids). The node that has the lock has this as well, so a report that gets it
-- finds the message, and waits for its row where its node still has to commit.
CREATE OR REPLACE FUNCTION lanes.note_message_ids(p_message_ids text[], p_ids uuid[], p_lanes smallint[])
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $$
BEGIN
    INSERT INTO lanes.message_ids (lane, provider_message_id, sms_lane, sms_id)
    SELECT core.lane_of(t.message_id), t.message_id, t.lane, t.id
      FROM unnest(p_message_ids, p_ids, p_lanes) AS t (message_id, id, lane)
     WHERE t.message_id IS NOT NULL;
END
$$;
