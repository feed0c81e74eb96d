-- Names of customers are names, whoever writes them; the texts that customers get are data, with the sender named, a
-- refusal explained and told once an hour; wallets are found by their holder's name.

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

-- Trigger function: a customer's name that is none is refused when it is written. Names from before the rule stay.
CREATE OR REPLACE FUNCTION core.check_holder_name()
RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT core.is_holder_name(NEW.holder_name) THEN
        RAISE EXCEPTION 'the holder''s name is not a name'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'wallets_holder_name', TABLE = 'wallets', SCHEMA = 'core',
                  HINT = 'Letters, spaces, apostrophes, hyphens and full stops only; no links and no words of our own texts.';
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER "wallets_holder_name"
    BEFORE INSERT ON "core"."wallets"
    FOR EACH ROW WHEN (NEW."kind" = 'CUSTOMER') EXECUTE FUNCTION core.check_holder_name();
CREATE TRIGGER "wallets_holder_rename"
    BEFORE UPDATE OF "holder_name" ON "core"."wallets"
    FOR EACH ROW WHEN (NEW."kind" = 'CUSTOMER' AND NEW."holder_name" IS DISTINCT FROM OLD."holder_name")
    EXECUTE FUNCTION core.check_holder_name();

CREATE TABLE "services"."sms_templates" (
    "key"        VARCHAR(40)  NOT NULL,
    "language"   CHAR(2)      NOT NULL,
    "text"       TEXT         NOT NULL,
    "formats"    TEXT[]       NOT NULL,
    "changed_at" TIMESTAMP(3) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),
    CONSTRAINT "sms_templates_pkey" PRIMARY KEY ("key", "language"),
    CONSTRAINT "sms_templates_language_check" CHECK ("language" IN ('en', 'sw')),
    CONSTRAINT "sms_templates_formats_check" CHECK (cardinality("formats") = 4)
);
CREATE TABLE "services"."sms_template_changes" (
    "id"         UUID         NOT NULL DEFAULT core.new_id(),
    "key"        VARCHAR(40)  NOT NULL,
    "language"   CHAR(2)      NOT NULL,
    "text"       TEXT         NOT NULL,
    "changed_by" VARCHAR(100) NOT NULL,
    "reason"     TEXT         NOT NULL,
    "created_at" TIMESTAMP(3) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),
    CONSTRAINT "sms_template_changes_pkey" PRIMARY KEY ("id")
);
CREATE INDEX "sms_template_changes_key_idx" ON "services"."sms_template_changes" ("key", "language", "created_at");
CREATE TABLE "services"."sms_last_told" (
    "wallet_id" VARCHAR(20)  NOT NULL,
    "template"  VARCHAR(40)  NOT NULL,
    "told_at"   TIMESTAMP(3) NOT NULL,
    CONSTRAINT "sms_last_told_pkey" PRIMARY KEY ("wallet_id", "template")
);

DROP FUNCTION services.sms_text(text, text, text, numeric, text, text, text, numeric);
DROP FUNCTION services.queue_movement_sms(text[], text[], text[], numeric[], text[], text[], numeric[], boolean[], smallint[]);

-- What the text of a message may fill in, by its key: all that it needs, and what it may have besides. NULL for a key
-- that no message has.
CREATE OR REPLACE FUNCTION services.sms_placeholders(p_key text, OUT needed text[], OUT allowed text[])
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $$
    SELECT k.needed, k.needed || k.besides
      FROM (VALUES
        ('deposit', ARRAY['reference', 'amount', 'wallet'], ARRAY['name', 'balance']),
        ('deposit_suspense', ARRAY['reference', 'amount'], ARRAY['name']),
        ('transfer_out', ARRAY['reference', 'amount', 'name'], ARRAY['wallet', 'balance']),
        ('transfer_in', ARRAY['reference', 'amount', 'name'], ARRAY['wallet', 'balance']),
        ('transfer_refused', ARRAY['amount', 'name', 'reason'], ARRAY['wallet']),
        ('withdrawal', ARRAY['reference', 'amount'], ARRAY['wallet', 'balance']),
        ('reversal_debit', ARRAY['reference', 'amount'], ARRAY['wallet', 'balance']),
        ('reversal_credit', ARRAY['reference', 'amount'], ARRAY['wallet', 'balance']),
        ('suspense_assigned', ARRAY['reference', 'amount', 'wallet'], ARRAY['balance'])
      ) AS k (key, needed, besides)
     WHERE k.key = p_key
$$;

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

