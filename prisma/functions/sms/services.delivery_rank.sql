-- How much a delivery state counts. The higher one wins, so that reports may come in any order and the end is the same;
-- from 60 on it is final. A final "delivered" wins over a final "not delivered": the telephone has confirmed it.
--
-- The words are ours. A provider's folder translates its own; a word that it does not list is unknown and counts least.
CREATE OR REPLACE FUNCTION services.delivery_rank(p_state text)
RETURNS integer
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $$
    SELECT CASE p_state
        WHEN 'unknown' THEN 0
        WHEN 'accepted' THEN 10 -- the provider has it
        WHEN 'submitted' THEN 20 -- the network has it
        WHEN 'buffered' THEN 30 -- it waits at the network
        WHEN 'absent' THEN 40 -- not final: the telephone may come back
        WHEN 'rejected' THEN 60
        WHEN 'failed' THEN 61
        WHEN 'expired' THEN 62
        WHEN 'delivered' THEN 100
    END
$$;
