-- A text filled in with the longest facts that are usual, to be looked at and measured.
CREATE OR REPLACE FUNCTION services.sample_sms(p_key text, p_language text, p_text text)
RETURNS text
LANGUAGE sql
IMMUTABLE
AS $$
    SELECT services.sms_text(
        services.compile_sms_template(p_text), p_language,
        CASE WHEN p_key LIKE 'deposit%' THEN 'QKJ41HARMI' ELSE 'DF-0123456789AB' END, 9999999.99, 'KES', '2048173651',
        'Wamaitha Nyokabi Njoroge', 99999999.99, 'wallet_frozen'
    )
$$;