-- Why a transfer was refused, in words for the customer who sent it. Of the other side's wallet it says no more than
-- that it receives nothing: whether it is frozen or closed is its holder's matter.
CREATE OR REPLACE FUNCTION services.sms_reason(p_reason text, p_language text)
RETURNS text
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $$
    SELECT CASE
        WHEN p_language = 'sw' THEN CASE p_reason
            WHEN 'insufficient_funds' THEN 'salio lako halitoshi'
            WHEN 'unknown_wallet' THEN 'nambari ya pochi haipo'
            WHEN 'own_wallet' THEN 'pochi yako imefungwa'
            WHEN 'wallet_frozen' THEN 'pochi hiyo haipokei pesa kwa sasa'
            WHEN 'wallet_closed' THEN 'pochi hiyo haipokei pesa kwa sasa'
            ELSE 'haikuwezekana kwa sasa'
        END
        ELSE CASE p_reason
            WHEN 'insufficient_funds' THEN 'your balance is too low'
            WHEN 'unknown_wallet' THEN 'no wallet has this number'
            WHEN 'own_wallet' THEN 'your wallet is locked'
            WHEN 'wallet_frozen' THEN 'that wallet cannot receive money now'
            WHEN 'wallet_closed' THEN 'that wallet cannot receive money now'
            ELSE 'it cannot be done now'
        END
    END
$$;

-- A name as our texts write it: plain Latin letters, spaces, apostrophes, hyphens and full stops, 25 of them at most.
-- Accents go, and all else; no link comes of what is left. Empty when nothing is left, as of a name in another script;
-- NULL for none.
--
-- One expression, so that it becomes part of the query that calls it.
CREATE OR REPLACE FUNCTION services.sms_name(p_name text)
RETURNS text
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $$
    SELECT CASE
        WHEN p_name !~ '[^A-Za-z ]' THEN rtrim(left(btrim(p_name), 25))
        ELSE rtrim(left(btrim(regexp_replace(
            regexp_replace(translate(normalize(p_name, NFKD), U&'\2018\2019\02BC', ''''''''), '[^A-Za-z .''-]', '', 'g'),
            '\.(?=[A-Za-z]{2})', '. ', 'g'
        ), ' -.'''), 25))
    END
$$;

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
    p_balance numeric, p_reason text
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
            CASE WHEN p_reason IS NOT NULL THEN services.sms_reason(p_reason, p_language) END
        ),
        coalesce(p_reference, '') || ' confirmed. ' || coalesce(p_currency, 'KES')
        || to_char(coalesce(p_amount, 0), 'FM" "99,999,999,999,999,990.00') || '.'
    );
END
$$;

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
        v_length := char_length(services.sample_sms(p_key, p_language, p_text));
        IF v_length > 160 THEN
            fault := 'too_long';
            detail := v_length || ' characters with long facts; 160 fit';
        END IF;
    END IF;
END
$$;

INSERT INTO "services"."sms_templates" ("key", "language", "text", "formats")
SELECT t.key, t.language, t.text, services.compile_sms_template(t.text)
  FROM (VALUES
    ('deposit', 'en', '{reference} confirmed. {amount} received[ from {name}] in wallet {wallet}.[ New balance {balance}.]'),
    ('deposit', 'sw', '{reference} imethibitishwa. Umepokea {amount}[ kutoka kwa {name}] kwenye pochi {wallet}.[ Salio jipya {balance}.]'),
    ('deposit_suspense', 'en', '{reference} confirmed. {amount} received and safe, but not in a wallet yet. Contact us with this code.'),
    ('deposit_suspense', 'sw', '{reference} imethibitishwa. {amount} zimepokelewa na ziko salama, ila bado hazina pochi. Wasiliana nasi kwa namba hii.'),
    ('transfer_out', 'en', '{reference} confirmed. {amount} sent to {name}.[ New balance {balance}.]'),
    ('transfer_out', 'sw', '{reference} imethibitishwa. Umetuma {amount} kwa {name}.[ Salio jipya {balance}.]'),
    ('transfer_in', 'en', '{reference} confirmed. {amount} received from {name}.[ New balance {balance}.]'),
    ('transfer_in', 'sw', '{reference} imethibitishwa. Umepokea {amount} kutoka kwa {name}.[ Salio jipya {balance}.]'),
    ('transfer_refused', 'en', '{amount} to {name} was not sent: {reason}. No money has left your wallet.'),
    ('transfer_refused', 'sw', '{amount} kwa {name} hazikutumwa: {reason}. Pesa haijatoka kwenye pochi yako.'),
    ('withdrawal', 'en', '{reference} confirmed. {amount} was paid out of your wallet {wallet}.[ New balance {balance}.]'),
    ('withdrawal', 'sw', '{reference} imethibitishwa. {amount} zimetolewa kutoka pochi yako {wallet}.[ Salio jipya {balance}.]'),
    ('reversal_debit', 'en', '{reference} confirmed. {amount} was taken back from your wallet {wallet}.[ New balance {balance}.]'),
    ('reversal_debit', 'sw', '{reference} imethibitishwa. {amount} zimerudishwa kutoka pochi yako {wallet}.[ Salio jipya {balance}.]'),
    ('reversal_credit', 'en', '{reference} confirmed. {amount} was returned to your wallet {wallet}.[ New balance {balance}.]'),
    ('reversal_credit', 'sw', '{reference} imethibitishwa. {amount} zimerudishwa kwenye pochi yako {wallet}.[ Salio jipya {balance}.]'),
    ('suspense_assigned', 'en', '{reference}: {amount} that waited is now in wallet {wallet}.[ New balance {balance}.]'),
    ('suspense_assigned', 'sw', '{reference}: {amount} zilizosubiri sasa ziko kwenye pochi {wallet}.[ Salio jipya {balance}.]')
  ) AS t (key, language, text);

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

