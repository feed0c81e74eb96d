-- The day in East Africa Time, which is three hours ahead of UTC and knows no summer time, of a moment in UTC.
CREATE OR REPLACE FUNCTION services.eat_day(p_at timestamp)
RETURNS date
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $$
    SELECT (p_at + interval '3 hours')::date
$$;
