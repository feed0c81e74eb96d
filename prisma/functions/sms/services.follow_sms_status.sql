-- Trigger function: a message that somebody marks SENT or FAILED by its status alone leaves the queue.
--
-- The trigger calls it only for a row whose status is decided and whose phase says otherwise, so that code which knows
-- the specified columns only goes on working. The way back, from SENT to PENDING, is services.decide_sms.
CREATE OR REPLACE FUNCTION services.follow_sms_status()
RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    NEW.phase := 'DONE';
    NEW.lease_until := NULL;
    NEW.settled_at := clock_timestamp() AT TIME ZONE 'UTC';
    RETURN NEW;
END
$$;
