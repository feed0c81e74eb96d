-- What is wrong with a text for a template, or NULL: a code, and for people what it is about.
--
--   unknown_template     no message has this key, or the language is neither en nor sw
--   alphabet             a character that is not in the basic GSM alphabet: the message would cost twice as much or more
--   malformed            braces or brackets that do not pair; a part in brackets must have {name} or {balance} in it
--   unknown_placeholder  one that this message has no fact for
--   missing_placeholder  one that this message needs
--   too_long             with long facts it would not fit into one message
CREATE OR REPLACE FUNCTION services.sms_template_fault(
    p_key text, p_language text, p_text text, OUT fault text, OUT detail text
)
LANGUAGE plpgsql
IMMUTABLE
AS $$
DECLARE
    c_basic  constant text :=
        '^[]A-Za-z0-9 @£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ!"#¤%&''()*+,./:;<=>?¡ÄÖÑÜ§¿äöñüà{}[-]*$';
    v_facts  record;
    v_used   text[];
    v_length integer;
BEGIN
    SELECT * INTO v_facts FROM services.sms_placeholders(p_key);
    v_used := ARRAY(SELECT m[1] FROM regexp_matches(p_text, '\{([^{}]*)\}', 'g') AS m);
    detail := CASE
        WHEN v_facts.needed IS NULL OR p_language IS NULL OR p_language NOT IN ('en', 'sw') THEN 'key or language'
    END;
    IF detail IS NOT NULL THEN
        fault := 'unknown_template';
    ELSIF p_text IS NULL OR btrim(p_text) = '' OR p_text !~ c_basic THEN
        fault := 'alphabet';
        detail := 'one line of the basic GSM alphabet, without a tilde, backslash, circumflex, bar or euro sign';
    ELSIF regexp_replace(p_text, '\{[^{}]*\}', '', 'g') ~ '[{}]'
          OR regexp_replace(p_text, '\[[^][]*\{(?:name|balance)\}[^][]*\]', '', 'g') ~ '[][]'
          OR p_text ~ '\[[^][]*\{name\}[^][]*\{balance\}|\[[^][]*\{balance\}[^][]*\{name\}'
    THEN
        fault := 'malformed';
        detail := 'each brace and bracket must be closed; what is in brackets must have {name} or {balance} in it';
    ELSIF NOT v_used <@ v_facts.allowed THEN
        fault := 'unknown_placeholder';
        SELECT string_agg('{' || u || '}', ', ') INTO detail FROM unnest(v_used) AS u WHERE u <> ALL (v_facts.allowed);
    ELSIF NOT v_facts.needed <@ v_used THEN
        fault := 'missing_placeholder';
        SELECT string_agg('{' || u || '}', ', ') INTO detail FROM unnest(v_facts.needed) AS u WHERE u <> ALL (v_used);
    ELSE
        v_length := char_length(services.sample_sms(p_key => p_key, p_language => p_language, p_text => p_text));
        IF v_length > 160 THEN
            fault := 'too_long';
            detail := v_length || ' characters with long facts; 160 fit';
        END IF;
    END IF;
END
$$;
