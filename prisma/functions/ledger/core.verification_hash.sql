-- The verification hash of a transaction: SHA-256 in lower-case hex over the UTF-8 bytes of the reference, the
-- amount with exactly two decimals, and the time as YYYY-MM-DDTHH:MM:SS.mmmZ, with nothing between them.
-- verificationHash() in packages/db computes the same in TypeScript; a property test compares the two.
--
-- p_created_at: UTC; milliseconds are the last digit that counts.
--
-- Not declared IMMUTABLE, although it is for this format, so that PostgreSQL can expand it in place.
CREATE OR REPLACE FUNCTION core.verification_hash(p_reference text, p_amount numeric, p_created_at timestamp)
RETURNS text
LANGUAGE sql
STABLE
AS $$
    SELECT core.hash_of(p_reference => p_reference, p_amount => p_amount, p_time => core.hash_time(p_created_at))
$$;
