-- The default of every id: a UUID version 7 of this moment.
CREATE OR REPLACE FUNCTION core.new_id()
RETURNS uuid
LANGUAGE sql
VOLATILE
AS $$
    SELECT core.uuid_v7(p_milliseconds => (extract(epoch FROM clock_timestamp()) * 1000)::bigint, p_sequence => 0)
$$;
