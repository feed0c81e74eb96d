-- The text that tells a customer what happened to their money, from the forms of a template (sms_templates.formats).
--
-- With facts of the usual lengths it is one part of 160 characters; services.sms_template_fault sees to that when a text
-- is set.
--
-- p_formats: NULL, or a text that cannot be filled in, gives a plain sentence in English: news that is worded badly
--            must not undo the money that it tells about, so this never fails and is never NULL.
-- p_name:    what the other side is called (services.sms_name), or its number where there is no name to be told.
-- p_balance: after the movement, NULL to leave it out.
-- p_reason:  why a transfer was refused, as the ledger calls it.
--
-- In plpgsql, and as one statement: as an SQL function it would be started again for every message, which costs ten
-- times as much.
CREATE OR REPLACE FUNCTION services.sms_text(
    p_formats text[], p_language text, p_reference text, p_amount numeric, p_currency text, p_wallet text, p_name text,
    p_balance numeric, p_reason text DEFAULT NULL
)
RETURNS text
LANGUAGE plpgsql
IMMUTABLE
AS $$
BEGIN
    RETURN coalesce(
        format(
            p_formats[CASE WHEN p_name <> '' THEN 2 ELSE 1 END + CASE WHEN p_balance IS NULL THEN 0 ELSE 2 END],
            p_reference,
            coalesce(p_currency, 'KES') || to_char(coalesce(p_amount, 0), 'FM" "99,999,999,999,999,990.00'),
            p_wallet,
            CASE WHEN p_name <> '' THEN p_name WHEN p_language = 'sw' THEN 'mteja' ELSE 'a customer' END,
            coalesce(p_currency, 'KES') || to_char(p_balance, 'FM" "99,999,999,999,999,990.00'),
            CASE WHEN p_reason IS NOT NULL THEN services.sms_reason(p_reason => p_reason, p_language => p_language) END
        ),
        coalesce(p_reference, '') || ' confirmed. ' || coalesce(p_currency, 'KES')
        || to_char(coalesce(p_amount, 0), 'FM" "99,999,999,999,999,990.00') || '.'
    );
END
$$;
