-- UUID version 7 (RFC 9562): sorts by time, so that new rows go to the end of every index.
--
-- p_milliseconds: since 1970 in UTC.
-- p_sequence:     0 to 4095, orders the rows of one millisecond that one statement makes.
CREATE OR REPLACE FUNCTION core.uuid_v7(p_milliseconds bigint, p_sequence integer)
RETURNS uuid
LANGUAGE sql
VOLATILE
AS $$
    -- A random UUID (version 4) whose first eight bytes become the time, the version and the sequence; its
    -- last eight bytes already carry the variant and 62 random bits.
    SELECT encode(
        overlay(uuid_send(gen_random_uuid()) PLACING int8send((p_milliseconds << 16) | 28672 | p_sequence) FROM 1 FOR 8),
        'hex'
    )::uuid
$$;
