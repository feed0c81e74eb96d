-- The texts of these templates, in all languages. A query that joins tables of several nodes joins what such functions answer.
CREATE OR REPLACE FUNCTION lanes.sms_templates_of(p_keys text[])
RETURNS SETOF services.sms_templates
LANGUAGE plpgsql
VOLATILE
AS $$
BEGIN
    RETURN QUERY SELECT m.* FROM services.sms_templates m WHERE m.key = ANY (p_keys);
END
$$;
