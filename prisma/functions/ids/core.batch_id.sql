-- The id of an item of a batch: a UUID version 7, as core.uuid_v7 makes one.
--
-- A batch asks the server for randomness once, because each request costs five times as much as a hash: the other bits of
-- an id are the SHA-256 of the batch's seed and the item's number. Who does not know the seed cannot tell them from random
-- ones.
--
-- p_milliseconds: since 1970 in UTC.
-- p_seed:         random and used for one batch only, such as uuid_send(gen_random_uuid()).
CREATE OR REPLACE FUNCTION core.batch_id(p_milliseconds bigint, p_item integer, p_seed bytea)
RETURNS uuid
LANGUAGE sql
IMMUTABLE
AS $$
    -- The 8 is the variant.
    SELECT (
        encode(int8send((p_milliseconds << 16) | 28672 | (p_item & 4095)), 'hex')
        || '8' || left(encode(sha256(p_seed || int4send(p_item)), 'hex'), 15)
    )::uuid
$$;