CREATE TRIGGER "sms_templates_through_the_door"
    BEFORE INSERT OR UPDATE OR DELETE ON "services"."sms_templates"
    FOR EACH ROW WHEN (current_setting('daftari.door', true) IS DISTINCT FROM 'open')
    EXECUTE FUNCTION services.guard_sms_templates();
CREATE TRIGGER "sms_templates_never_truncated"
    BEFORE TRUNCATE ON "services"."sms_templates"
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('Messages would have no text; change a text with services.set_sms_template.');
CREATE TRIGGER "sms_template_changes_append_only"
    BEFORE UPDATE OR DELETE OR TRUNCATE ON "services"."sms_template_changes"
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is the record of who changed a text, and why.');

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
BEGIN
    IF coalesce(btrim(p_by), '') = '' OR coalesce(btrim(p_reason), '') = '' THEN
        RAISE EXCEPTION 'who changes a text, and why, must be named' USING ERRCODE = '22023';
    END IF;
    SELECT f.fault, f.detail INTO fault, detail FROM services.sms_template_fault(p_key, p_language, p_text) AS f;
    IF fault IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO services.sms_templates AS t (key, language, text, formats, changed_at)
    VALUES (p_key, p_language, p_text, services.compile_sms_template(p_text), clock_timestamp() AT TIME ZONE 'UTC')
        ON CONFLICT (key, language) DO UPDATE
       SET text = EXCLUDED.text, formats = EXCLUDED.formats, changed_at = EXCLUDED.changed_at;
    INSERT INTO services.sms_template_changes (key, language, text, changed_by, reason)
    VALUES (p_key, p_language, p_text, p_by, p_reason);
    PERFORM set_config('daftari.door', '', true);
END
$$;

