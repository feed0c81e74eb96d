-- Lets those who name the same thing go one after the other, on whichever nodes they are, until the end of their transactions.
--
-- The lock is held by the coordinator, where the tables of statements lie: a query of one of them is asked there. So whoever gets
-- it finds what the one before wrote into them. A row of lanes.lock_name lies on a worker, which may let it go earlier.
CREATE OR REPLACE FUNCTION lanes.lock_on_coordinator(p_name text)
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(p_name, 0))
       FROM (SELECT count(*) FROM services.mpesa_periods p WHERE p.id IS NULL) AS one;
END
$$;
