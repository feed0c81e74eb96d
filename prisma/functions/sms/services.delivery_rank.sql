-- How much a delivery status counts. The higher one wins, so that reports may come in any order and the end is the same;
-- from 60 on it is final. A final "delivered" wins over a final "not delivered": the telephone has confirmed it.
--
-- The words are Africa's Talking's. A word that is not among them is kept and counts least, as NULL does.
CREATE OR REPLACE FUNCTION services.delivery_rank(p_status text)
RETURNS integer
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $$
    SELECT CASE p_status
        WHEN 'Sent' THEN 10
        WHEN 'Submitted' THEN 20
        WHEN 'Buffered' THEN 30
        WHEN 'AbsentSubscriber' THEN 40 -- not final: the telephone may come back
        WHEN 'Rejected' THEN 60
        WHEN 'Failed' THEN 61
        WHEN 'Expired' THEN 62
        WHEN 'Success' THEN 100
        ELSE 0
    END
$$;
