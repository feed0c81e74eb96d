-- A text filled in with the longest facts that are usual, to be looked at and measured.
CREATE OR REPLACE FUNCTION services.sample_sms(p_key text, p_language text, p_text text)
RETURNS text
LANGUAGE sql
IMMUTABLE
AS $$
    SELECT services.sms_text(
        p_formats => services.compile_sms_template(p_text), p_language => p_language,
        p_reference => CASE WHEN p_key LIKE 'deposit%' THEN 'QKJ41HARMI' ELSE 'DF-0123456789AB' END,
        p_amount => 9999999.99, p_currency => 'KES', p_wallet => '2048173651', p_name => 'Wamaitha Nyokabi Njoroge',
        p_balance => 99999999.99, p_reason => 'wallet_frozen'
    )
$$;
