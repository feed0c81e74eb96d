-- Trigger function: texts change through services.set_sms_template only, which checks them and keeps who wanted it.
CREATE OR REPLACE FUNCTION services.guard_sms_templates()
RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    RAISE EXCEPTION '% on services.sms_templates is refused', TG_OP
        USING ERRCODE = 'DF003', HINT = 'Change a text with services.set_sms_template, or PUT /templates/:key/:language.';
END
$$;
