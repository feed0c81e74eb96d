-- Takes a number off the list of those that want no unimportant messages, for all names, because its holder asked for
-- that. After: whether it was on it.
CREATE OR REPLACE FUNCTION services.forget_opt_out(p_number text)
RETURNS boolean
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_was_there boolean;
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    DELETE FROM services.sms_opt_outs WHERE number = coalesce(core.normalize_phone(p_number), ltrim(p_number, '+'));
    v_was_there := FOUND;
    PERFORM set_config('daftari.door', '', true);
    RETURN v_was_there;
END
$$;
