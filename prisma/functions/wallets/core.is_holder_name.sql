-- Whether a customer may be called so: official texts of ours carry the name, so it must be nothing but a name.
--
-- 1 to 120 characters: letters with their marks, of the scripts that names are written in; spaces; apostrophes, straight and curly;
-- hyphens; full stops. It begins with a letter, and its letters are Latin or of other scripts, but not both, as mixed
-- ones are there to deceive. Refused:
--   what a phone would make a link of: two letters right behind a full stop ("bit.ly"; "J. M. Otieno" and "J.M. Otieno"
--   are names);
--   words of our own texts and of M-PESA's, which would make the text around the name say something else: the long
--   ones anywhere, spelt with dots, spaces, accents or look-alikes of another script as well, the short ones as words.
--
-- isHolderName of @repo/db says the same; a test holds the two together. The ranges are written out because what
-- [[:alpha:]] means depends on the database's locale.
CREATE OR REPLACE FUNCTION core.is_holder_name(p_name text)
RETURNS boolean
LANGUAGE plpgsql
IMMUTABLE
PARALLEL SAFE
AS $$
DECLARE
    c_latin  constant text := '\u0041-\u005A\u0061-\u007A\u00AA\u00BA\u00C0-\u00D6\u00D8-\u00F6\u00F8-\u02AF\u1E00-\u1EFF';
    c_others constant text :=
        '\u0386\u0388-\u03E1\u0400-\u0481\u0483-\u0487\u048A-\u052F\u0531-\u0556\u0561-\u0587'
        '\u05B0-\u05BD\u05D0-\u05EA\u0620-\u063F\u0641-\u0652\u0670-\u06D3\u0900-\u0963\u0971-\u0983'
        '\u0985-\u09E3\u0A01-\u0A5E\u0A81-\u0AE3\u0B01-\u0B63\u0B82-\u0BD7\u0C00-\u0C63\u0C80-\u0C83'
        '\u0C85-\u0CE3\u0D00-\u0D4E\u0E01-\u0E3A\u0E40-\u0E4E\u10A0-\u10FA\u10FC-\u10FF\u1200-\u135F'
        '\u3005-\u3006\u3041-\u3096\u30A1-\u30FA\u30FC-\u30FF\u3400-\u4DBF\u4E00-\u9FFF\uAC00-\uD7A3\U00020000-\U000323AF';
    c_marks  constant text := '\u0300-\u034E\u0350-\u036F';
    c_letter constant text := '[' || c_latin || c_others || c_marks || ']';
    c_alike  constant text :=
        U&'\0410\0412\0415\041A\041C\041D\041E\0420\0421\0422\0423\0425\0405\0406\0408\0500' ||
        U&'\0430\0432\0435\043A\043C\043D\043E\0440\0441\0442\0443\0445\0455\0456\0458\0501' ||
        U&'\0391\0392\0395\0396\0397\0399\039A\039C\039D\039F\03A1\03A4\03A5\03A7\03B1\03B9\03BA\03BD\03BF\03C1';
    c_plain  constant text := 'ABEKMHOPCTYXSIJD' || 'abekmhopctyxsijd' || 'ABEZHIKMNOPTYXaikvop';
    v_plain  text;
BEGIN
    IF p_name IS NULL OR char_length(p_name) > 120
       OR p_name !~ ('^[' || c_latin || c_others || '][' || c_latin || c_others || c_marks || '\u0027\u2018\u2019\u02BC .-]*$')
       OR p_name ~ ('\.' || c_letter || '{2}')
       OR (p_name ~ ('[' || c_latin || ']') AND p_name ~ ('[' || c_others || ']'))
    THEN
        RETURN false;
    END IF;
    -- Cyrillic and Greek letters that look like Latin ones.
    v_plain := translate(normalize(p_name, NFKD), c_alike || '.', c_plain || ' ');
    v_plain := lower(regexp_replace(regexp_replace(v_plain, '[^A-Za-z ]', '', 'g'), ' +', ' ', 'g'));
    RETURN v_plain !~ 'mpesa|safaricom|daftari|confirmed|imethibitishwa'
           AND v_plain !~ '(^| )(m ?p ?e ?s ?a|s ?a ?f ?a ?r ?i ?c ?o ?m|d ?a ?f ?t ?a ?r ?i)( |$)'
           AND v_plain !~ '(^| )(kes|kshs?|balance|salio|received|umepokea|umetuma)( |$)';
END
$$;
