-- The closed period in which a movement came too late: it happened before the period's end and was posted after the books
-- were closed. NULL when it was in time.
CREATE OR REPLACE FUNCTION services.closed_mpesa_period(p_short_code text, p_happened_at timestamp, p_posted_at timestamp)
RETURNS uuid
LANGUAGE sql
STABLE
AS $$
    SELECT p.id
      FROM services.mpesa_periods p
     WHERE p.short_code = p_short_code AND p.to_at > p_happened_at AND p.closed_at <= p_posted_at
       AND p.status IN ('CLOSED', 'CLOSING')
     ORDER BY p.to_at
     LIMIT 1
$$;
