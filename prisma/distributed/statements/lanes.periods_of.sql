-- The periods of a short code that are closed, or being closed.
CREATE OR REPLACE FUNCTION lanes.periods_of(p_short_code text)
RETURNS SETOF services.mpesa_periods
LANGUAGE plpgsql
VOLATILE
AS $$
BEGIN
    RETURN QUERY
    SELECT p.* FROM services.mpesa_periods p WHERE p.short_code = p_short_code AND p.status IN ('CLOSED', 'CLOSING');
END
$$;
