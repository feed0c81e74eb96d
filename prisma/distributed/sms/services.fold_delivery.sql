-- services.fold_delivery of a distributed database, for who does not know the lanes of the messages.
CREATE OR REPLACE FUNCTION services.fold_delivery(p_ids uuid[])
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_ids   uuid[];
    v_lanes smallint[];
BEGIN
    SELECT array_agg(s.id), array_agg(s.lane) INTO v_ids, v_lanes FROM services.sms_logs s WHERE s.id = ANY (p_ids);
    PERFORM lanes.fold_delivery(p_ids => v_ids, p_lanes => v_lanes);
END
$$;
