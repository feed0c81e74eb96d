-- The default of every id: a UUID version 7 of this moment, to a quarter of a microsecond (RFC 9562, section 6.2, method
-- 3). Of two rows that are written one after the other, in one millisecond too, the later has the higher id: what was
-- decided last about a payment is read by it.
CREATE OR REPLACE FUNCTION core.new_id()
RETURNS uuid
LANGUAGE sql
VOLATILE
AS $$
    -- Each volatile part stands here once, so that PostgreSQL writes the function into the statement that calls it:
    -- 48 bits of milliseconds and 12 of their fraction, between them the version; the variant and 62 random bits.
    SELECT (
        overlay(
            lpad(to_hex((extract(epoch FROM clock_timestamp()) * 4096000)::bigint), 15, '0') PLACING '7' FROM 13 FOR 0
        ) || encode(substring(uuid_send(gen_random_uuid()) FROM 9), 'hex')
    )::uuid
$$;
