-- Which of these ids of a provider a report has named.
CREATE OR REPLACE FUNCTION lanes.reported_of(p_message_ids text[])
RETURNS text[]
LANGUAGE plpgsql
VOLATILE
AS $$
DECLARE
    v_lanes smallint[];
BEGIN
    SELECT array_agg(DISTINCT core.lane_of(t.id)) INTO v_lanes FROM unnest(p_message_ids) AS t (id) WHERE t.id IS NOT NULL;
    IF v_lanes IS NULL THEN
        RETURN NULL;
    END IF;
    RETURN (
        SELECT array_agg(DISTINCT r.provider_message_id::text)
          FROM services.sms_delivery_reports r
         WHERE r.lane = ANY (v_lanes) AND r.provider_message_id = ANY (p_message_ids)
    );
END
$$;
