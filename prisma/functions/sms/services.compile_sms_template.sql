-- The forms of a text, ready for format(): the first without a name and a balance, the second with a name, the third
-- with a balance, the fourth with both. A part in square brackets is left out where its fact is missing. The arguments
-- are reference, amount, wallet, name, balance and reason, in this order.
--
-- format() fills in all of them at once, so what looks like a placeholder in a name stays what it is.
CREATE OR REPLACE FUNCTION services.compile_sms_template(p_text text)
RETURNS text[]
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $$
    SELECT array_agg(
               replace(replace(replace(replace(replace(replace(translate(replace(
                   CASE WHEN f.without IS NULL THEN p_text ELSE regexp_replace(p_text, f.without, '', 'g') END,
                   '%', '%%'), '[]', ''),
                   '{reference}', '%1$s'), '{amount}', '%2$s'), '{wallet}', '%3$s'), '{name}', '%4$s'),
                   '{balance}', '%5$s'), '{reason}', '%6$s')
               ORDER BY f.ord
           )
      FROM (VALUES (1, '\[[^][]*\{(?:name|balance)\}[^][]*\]'), (2, '\[[^][]*\{balance\}[^][]*\]'),
                   (3, '\[[^][]*\{name\}[^][]*\]'), (4, NULL)) AS f (ord, without)
$$;