-- Queues the messages that tell customers about movements of their wallets, in the transaction that moved the money.
--
-- Arrays of equal length, one element a message: to the holder of p_wallets[i], in their language. p_others[i] is the
-- other side of the movement: the text has its holder's name, as customers of mobile money expect once money has
-- moved; where p_reasons[i] says why nothing moved it has the number alone, for a refusal must not tell whose it is.
--
-- A refusal costs whoever asks for it nothing and us a message, so a wallet is told of one in an hour at most.
--
-- Before: the movements are made.
-- After:  one PENDING row an element; none for a wallet that is not a customer's.
CREATE OR REPLACE FUNCTION services.queue_movement_sms(
    p_templates    text[],
    p_wallets      text[],
    p_references   text[],
    p_amounts      numeric[],
    p_currencies   text[],
    p_others       text[],
    p_balances     numeric[],
    p_reasons      text[], -- why nothing moved, NULL where it did
    p_priorities   smallint[]
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
-- As for core.post_transactions: tables are asked for arrays of keys, and what they answer is joined by hashing.
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_nestloop = off
SET jit = off
AS $$
DECLARE
    v_now   constant timestamp := date_trunc('milliseconds', clock_timestamp() AT TIME ZONE 'UTC');
    v_ms    constant bigint := (extract(epoch FROM v_now) * 1000)::bigint;
    v_all   constant text[] := p_wallets || p_others;
    v_told  bigint[]; -- which elements are refusals that are told
BEGIN
    IF 'transfer_refused' = ANY (p_templates) THEN
        -- The row of a wallet is locked by whoever is first; the other sees what they wrote. In order of wallets, so that
        -- two batches never wait for each other.
        WITH first AS (
            SELECT DISTINCT ON (t.wallet) t.wallet, t.ord
              FROM unnest(p_templates, p_wallets) WITH ORDINALITY AS t (template, wallet, ord)
              JOIN core.wallets w ON w.id = t.wallet AND w.id = ANY (p_wallets) AND w.kind = 'CUSTOMER'
             WHERE t.template = 'transfer_refused'
             ORDER BY t.wallet, t.ord
        ), told AS (
            INSERT INTO services.sms_last_told AS l (wallet_id, template, told_at)
            SELECT f.wallet, 'transfer_refused', v_now FROM first f ORDER BY f.wallet
                ON CONFLICT (wallet_id, template) DO UPDATE
               SET told_at = EXCLUDED.told_at
             WHERE l.told_at <= EXCLUDED.told_at - interval '1 hour'
            RETURNING l.wallet_id
        )
        SELECT array_agg(f.ord) INTO v_told FROM told JOIN first f ON f.wallet = told.wallet_id;
    END IF;

    WITH party AS MATERIALIZED (
        SELECT w.id::text, w.kind, w.phone, w.holder_name, w.language::text, w.status
          FROM core.wallets w
         WHERE w.id = ANY (v_all)
    ), wording AS MATERIALIZED (
        SELECT m.key::text, m.language::text, m.formats FROM services.sms_templates m WHERE m.key = ANY (p_templates)
    )
    INSERT INTO services.sms_logs (
        id, recipient, message, status, created_at, next_attempt_at, transaction_reference, template, language, priority
    )
    SELECT core.uuid_v7(v_ms, t.ord::integer & 4095), p.phone,
           services.sms_text(
               m.formats, p.language, t.reference, t.amount, t.currency, t.wallet,
               CASE WHEN t.reason IS NULL AND o.kind = 'CUSTOMER' THEN services.sms_name(o.holder_name) ELSE t.other END,
               t.balance,
               CASE WHEN t.reason LIKE 'wallet\_%' AND p.status <> 'ACTIVE' THEN 'own_wallet' ELSE t.reason END
           ),
           'PENDING', v_now, v_now, t.reference, t.template, p.language, t.priority
      FROM unnest(
        p_templates, p_wallets, p_references, p_amounts, p_currencies, p_others, p_balances, p_reasons, p_priorities
      ) WITH ORDINALITY
        AS t (template, wallet, reference, amount, currency, other, balance, reason, priority, ord)
      JOIN party p ON p.id = t.wallet
      LEFT JOIN party o ON o.id = t.other
      LEFT JOIN wording m ON m.key = t.template AND m.language = p.language
     WHERE p.kind = 'CUSTOMER' AND p.phone IS NOT NULL
       AND (t.template <> 'transfer_refused' OR t.ord = ANY (v_told));
END
$$;

-- Records a batch of payments that M-PESA reported, each credited exactly once, in one round trip.
--
-- Arrays of equal length, one element a payment, in the order in which they arrived. The bodies of the callbacks
-- come as one run of bytes (p_bodies): each begins at p_body_starts, counted from 1, and is p_body_lengths long.
--
-- Before: nothing is locked.
-- After:  for each element one row in the inbox (services.mpesa_callbacks); for each receipt that is new one row
--         in services.mpesa_logs, one transaction in core.transactions, the balances moved through
--         core.post_transactions, and a PENDING row in services.sms_logs where there is somebody to tell.
--         Nothing of it is visible before the caller commits, and all of it afterwards.
--
-- outcome per element:
--   credited   new; the money is in the customer's wallet
--   suspense   new; the money is in the suspense wallet, reason says why, suggestions who may have been meant
--   duplicate  this receipt with the same amount and short code is there already; nothing moved
--   conflict   this receipt is there with another amount or short code (recorded_*), or was logged before there was
--              a ledger and has no transaction; nothing moved
--   refused    no money moved and none could (reason), for instance a sum that the column cannot hold
-- One row an element comes back, in no order: ord says which. suggestions are wallet numbers joined by commas.
-- The transaction, the log, the SMS and the inbox row of a new payment share one id.
CREATE OR REPLACE FUNCTION services.record_deposits(
    p_receipts     text[],
    p_amounts      numeric[],
    p_short_codes  text[],
    p_accounts     text[],
    p_paid_at      timestamp[],
    p_phones       text[],
    p_phone_hashes text[],
    p_names        text[],
    p_payloads     text[], -- NULL: the body itself is fit for jsonb
    p_kinds        text[],
    p_sources      text[],
    p_body_starts  integer[],
    p_body_lengths integer[],
    p_bodies       bytea
)
RETURNS TABLE (
    ord integer, outcome text, original text, reason text, suggestions text,
    wallet text, transaction_id uuid, amount numeric, balance_after numeric,
    created_at timestamp, verification_hash text, recorded_short_code text
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
-- As for core.post_transactions: tables are asked for arrays of keys, and what they answer is joined by hashing.
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_nestloop = off
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    n         constant integer := coalesce(array_length(p_receipts, 1), 0);
    c_float   constant text := 'MPESA-FLOAT';
    c_suspense constant text := 'SUSPENSE';
    v_now     timestamp;
    v_ms      bigint;
    v_targets text[];
    v_reasons text[];
    v_phones  text[]; -- of the wallets' holders
    v_languages text[];
    v_suggestions text[]; -- wallet numbers joined by commas, NULL for none
    v_outcomes text[];
    v_logged   text[]; -- receipts with a log row and no transaction
    v_post    record;
BEGIN
    -- Nearly everybody types the number exactly; who did not is looked for in the other ways.
    SELECT array_agg(w.id::text ORDER BY t.ord), array_agg(w.phone::text ORDER BY t.ord),
           array_agg(w.language::text ORDER BY t.ord)
      INTO v_targets, v_phones, v_languages
      FROM unnest(p_accounts) WITH ORDINALITY AS t (account, ord)
      LEFT JOIN core.wallets w ON w.id = t.account AND w.kind = 'CUSTOMER' AND w.id = ANY (p_accounts);
    IF array_position(v_targets, NULL) IS NOT NULL THEN
        SELECT r.wallets, r.phones, r.reasons, r.suggestions
          INTO v_targets, v_phones, v_reasons, v_suggestions
          FROM core.route_accounts(p_accounts) AS r;
        SELECT array_agg(w.language::text ORDER BY t.ord)
          INTO v_languages
          FROM unnest(v_targets) WITH ORDINALITY AS t (wallet, ord)
          LEFT JOIN core.wallets w ON w.id = t.wallet AND w.id = ANY (v_targets);
        v_targets := array_replace(v_targets, NULL, c_suspense);
    END IF;

    -- Rows that are older than the ledger, from a database that logged payments and credited them in another way: to
    -- credit them now could be once too often. Nothing adds such rows any more, so they can be read before the locks.
    SELECT array_agg(l.mpesa_receipt::text)
      INTO v_logged
      FROM services.mpesa_logs l
     WHERE l.outcome IS NULL AND l.mpesa_receipt = ANY (p_receipts);
    IF v_logged IS NOT NULL THEN
        SELECT array_agg(l.receipt)
          INTO v_logged
          FROM unnest(v_logged) AS l (receipt)
          LEFT JOIN core.transactions x ON x.reference = l.receipt AND x.reference = ANY (v_logged)
         WHERE x.id IS NULL;
    END IF;

    SELECT *
      INTO v_post
      FROM core.post_transactions(
        p_receipts, array_fill('DEPOSIT'::text, ARRAY[n]), array_fill(c_float, ARRAY[n]),
        v_targets, array_fill(c_suspense, ARRAY[n]),
        -- Without an amount the door lets nothing through.
        CASE
            WHEN v_logged IS NULL THEN p_amounts
            ELSE (
                SELECT array_agg(CASE WHEN t.receipt = ANY (v_logged) THEN NULL ELSE t.amount END ORDER BY t.ord)
                  FROM unnest(p_receipts, p_amounts) WITH ORDINALITY AS t (receipt, amount, ord)
            )
        END,
        array_fill('KES'::text, ARRAY[n]), array_fill(NULL::text, ARRAY[n]), array_fill(NULL::text, ARRAY[n]),
        array_fill(NULL::uuid, ARRAY[n])
      );
    v_now := v_post.posted_at;
    v_ms := (extract(epoch FROM v_now) * 1000)::bigint;

    INSERT INTO services.mpesa_logs (
        id, mpesa_receipt, phone, amount, raw_payload, created_at,
        short_code, account, paid_at, phone_hash, payer_name, outcome, reason, suggestions, wallet_id
    )
    SELECT t.id, t.receipt,
           CASE WHEN t.phone IS NULL AND t.phone_hash IS NOT NULL THEN core.phone_of_hash(t.phone_hash) ELSE t.phone END,
           t.amount,
           coalesce(t.payload, convert_from(substr(p_bodies, t.first, t.length), 'UTF8'))::jsonb,
           v_now, t.short_code, t.account, t.paid_at, t.phone_hash, t.payer_name,
           CASE WHEN t.credited = c_suspense THEN 'SUSPENSE' ELSE 'CREDITED' END,
           CASE WHEN t.credited = c_suspense THEN coalesce(t.door_reason, t.reason) END,
           CASE WHEN t.suggestions IS NULL THEN '{}' ELSE string_to_array(t.suggestions, ',') END,
           t.credited
      FROM unnest(
        v_post.ids, p_receipts, p_amounts, p_short_codes, p_accounts, p_paid_at, p_phones, p_phone_hashes, p_names,
        p_payloads, p_body_starts, p_body_lengths, v_reasons, v_suggestions, v_post.reasons, v_post.credited
      ) AS t (
        id, receipt, amount, short_code, account, paid_at, phone, phone_hash, payer_name,
        payload, first, length, reason, suggestions, door_reason, credited
      )
     WHERE t.id IS NOT NULL;

    -- The holder of the wallet is told, or, when the money waits, the payer. One whose number came as a hash is told
    -- where the provider accepts hashes; a masked number cannot be sent to, and the row says so.
    INSERT INTO services.sms_logs (
        id, recipient, recipient_hash, message, status, phase, error_code, error_message, created_at, next_attempt_at,
        transaction_reference, template, language
    )
    SELECT t.id, CASE WHEN t.is_number THEN t.recipient END, CASE WHEN t.is_hash THEN t.phone_hash END,
           services.sms_text(
               m.formats, t.language, t.receipt, t.amount, 'KES', t.credited, services.sms_name(t.payer_name),
               CASE WHEN t.template = 'deposit' THEN t.balance END, NULL
           ),
           CASE WHEN t.is_number OR t.is_hash THEN 'PENDING' ELSE 'FAILED' END,
           CASE WHEN t.is_number OR t.is_hash THEN 'QUEUED' ELSE 'DONE' END,
           CASE WHEN t.is_number OR t.is_hash THEN NULL ELSE 'masked_number' END,
           CASE
               WHEN t.is_number OR t.is_hash THEN NULL
               ELSE 'M-PESA masks the payer''s number: he cannot be told that his money waits until he asks.'
           END,
           v_now, v_now, t.receipt, t.template, t.language
      FROM (
        SELECT r.*, coalesce(r.recipient ~ '^[0-9]{9,15}$', false) AS is_number,
               r.recipient IS NULL AND length(r.phone_hash) = 64 AS is_hash
          FROM (
            SELECT p.id, p.receipt, p.amount, p.credited, p.balance, p.phone_hash, p.payer_name,
                   CASE WHEN p.credited = c_suspense THEN 'deposit_suspense' ELSE 'deposit' END AS template,
                   CASE WHEN p.credited = c_suspense THEN 'en' ELSE p.language END AS language,
                   CASE
                       WHEN p.credited <> c_suspense THEN p.holder_phone
                       WHEN p.payer_phone IS NULL AND p.phone_hash IS NOT NULL THEN core.phone_of_hash(p.phone_hash)
                       ELSE p.payer_phone
                   END AS recipient
              FROM unnest(
                v_post.ids, p_receipts, p_amounts, p_phones, p_phone_hashes, p_names, v_phones, v_languages,
                v_post.credited, v_post.credit_balances
              ) AS p (
                id, receipt, amount, payer_phone, phone_hash, payer_name, holder_phone, language, credited, balance
              )
             WHERE p.id IS NOT NULL
          ) r
      ) t
      LEFT JOIN services.sms_templates m
        ON m.key = t.template AND m.language = t.language AND m.key IN ('deposit', 'deposit_suspense')
     WHERE t.recipient IS NOT NULL OR t.phone_hash IS NOT NULL;

    -- What each payment became. A receipt that was there before, in the table or earlier in this batch, is
    -- compared with what is recorded of it; a transaction without its log row (an older database) by its amount.
    v_outcomes := v_post.outcomes;
    IF 'exists' = ANY (v_outcomes) OR 'exists_different' = ANY (v_outcomes) OR v_logged IS NOT NULL THEN
        SELECT array_agg(
                   CASE
                       WHEN t.receipt = ANY (v_logged) THEN 'conflict'
                       WHEN t.door_outcome NOT IN ('exists', 'exists_different') THEN t.door_outcome
                       WHEN x.amount = t.amount AND x.type = 'DEPOSIT'
                            AND coalesce(l.short_code, t.short_code) = t.short_code THEN 'duplicate'
                       ELSE 'conflict'
                   END ORDER BY t.ord
               )
          INTO v_outcomes
          FROM unnest(p_receipts, p_amounts, p_short_codes, v_post.outcomes)
               WITH ORDINALITY AS t (receipt, amount, short_code, door_outcome, ord)
          LEFT JOIN core.transactions x ON x.reference = t.receipt AND x.reference = ANY (p_receipts)
          LEFT JOIN services.mpesa_logs l ON l.mpesa_receipt = t.receipt AND l.mpesa_receipt = ANY (p_receipts);
    END IF;

    INSERT INTO services.mpesa_callbacks (id, kind, receipt, outcome, error, source, body, received_at)
    SELECT coalesce(t.id, core.uuid_v7(v_ms, (t.ord & 4095)::integer)), t.kind, t.receipt,
           CASE
               WHEN t.outcome = 'created' AND t.credited = c_suspense THEN 'SUSPENSE'
               WHEN t.outcome = 'created' THEN 'CREDITED'
               WHEN t.outcome = 'refused' THEN 'FAILED'
               ELSE upper(t.outcome)
           END,
           CASE
               WHEN t.outcome = 'refused' THEN t.door_reason
               WHEN t.credited = c_suspense THEN coalesce(t.door_reason, t.reason)
           END,
           t.source, substr(p_bodies, t.first, t.length), v_now
      FROM unnest(
        v_post.ids, p_receipts, p_kinds, p_sources, p_body_starts, p_body_lengths, v_reasons, v_outcomes,
        v_post.reasons, v_post.credited
      ) WITH ORDINALITY AS t (id, receipt, kind, source, first, length, reason, outcome, door_reason, credited, ord);

    RETURN QUERY
    SELECT t.ord::integer,
           CASE
               WHEN t.id IS NULL THEN t.outcome
               WHEN t.credited = c_suspense THEN 'suspense'
               ELSE 'credited'
           END,
           NULL, coalesce(t.door_reason, t.reason), t.suggestions,
           t.credited, t.id, t.amount, t.balance, v_now, t.hash, t.short_code
      FROM unnest(
        v_post.ids, p_amounts, p_short_codes, v_reasons, v_suggestions, v_outcomes,
        v_post.reasons, v_post.credited, v_post.credit_balances, v_post.hashes
      ) WITH ORDINALITY AS t (
        id, amount, short_code, reason, suggestions, outcome, door_reason, credited, balance, hash, ord
      )
     WHERE t.outcome IN ('created', 'refused');

    IF 'duplicate' = ANY (v_outcomes) OR 'conflict' = ANY (v_outcomes) THEN
        RETURN QUERY
        SELECT t.ord::integer, t.outcome, lower(l.outcome), l.reason::text, array_to_string(l.suggestions, ','),
               x.credit_wallet_id::text, x.id, coalesce(x.amount, l.amount), x.credit_balance_after,
               x.created_at::timestamp, x.verification_hash::text, l.short_code::text
          FROM unnest(p_receipts, v_outcomes) WITH ORDINALITY AS t (receipt, outcome, ord)
          LEFT JOIN core.transactions x ON x.reference = t.receipt AND x.reference = ANY (p_receipts)
          LEFT JOIN services.mpesa_logs l ON l.mpesa_receipt = t.receipt AND l.mpesa_receipt = ANY (p_receipts)
         WHERE t.outcome IN ('duplicate', 'conflict');
    END IF;
END
$$;

-- core.record_transfers, and the customers are told: both sides of a transfer, and the sender when his was refused.
--
-- p_notify[i]: false for a transfer that nobody shall hear of. A refusal is told as what can wait, and only where
--              the customer asked for something sensible: not for an amount or a pair of wallets that could never be.
CREATE OR REPLACE FUNCTION services.record_transfers(
    p_keys       text[],
    p_digests    text[],
    p_references text[],
    p_debits     text[],
    p_credits    text[],
    p_amounts    numeric[],
    p_currencies text[],
    p_narratives text[],
    p_notify     boolean[]
)
RETURNS TABLE (
    ord integer, outcome text, reason text, reference text, transaction_id uuid, amount numeric, fee numeric,
    balance_after numeric, created_at timestamp, verification_hash text
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    v_done record;
    v_news record;
BEGIN
    SELECT *
      INTO v_done
      FROM core.record_transfers(
        p_keys, p_digests, p_references, p_debits, p_credits, p_amounts, p_currencies, p_narratives
      );

    IF true = ANY (p_notify) THEN
        SELECT array_agg(n.template) AS templates, array_agg(n.wallet) AS wallets, array_agg(n.reference) AS refs,
               array_agg(t.amount) AS amounts, array_agg(t.currency) AS currencies, array_agg(n.other) AS others,
               array_agg(n.balance) AS balances, array_agg(n.reason) AS reasons,
               array_agg(n.priority::smallint) AS priorities
          INTO v_news
          FROM unnest(
            p_debits, p_credits, p_amounts, p_currencies, p_notify, v_done.outcomes, v_done.reasons, v_done.refs,
            v_done.balances, v_done.credit_balances
          ) AS t (debit, credit, amount, currency, notify, outcome, reason, reference, balance, credit_balance)
         CROSS JOIN LATERAL (
            VALUES ('transfer_out', 'posted', t.debit, t.credit, t.reference, t.balance, NULL, 0),
                   ('transfer_in', 'posted', t.credit, t.debit, t.reference, t.credit_balance, NULL, 0),
                   ('transfer_refused', 'refused', t.debit, t.credit, NULL, NULL, t.reason, 1)
         ) AS n (template, outcome, wallet, other, reference, balance, reason, priority)
         WHERE t.notify AND n.outcome = t.outcome
           AND (t.reason IS NULL OR t.reason NOT IN ('invalid_amount', 'same_wallet'));
        IF v_news.templates IS NOT NULL THEN
            PERFORM services.queue_movement_sms(
                v_news.templates, v_news.wallets, v_news.refs, v_news.amounts, v_news.currencies, v_news.others,
                v_news.balances, v_news.reasons, v_news.priorities
            );
        END IF;
    END IF;

    RETURN QUERY
    SELECT t.ord::integer, t.outcome, t.reason, t.reference, t.id, t.amount, t.fee, t.balance, t.created_at, t.hash
      FROM unnest(
        v_done.outcomes, v_done.reasons, v_done.refs, v_done.ids, p_amounts, v_done.fees, v_done.balances,
        v_done.times, v_done.hashes
      ) WITH ORDINALITY AS t (outcome, reason, reference, id, amount, fee, balance, created_at, hash, ord);
END
$$;

-- Trigger function: what is paid out of a hold is told to the customers whose wallets it touches, whichever way it was
-- captured. Its fee is posted by then, so what the wallets have now is what is left in them.
CREATE OR REPLACE FUNCTION services.tell_of_capture()
RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t core.transactions;
BEGIN
    SELECT * INTO t FROM core.transactions x WHERE x.reference = NEW.capture_reference;
    PERFORM services.queue_movement_sms(
        ARRAY[CASE t.type WHEN 'WITHDRAWAL' THEN 'withdrawal' ELSE 'transfer_out' END, 'transfer_in'],
        ARRAY[t.debit_wallet_id, t.credit_wallet_id]::text[], ARRAY[t.reference, t.reference]::text[],
        ARRAY[t.amount, t.amount], ARRAY[t.currency, t.currency]::text[],
        ARRAY[t.credit_wallet_id, t.debit_wallet_id]::text[],
        ARRAY[
            (SELECT w.balance FROM core.wallets w WHERE w.id = t.debit_wallet_id),
            (SELECT w.balance FROM core.wallets w WHERE w.id = t.credit_wallet_id)
        ],
        ARRAY[NULL, NULL]::text[], ARRAY[0, 0]::smallint[]
    );
    RETURN NULL;
END
$$;

-- Trigger function: a reversal and an assignment are told to the customers whose wallets they touch, whichever way they
-- were posted. They are rare; deposits and transfers are told by the functions that record them, a batch at a time.
CREATE OR REPLACE FUNCTION services.tell_of_transaction()
RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NEW.type = 'REVERSAL' THEN
        PERFORM services.queue_movement_sms(
            ARRAY['reversal_debit', 'reversal_credit'], ARRAY[NEW.debit_wallet_id, NEW.credit_wallet_id]::text[],
            ARRAY[NEW.reference, NEW.reference]::text[], ARRAY[NEW.amount, NEW.amount],
            ARRAY[NEW.currency, NEW.currency]::text[], ARRAY[NEW.credit_wallet_id, NEW.debit_wallet_id]::text[],
            ARRAY[NEW.debit_balance_after, NEW.credit_balance_after], ARRAY[NULL, NULL]::text[], ARRAY[0, 0]::smallint[]
        );
    ELSE
        PERFORM services.queue_movement_sms(
            ARRAY['suspense_assigned'], ARRAY[NEW.credit_wallet_id]::text[], ARRAY[NEW.reference]::text[],
            ARRAY[NEW.amount], ARRAY[NEW.currency]::text[], ARRAY[NEW.debit_wallet_id]::text[],
            ARRAY[NEW.credit_balance_after], ARRAY[NULL]::text[], ARRAY[0]::smallint[]
        );
    END IF;
    RETURN NULL;
END
$$;
