-- Changes the text of a message, and writes down who wanted it and why.
--
-- After: fault NULL and the text is used from the next message on; or nothing is changed, and fault and detail say what
--        is wrong (services.sms_template_fault).
CREATE OR REPLACE FUNCTION services.set_sms_template(
    p_key text, p_language text, p_text text, p_by text, p_reason text, OUT fault text, OUT detail text
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_at timestamp;
BEGIN
    IF coalesce(btrim(p_by), '') = '' OR coalesce(btrim(p_reason), '') = '' THEN
        RAISE EXCEPTION 'who changes a text, and why, must be named' USING ERRCODE = '22023';
    END IF;
    SELECT f.fault, f.detail INTO fault, detail FROM services.sms_template_fault(
        p_key => p_key, p_language => p_language, p_text => p_text
    ) AS f;
    IF fault IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO services.sms_templates AS t (key, language, text, formats, changed_at)
    VALUES (p_key, p_language, p_text, services.compile_sms_template(p_text), clock_timestamp() AT TIME ZONE 'UTC')
        ON CONFLICT (key, language) DO UPDATE
       SET text = EXCLUDED.text, formats = EXCLUDED.formats,
           changed_at = greatest(t.changed_at + interval '1 millisecond', clock_timestamp() AT TIME ZONE 'UTC')
    RETURNING t.changed_at INTO v_at;
    -- Of two people who change one text, whoever waited for the other is the later in the history, too.
    INSERT INTO services.sms_template_changes (key, language, text, changed_by, reason, created_at)
    VALUES (p_key, p_language, p_text, p_by, p_reason, v_at);
    PERFORM set_config('daftari.door', '', true);
END
$$;
