-- The verification hash of a transaction whose moment is written already: see core.verification_hash.
--
-- p_time: of core.hash_time.
CREATE OR REPLACE FUNCTION core.hash_of(p_reference text, p_amount numeric, p_time text)
RETURNS text
LANGUAGE sql
STABLE
AS $$
    SELECT encode(sha256(convert_to(p_reference || round(p_amount, 2)::text || p_time, 'UTF8')), 'hex')
$$;
