-- The wallet in which a system account keeps the money of a lane: MPESA-FLOAT for lane 0, MPESA-FLOAT.7 for lane 7.
--
-- The float, suspense and the fees are one account each to people and sixteen wallets to the database, so that payments to
-- wallets of different lanes wait for no common lock.
--
-- The cast keeps every part of it immutable, so that it becomes part of the query that calls it.
CREATE OR REPLACE FUNCTION core.stripe_of(p_account text, p_lane smallint)
RETURNS text
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $$
    SELECT CASE WHEN p_lane = 0 THEN p_account ELSE p_account || '.' || p_lane::text END
$$;
