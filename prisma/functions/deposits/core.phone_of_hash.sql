-- The customer's phone number whose SHA-256 M-PESA sent instead of the number, or NULL when no customer has it.
--
-- p_hash: 64 hex digits, or a hash that was masked in the middle with stars, as live tills have sent it: what is
-- left of the stars and what is right of them must both agree, and exactly one number may.
CREATE OR REPLACE FUNCTION core.phone_of_hash(p_hash text)
RETURNS text
LANGUAGE sql
STABLE
AS $$
    SELECT min(w.phone)
      FROM core.wallets w
     WHERE encode(sha256(w.phone::bytea), 'hex') COLLATE "C" >= split_part(p_hash, '*', 1)
       AND encode(sha256(w.phone::bytea), 'hex') COLLATE "C" < split_part(p_hash, '*', 1) || 'g'
       AND right(encode(sha256(w.phone::bytea), 'hex'), length(substring(p_hash FROM '[^*]*$')))
           = substring(p_hash FROM '[^*]*$')
       AND length(split_part(p_hash, '*', 1)) >= 16
    HAVING count(DISTINCT w.phone) = 1
$$;
