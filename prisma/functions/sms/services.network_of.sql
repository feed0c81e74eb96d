-- The name of a Kenyan network by its code; a code that is not among them stays as it came. A number's prefix would not
-- tell: numbers can be ported.
CREATE OR REPLACE FUNCTION services.network_of(p_code text)
RETURNS text
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $$
    SELECT CASE p_code
        WHEN '63902' THEN 'Safaricom'
        WHEN '63903' THEN 'Airtel'
        WHEN '63907' THEN 'Telkom'
        WHEN '63999' THEN 'Equitel'
        WHEN '99999' THEN 'Sandbox'
        ELSE p_code
    END
$$;
