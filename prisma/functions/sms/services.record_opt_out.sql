-- Remembers that a number wants no unimportant messages. p_sender_id: the name that it answered to, '' where none was
-- named. After: whether it was new.
CREATE OR REPLACE FUNCTION services.record_opt_out(p_number text, p_sender_id text DEFAULT '')
RETURNS boolean
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_number constant text := coalesce(core.normalize_phone(p_number), ltrim(p_number, '+'));
    v_is_new boolean;
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO services.sms_opt_outs (number, sender_id, number_hash)
    VALUES (v_number, p_sender_id, encode(sha256(v_number::bytea), 'hex'))
    ON CONFLICT DO NOTHING;
    v_is_new := FOUND;
    PERFORM set_config('daftari.door', '', true);
    RETURN v_is_new;
END
$$;
