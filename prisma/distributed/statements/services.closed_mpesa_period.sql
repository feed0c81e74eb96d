-- services.closed_mpesa_period of a distributed database: the same question in PL/pgSQL, because a query of an SQL function with
-- parameters cannot be planned for many nodes. For few rows; lanes.deposits_counted asks it of many.
CREATE OR REPLACE FUNCTION services.closed_mpesa_period(p_short_code text, p_happened_at timestamp, p_posted_at timestamp)
RETURNS uuid
LANGUAGE plpgsql
STABLE
AS $$
BEGIN
    RETURN (
        SELECT p.id
          FROM services.mpesa_periods p
         WHERE p.short_code = p_short_code AND p.to_at > p_happened_at AND p.closed_at <= p_posted_at
           AND p.status IN ('CLOSED', 'CLOSING')
         ORDER BY p.to_at
         LIMIT 1
    );
END
$$;
