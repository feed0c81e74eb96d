-- A moment as endpoints get it: ISO 8601 in UTC, with milliseconds.
CREATE OR REPLACE FUNCTION services.webhook_time(p_at timestamp)
RETURNS text
LANGUAGE sql
IMMUTABLE
AS $$
    SELECT to_char(p_at, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
$$;
