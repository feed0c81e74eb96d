-- services.expire_sms_leases of a distributed database: lane by lane, each on the node that has it, where a lease is over.
CREATE OR REPLACE FUNCTION services.expire_sms_leases(p_limit integer)
RETURNS integer
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_now   constant timestamp(3) := clock_timestamp() AT TIME ZONE 'UTC';
    v_left  integer := p_limit;
    v_lane  smallint;
    v_count integer;
BEGIN
    FOR v_lane IN
        SELECT DISTINCT l.lane FROM services.sms_logs l WHERE l.phase = 'SENDING' AND l.lease_until <= v_now ORDER BY l.lane
    LOOP
        EXIT WHEN v_left = 0;
        SELECT e.count INTO v_count FROM lanes.expire_sms_leases(p_lane => v_lane, p_limit => v_left) AS e (count);
        v_left := v_left - v_count;
    END LOOP;
    RETURN p_limit - v_left;
END
$$;
