-- The ledger: balances that are exact and checkable, and the one door through which they change.
--
-- Before: wallets with a balance; transactions between them, perhaps with rows.
-- After:  wallets have a kind, money held, a floor, a language and a version that counts postings; the outside world is
--         three system wallets; each transaction says for both sides which posting of the wallet it was and the balance
--         after it. Rows from before have theirs, in order of time. core.requests remembers idempotency keys,
--         core.wallet_events who changed a wallet and why, services.api_keys the hashes of keys.
--         core.post_transactions is the only way to move money; triggers refuse every other (DF003).
-- Fails, and changes nothing, when a wallet's balance is not the sum of its transactions (DF010).

ALTER TABLE core.wallets
    ADD COLUMN kind VARCHAR(10) NOT NULL DEFAULT 'CUSTOMER',
    ADD COLUMN held DECIMAL(19,2) NOT NULL DEFAULT 0,
    ADD COLUMN min_balance DECIMAL(19,2) DEFAULT 0,
    ADD COLUMN version BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN language CHAR(2) NOT NULL DEFAULT 'en',
    -- Half of each page stays free, so that a new balance is written beside the old one (HOT update).
    SET (fillfactor = 50);

-- MPESA-FLOAT has no floor: its negative balance is what M-PESA holds for us.
INSERT INTO core.wallets (id, holder_name, kind, min_balance) VALUES
    ('MPESA-FLOAT', 'M-PESA float', 'SYSTEM', NULL),
    ('SUSPENSE', 'Payments whose wallet is not known yet', 'SYSTEM', 0),
    ('FEES', 'Fees earned', 'SYSTEM', 0)
ON CONFLICT (id) DO UPDATE SET kind = 'SYSTEM', min_balance = EXCLUDED.min_balance;

ALTER TABLE core.transactions
    ADD COLUMN debit_version BIGINT,
    ADD COLUMN debit_balance_after DECIMAL(19,2),
    ADD COLUMN credit_version BIGINT,
    ADD COLUMN credit_balance_after DECIMAL(19,2),
    ADD COLUMN idempotency_key VARCHAR(255),
    ADD COLUMN request_digest VARCHAR(64),
    ADD COLUMN reverses_id UUID,
    ADD COLUMN xact_id BIGINT,
    ADD COLUMN narrative VARCHAR(255);

-- ---- Rows from before the ledger ----

WITH legs AS (
    SELECT id, created_at, debit_wallet_id AS wallet_id, -amount AS change, true AS is_debit FROM core.transactions
    UNION ALL
    SELECT id, created_at, credit_wallet_id, amount, false FROM core.transactions
), running AS (
    SELECT id, is_debit, row_number() OVER w AS version, sum(change) OVER w AS balance_after
      FROM legs
    WINDOW w AS (PARTITION BY wallet_id ORDER BY created_at, id ROWS UNBOUNDED PRECEDING)
)
UPDATE core.transactions t
   SET debit_version = d.version,
       debit_balance_after = d.balance_after,
       credit_version = c.version,
       credit_balance_after = c.balance_after,
       xact_id = pg_current_xact_id()::text::bigint
  FROM running d, running c
 WHERE d.id = t.id AND d.is_debit AND c.id = t.id AND NOT c.is_debit;

UPDATE core.wallets w
   SET version = s.postings
  FROM (
    SELECT wallet_id, count(*) AS postings
      FROM (
        SELECT debit_wallet_id AS wallet_id FROM core.transactions
        UNION ALL
        SELECT credit_wallet_id FROM core.transactions
      ) legs
     GROUP BY wallet_id
  ) s
 WHERE s.wallet_id = w.id;

DO $$
DECLARE
    v_count integer;
    v_first text;
BEGIN
    SELECT count(*), min(w.id) INTO v_count, v_first
      FROM core.wallets w
     WHERE w.balance <> coalesce((SELECT sum(t.amount) FROM core.transactions t WHERE t.credit_wallet_id = w.id), 0)
                      - coalesce((SELECT sum(t.amount) FROM core.transactions t WHERE t.debit_wallet_id = w.id), 0);
    IF v_count > 0 THEN
        RAISE EXCEPTION '% wallet(s) have a balance that their transactions do not add up to, the first is %', v_count, v_first
            USING ERRCODE = 'DF010',
                  HINT = 'Add the missing transactions (an opening balance comes from MPESA-FLOAT) and deploy again.';
    END IF;
END
$$;

-- ---- What must hold ----

ALTER TABLE core.wallets
    ADD CONSTRAINT wallets_kind_check CHECK (kind IN ('CUSTOMER', 'SYSTEM')),
    ADD CONSTRAINT wallets_status_check CHECK (status IN ('ACTIVE', 'FROZEN', 'CLOSED')),
    ADD CONSTRAINT wallets_currency_check CHECK (currency ~ '^[A-Z]{3}$'),
    ADD CONSTRAINT wallets_phone_check CHECK (phone ~ '^[0-9]{9,15}$'),
    ADD CONSTRAINT wallets_language_check CHECK (language IN ('en', 'sw')),
    ADD CONSTRAINT wallets_held_check CHECK (held >= 0),
    -- No overdraft, whatever the code does. A NULL floor means there is none.
    ADD CONSTRAINT wallets_funds_check CHECK (balance - held >= min_balance),
    ADD CONSTRAINT wallets_version_check CHECK (version >= 0);

ALTER TABLE core.transactions
    ALTER COLUMN debit_version SET NOT NULL,
    ALTER COLUMN debit_balance_after SET NOT NULL,
    ALTER COLUMN credit_version SET NOT NULL,
    ALTER COLUMN credit_balance_after SET NOT NULL,
    ALTER COLUMN xact_id SET NOT NULL,
    ADD CONSTRAINT transactions_type_check
        CHECK (type IN ('DEPOSIT', 'TRANSFER', 'WITHDRAWAL', 'FEE', 'REVERSAL', 'ASSIGNMENT')),
    ADD CONSTRAINT transactions_amount_check CHECK (amount > 0),
    ADD CONSTRAINT transactions_wallets_check CHECK (debit_wallet_id <> credit_wallet_id),
    ADD CONSTRAINT transactions_reverses_check CHECK ((type = 'REVERSAL') = (reverses_id IS NOT NULL)),
    ADD CONSTRAINT transactions_request_check CHECK ((idempotency_key IS NULL) = (request_digest IS NULL)),
    ADD CONSTRAINT transactions_reverses_id_fkey FOREIGN KEY (reverses_id)
        REFERENCES core.transactions (id) ON DELETE RESTRICT ON UPDATE RESTRICT;

-- Each posting of a wallet has one place in its order; the same indexes serve its statement.
CREATE UNIQUE INDEX transactions_debit_posting_key ON core.transactions (debit_wallet_id, debit_version);
CREATE UNIQUE INDEX transactions_credit_posting_key ON core.transactions (credit_wallet_id, credit_version);
CREATE INDEX transactions_reverses_id_idx ON core.transactions (reverses_id) WHERE reverses_id IS NOT NULL;
-- The back-fill finds what has no hash at once; in a database without old rows the index is empty.
CREATE INDEX transactions_unhashed_idx ON core.transactions (id) WHERE verification_hash IS NULL;
CREATE INDEX idx_wallets_phone ON core.wallets (phone);

CREATE TABLE core.requests (
    idempotency_key VARCHAR(255) NOT NULL,
    -- SHA-256 over the request: the same key with another request is an error.
    digest VARCHAR(64) NOT NULL,
    outcome VARCHAR(20) NOT NULL,
    reason VARCHAR(40),
    -- The transaction's reference, or the hold's id.
    reference VARCHAR(50),
    created_at TIMESTAMP(3) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),

    CONSTRAINT requests_pkey PRIMARY KEY (idempotency_key),
    CONSTRAINT requests_outcome_check CHECK (outcome IN ('POSTED', 'REFUSED')),
    CONSTRAINT requests_answer_check CHECK (
        CASE outcome WHEN 'POSTED' THEN reference IS NOT NULL ELSE reason IS NOT NULL END
    )
);

CREATE TABLE core.wallet_events (
    id UUID NOT NULL,
    wallet_id VARCHAR(20) NOT NULL,
    -- The column of core.wallets, with its values as text.
    changed VARCHAR(20) NOT NULL,
    old_value TEXT,
    new_value TEXT,
    actor VARCHAR(100) NOT NULL,
    reason TEXT NOT NULL,
    created_at TIMESTAMP(3) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),

    CONSTRAINT wallet_events_pkey PRIMARY KEY (id),
    CONSTRAINT wallet_events_wallet_id_fkey FOREIGN KEY (wallet_id)
        REFERENCES core.wallets (id) ON DELETE RESTRICT ON UPDATE RESTRICT
);

CREATE INDEX wallet_events_wallet_id_idx ON core.wallet_events (wallet_id, created_at);

CREATE TABLE services.api_keys (
    id UUID NOT NULL,
    name VARCHAR(100) NOT NULL,
    -- SHA-256 of the key, which itself is shown once and stored nowhere.
    key_hash VARCHAR(64) NOT NULL,
    scopes TEXT[] NOT NULL,
    created_at TIMESTAMP(3) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),
    revoked_at TIMESTAMP(3),

    CONSTRAINT api_keys_pkey PRIMARY KEY (id),
    CONSTRAINT api_keys_scopes_check CHECK (scopes <@ ARRAY['read', 'transact', 'admin'] AND cardinality(scopes) > 0)
);

CREATE UNIQUE INDEX api_keys_key_hash_key ON services.api_keys (key_hash);

-- ==== functions: written by db:migration, edit prisma/functions instead ====

-- The verification hash of a transaction: SHA-256 in lower-case hex over the UTF-8 bytes of the reference, the
-- amount with exactly two decimals, and the time as YYYY-MM-DDTHH:MM:SS.mmmZ, with nothing between them.
-- verificationHash() in packages/db computes the same in TypeScript; a property test compares the two.
--
-- p_created_at: UTC; milliseconds are the last digit that counts.
--
-- Not declared IMMUTABLE, although it is for this format, so that PostgreSQL can expand it in place.
CREATE OR REPLACE FUNCTION core.verification_hash(p_reference text, p_amount numeric, p_created_at timestamp)
RETURNS text
LANGUAGE sql
STABLE
AS $$
    SELECT encode(
        sha256(convert_to(
            p_reference || round(p_amount, 2)::text || to_char(p_created_at, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
            'UTF8'
        )),
        'hex'
    )
$$;

-- Gives transactions that are older than the verification hash theirs: the p_limit oldest that have none. It is the
-- only change that a written transaction ever sees, and it fills what was empty.
--
-- After: how many were given one; 0 when none is left that can have one: a row whose time is no moment ('infinity') has
--        no hash and stays without. Call it until then; each call is a transaction of its own, so it can be stopped
--        and taken up again at any time.
CREATE OR REPLACE FUNCTION core.backfill_hashes(p_limit integer)
RETURNS integer
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_count integer;
BEGIN
    PERFORM set_config('daftari.door', 'backfill', true);
    UPDATE core.transactions t
       SET verification_hash = core.verification_hash(
           p_reference => t.reference, p_amount => t.amount, p_created_at => t.created_at
       )
     WHERE t.id IN (
        SELECT o.id
          FROM core.transactions o
         WHERE o.verification_hash IS NULL
           AND core.verification_hash(
               p_reference => o.reference, p_amount => o.amount, p_created_at => o.created_at
           ) IS NOT NULL
         ORDER BY o.id
         LIMIT p_limit
           FOR NO KEY UPDATE SKIP LOCKED
     );
    GET DIAGNOSTICS v_count = ROW_COUNT;
    PERFORM set_config('daftari.door', '', true);
    RETURN v_count;
END
$$;

-- Takes the locks of wallets in the one global order, for functions that must look before they call the door.
CREATE OR REPLACE FUNCTION core.lock_wallets(p_ids text[])
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $$
BEGIN
    PERFORM 1
       FROM core.wallets w
      WHERE w.id = ANY (p_ids)
      ORDER BY w.kind = 'SYSTEM', w.id COLLATE "C"
        FOR NO KEY UPDATE;
END
$$;

-- A Kenyan mobile number in the one form in which phones are stored, 2547XXXXXXXX or 2541XXXXXXXX, from any of
-- the forms that people type: 07..., 7..., 2547..., +2547..., 002547.... NULL for anything else.
-- Spaces and hyphens must be gone already.
CREATE OR REPLACE FUNCTION core.normalize_phone(p_typed text)
RETURNS text
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $$
    SELECT '254' || substring(p_typed FROM '^(?:\+?254|00254|0)?([17][0-9]{8})$')
$$;

-- Writes down what changed of a wallet, who wanted it and why. p_actor: NULL for the database role of the session.
CREATE OR REPLACE FUNCTION core.note_wallet_change(
    p_wallet text, p_column text, p_from text, p_to text, p_reason text, p_actor text
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO core.wallet_events (wallet_id, changed, old_value, new_value, actor, reason)
    VALUES (p_wallet, p_column, p_from, p_to, coalesce(p_actor, session_user), p_reason);
    PERFORM set_config('daftari.door', '', true);
END
$$;

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

-- What is wrong with a wallet's holder or phone as they are to be written, or NULL: invalid_holder_name, invalid_phone.
-- NULL for either is not looked at.
CREATE OR REPLACE FUNCTION core.wallet_fault(p_holder_name text, p_phone text)
RETURNS text
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE
        WHEN p_holder_name <> btrim(p_holder_name) OR p_holder_name IS NOT NULL AND NOT core.is_holder_name(p_holder_name)
            THEN 'invalid_holder_name'
        WHEN p_phone IS NOT NULL AND core.normalize_phone(p_phone) IS NULL THEN 'invalid_phone'
    END
$$;

-- Changes the holder's name, phone or language of a customer's wallet and writes down who wanted it and why.
--
-- p_holder_name, p_phone, p_language: NULL for what stays; p_phone '' for a wallet without a phone from now on. Payments
--                                     are routed by the phone too: from the commit on to where it belongs now.
-- p_actor:                            who; NULL for the database role of the session.
--
-- After: outcome 'done', also when nothing was different, and one row in core.wallet_events for each column that
--        changed; or 'refused' with reason: unknown_wallet, wallet_closed, invalid_holder_name, invalid_phone.
CREATE OR REPLACE FUNCTION core.change_wallet(
    p_wallet text, p_holder_name text, p_phone text, p_language text, p_reason text, p_actor text DEFAULT NULL,
    OUT outcome text, OUT reason text
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    w core.wallets;
    n core.wallets;
BEGIN
    PERFORM core.lock_wallets(ARRAY[p_wallet]);
    SELECT * INTO w FROM core.wallets WHERE id = p_wallet AND kind = 'CUSTOMER';
    reason := CASE
        WHEN w.id IS NULL THEN 'unknown_wallet'
        WHEN w.status = 'CLOSED' THEN 'wallet_closed'
        ELSE core.wallet_fault(p_holder_name => p_holder_name, p_phone => nullif(p_phone, ''))
    END;
    outcome := CASE WHEN reason IS NULL THEN 'done' ELSE 'refused' END;
    IF reason IS NOT NULL THEN
        RETURN;
    END IF;

    n := w;
    n.holder_name := coalesce(p_holder_name, w.holder_name);
    n.phone := CASE WHEN p_phone IS NULL THEN w.phone ELSE core.normalize_phone(nullif(p_phone, '')) END;
    n.language := coalesce(p_language, w.language);
    IF n IS NOT DISTINCT FROM w THEN
        RETURN;
    END IF;
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE core.wallets
       SET holder_name = n.holder_name, phone = n.phone, language = n.language,
           updated_at = greatest(updated_at, clock_timestamp() AT TIME ZONE 'UTC')
     WHERE id = p_wallet;
    PERFORM set_config('daftari.door', '', true);
    PERFORM core.note_wallet_change(
        p_wallet => p_wallet, p_column => c.changed, p_from => c.old_value, p_to => c.new_value,
        p_reason => p_reason, p_actor => p_actor
    )
       FROM (
        VALUES ('holder_name', w.holder_name, n.holder_name), ('phone', w.phone, n.phone),
               ('language', w.language::text, n.language::text)
       ) AS c (changed, old_value, new_value)
      WHERE c.old_value IS DISTINCT FROM c.new_value;
END
$$;

-- Trigger function: refuses to write an invalid name of a customer. Names from before the rule stay.
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

-- What came of an idempotency key before: NULL when it is new, otherwise 'replayed' or 'key_reused'. Called with the
-- locks of the wallets held, so that a request under way elsewhere has been committed by then.
CREATE OR REPLACE FUNCTION core.find_request(p_key text, p_digest text)
RETURNS text
LANGUAGE sql
VOLATILE
AS $$
    SELECT CASE WHEN q.digest = p_digest THEN 'replayed' ELSE 'key_reused' END
      FROM core.requests q
     WHERE q.idempotency_key = p_key
$$;

-- Trigger function: the only change to a transaction is that its missing hash is filled in, with the hash that it
-- should have. Everything else of the row stays as it was written.
CREATE OR REPLACE FUNCTION core.guard_backfill()
RETURNS trigger
LANGUAGE plpgsql
AS $$
DECLARE
    v_rest core.transactions := NEW;
BEGIN
    v_rest.verification_hash := OLD.verification_hash;
    IF OLD.verification_hash IS NOT NULL OR v_rest *<> OLD
       OR NEW.verification_hash IS DISTINCT FROM core.verification_hash(
           p_reference => OLD.reference, p_amount => OLD.amount, p_created_at => OLD.created_at
       ) THEN
        RAISE EXCEPTION 'UPDATE on core.transactions is refused: only a missing hash is filled in, with the right one'
            USING ERRCODE = 'DF001', HINT = 'Correct a mistake with a REVERSAL through core.post_transactions.';
    END IF;
    RETURN NEW;
END
$$;

-- Trigger function: a transaction is written by core.post_transactions, together with the balances, or not at all.
CREATE OR REPLACE FUNCTION core.guard_transactions()
RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    IF current_setting('daftari.door', true) IS DISTINCT FROM 'open' THEN
        RAISE EXCEPTION 'INSERT into core.transactions is refused: it would leave the balances behind'
            USING ERRCODE = 'DF002',
                  HINT = 'Call core.post_transactions, or recordDeposit and its like in @repo/db, which call it.';
    END IF;
    RETURN NULL;
END
$$;

-- Trigger function: every column of a wallet decides over money or identity, so all of them change through functions.
--
-- The triggers call it only for what does not come through the door, for a wallet that is to open with money in it, and
-- for DELETE.
CREATE OR REPLACE FUNCTION core.guard_wallets()
RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'a wallet is never deleted'
            USING ERRCODE = 'DF004',
                  HINT = 'Close it with core.set_wallet_status, or closeWallet in @repo/db; its number stays taken and its past readable.';
    ELSIF TG_OP = 'INSERT' THEN
        RAISE EXCEPTION 'INSERT into core.wallets is refused: a wallet opens through its function, with nothing in it'
            USING ERRCODE = 'DF003', HINT = 'Call core.open_wallet, or openWallet in @repo/db.';
    END IF;
    RAISE EXCEPTION 'UPDATE on core.wallets is refused: a wallet changes through its functions, which write down who and why'
        USING ERRCODE = 'DF003',
              HINT = 'Holder, phone and language: core.change_wallet or updateWallet in @repo/db. Status: core.set_wallet_status or freezeWallet and its like. Floor: core.set_wallet_floor or setWalletFloor. Money: core.post_transactions or recordDeposit and its like.';
END
$$;

-- Is this a well-formed wallet number: ten digits, no leading zero, the last one the Damm check digit of the
-- others? Damm's scheme finds every single wrong digit and every swap of two neighbours (H. M. Damm, 2004).
--
-- The literal is Damm's quasigroup of order ten, row by row: the next state for a state and a digit.
CREATE OR REPLACE FUNCTION core.has_check_digit(p_number text)
RETURNS boolean
LANGUAGE plpgsql
IMMUTABLE
PARALLEL SAFE
AS $$
DECLARE
    c_table constant text :=
        '0317598642' || '7092154863' || '4206871359' || '1750983426' || '6123045978'
        || '3674209581' || '5869720134' || '8945362017' || '9438617205' || '2581436790';
    v_state integer := 0;
BEGIN
    IF p_number !~ '^[1-9][0-9]{9}$' THEN
        RETURN false;
    END IF;
    FOR i IN 1 .. 10 LOOP
        v_state := substr(c_table, v_state * 10 + substr(p_number, i, 1)::integer + 1, 1)::integer;
    END LOOP;
    RETURN v_state = 0;
END
$$;

-- The place of each name among all of them, sorted: equal names share a place, NULL has none.
--
-- Before: the caller has switched nested loops off, so that names are found by hashing.
-- After:  places has one element a name, names each different one once, at its place.
CREATE OR REPLACE FUNCTION core.rank_names(p_names text[], OUT places integer[], OUT names text[])
LANGUAGE plpgsql
IMMUTABLE
AS $$
BEGIN
    SELECT array_agg(d.name ORDER BY d.name COLLATE "C")
      INTO names
      FROM (SELECT DISTINCT s.name FROM unnest(p_names) AS s (name) WHERE s.name IS NOT NULL) d;
    SELECT array_agg(t.place::integer ORDER BY s.slot)
      INTO places
      FROM unnest(p_names) WITH ORDINALITY AS s (name, slot)
      LEFT JOIN unnest(names) WITH ORDINALITY AS t (name, place) ON t.name = s.name;
END
$$;

-- For which requests these idempotency keys were used. For core.post_transactions, which has locked their wallets.
--
-- After: all is NULL, as nearly always, when no key is used and none is named twice. Otherwise places has the place of
--        each item's key, and digests the request of each, NULL where the key is free.
CREATE OR REPLACE FUNCTION core.known_keys(p_keys text[], OUT places integer[], OUT digests text[])
LANGUAGE plpgsql
STABLE
AS $$
DECLARE
    v_used  text[];
    v_names text[];
BEGIN
    SELECT array_agg(q.idempotency_key::text), array_agg(q.digest::text)
      INTO v_used, digests
      FROM core.requests q
     WHERE q.idempotency_key = ANY (p_keys);
    IF v_used IS NULL
       AND (SELECT count(DISTINCT t.key COLLATE "C") = count(t.key) FROM unnest(p_keys) AS t (key)) THEN
        RETURN;
    END IF;
    SELECT r.places, r.names INTO places, v_names FROM core.rank_names(p_keys) AS r;
    SELECT array_agg(q.digest ORDER BY s.place)
      INTO digests
      FROM unnest(v_names) WITH ORDINALITY AS s (key, place)
      LEFT JOIN unnest(v_used, digests) AS q (key, digest) ON q.key = s.key;
END
$$;

-- What the transactions under these references moved. For core.post_transactions, which has locked their wallets.
--
-- After: all is NULL, as nearly always, when no reference is taken and none is named twice. Otherwise places has the
--        place of each item's reference, and amounts, debits and credits what is recorded there, NULL for nothing yet.
CREATE OR REPLACE FUNCTION core.known_references(
    p_references text[], OUT places integer[], OUT amounts numeric[], OUT debits text[], OUT credits text[]
)
LANGUAGE plpgsql
STABLE
AS $$
DECLARE
    v_taken text[];
    v_names text[];
BEGIN
    SELECT array_agg(t.reference::text), array_agg(t.amount), array_agg(t.debit_wallet_id::text),
           array_agg(t.credit_wallet_id::text)
      INTO v_taken, amounts, debits, credits
      FROM core.transactions t
     WHERE t.reference = ANY (p_references);
    IF v_taken IS NULL
       AND (SELECT count(DISTINCT q.reference COLLATE "C") FROM unnest(p_references) AS q (reference))
           = cardinality(p_references) THEN
        RETURN;
    END IF;
    SELECT r.places, r.names INTO places, v_names FROM core.rank_names(p_references) AS r;
    SELECT array_agg(t.amount ORDER BY s.place), array_agg(t.debit ORDER BY s.place), array_agg(t.credit ORDER BY s.place)
      INTO amounts, debits, credits
      FROM unnest(v_names) WITH ORDINALITY AS s (reference, place)
      LEFT JOIN unnest(v_taken, amounts, debits, credits) AS t (reference, amount, debit, credit)
        ON t.reference = s.reference;
END
$$;

-- The words of a name as people look for them: small letters without accents and apostrophes; hyphens and full stops
-- part words.
CREATE OR REPLACE FUNCTION core.name_words(p_name text)
RETURNS text[]
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $$
    SELECT array_remove(string_to_array(
        regexp_replace(
            regexp_replace(lower(normalize(p_name, NFKD)), '[\u0300-\u036F\u0027\u2018\u2019\u02BC]', '', 'g'),
            '[^[:alnum:]\u0080-\U0010FFFF]+', ' ', 'g'
        ), ' '), '')
$$;

-- Asks core.name_vector for names that have words beginning with each of the words given. NULL where no word is.
CREATE OR REPLACE FUNCTION core.name_query(p_name text)
RETURNS tsquery
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $$
    SELECT string_agg('''' || w || ''':*', ' & ')::tsquery FROM unnest(core.name_words(p_name)) AS w
$$;

-- The words of a name for wallets_name_idx, which finds them by how they begin.
CREATE OR REPLACE FUNCTION core.name_vector(p_name text)
RETURNS tsvector
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $$
    SELECT array_to_tsvector(core.name_words(p_name))
$$;

-- UUID version 7 (RFC 9562): sorts by time, so that new rows go to the end of every index.
--
-- p_milliseconds: since 1970 in UTC.
-- p_sequence:     0 to 4095, orders the rows of one millisecond that one statement makes.
CREATE OR REPLACE FUNCTION core.uuid_v7(p_milliseconds bigint, p_sequence integer)
RETURNS uuid
LANGUAGE sql
VOLATILE
AS $$
    -- A random UUID (version 4) whose first eight bytes become the time, the version and the sequence; its
    -- last eight bytes already carry the variant and 62 random bits.
    SELECT encode(
        overlay(uuid_send(gen_random_uuid()) PLACING int8send((p_milliseconds << 16) | 28672 | p_sequence) FROM 1 FOR 8),
        'hex'
    )::uuid
$$;

-- The default of every id: a UUID version 7 of this moment.
CREATE OR REPLACE FUNCTION core.new_id()
RETURNS uuid
LANGUAGE sql
VOLATILE
AS $$
    SELECT core.uuid_v7(p_milliseconds => (extract(epoch FROM clock_timestamp()) * 1000)::bigint, p_sequence => 0)
$$;

-- Opens a customer's wallet with nothing in it, once for its idempotency key.
--
-- p_phone:          a Kenyan mobile number in any usual form; NULL for a wallet without one.
-- p_key, p_digest:  idempotency key and digest of the request, or NULL for both.
--
-- After: outcome 'opened' and the wallet; 'replayed' with the wallet, as it is now, that was opened for this key;
--        'key_reused'; or 'refused' with reason: invalid_number, invalid_holder_name, invalid_phone, wallet_exists. A
--        refusal leaves the key free. Of two calls with one new key at the same moment the later one fails with
--        SQLSTATE 23505 on requests_pkey: repeated, it finds the wallet.
CREATE OR REPLACE FUNCTION core.open_wallet(
    p_number text, p_holder_name text, p_phone text, p_currency text DEFAULT 'KES', p_language text DEFAULT 'en',
    p_key text DEFAULT NULL, p_digest text DEFAULT NULL,
    OUT outcome text, OUT reason text, OUT wallet core.wallets
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    reason := CASE
        WHEN p_number IS NULL OR p_number <> btrim(p_number) OR length(p_number) NOT BETWEEN 1 AND 20 THEN 'invalid_number'
        ELSE core.wallet_fault(p_holder_name => coalesce(p_holder_name, ''), p_phone => p_phone)
    END;
    IF reason IS NOT NULL THEN
        outcome := 'refused';
        RETURN;
    END IF;

    outcome := core.find_request(p_key => p_key, p_digest => p_digest);
    IF outcome IS NULL THEN
        PERFORM set_config('daftari.door', 'open', true);
        INSERT INTO core.wallets AS w (id, holder_name, phone, currency, language)
        VALUES (p_number, p_holder_name, core.normalize_phone(p_phone), p_currency, p_language)
        ON CONFLICT (id) DO NOTHING
        RETURNING w.* INTO wallet;
        IF wallet.id IS NOT NULL AND p_key IS NOT NULL THEN
            INSERT INTO core.requests (idempotency_key, digest, outcome, reference)
            VALUES (p_key, p_digest, 'POSTED', p_number);
        END IF;
        PERFORM set_config('daftari.door', '', true);
        -- The call that took the number may have taken it for this very key.
        outcome := CASE
            WHEN wallet.id IS NULL THEN core.find_request(p_key => p_key, p_digest => p_digest)
            ELSE 'opened'
        END;
    END IF;
    IF outcome IS NULL THEN
        outcome := 'refused';
        reason := 'wallet_exists';
    ELSIF outcome = 'replayed' THEN
        SELECT w.* INTO wallet
          FROM core.requests q JOIN core.wallets w ON w.id = q.reference
         WHERE q.idempotency_key = p_key;
    END IF;
END
$$;

-- The one door for money: balances change here and nowhere else.
--
-- Takes a batch of postings as arrays of equal length and treats them exactly as if they came one after the
-- other in that order, in one round trip. Element i moves p_amounts[i] from p_debits[i] to p_credits[i].
--
-- Before: nothing is locked; the caller's transaction is READ COMMITTED.
-- After:  every wallet that the batch names is locked until the caller commits, in one global order for
--         everybody (customers by number, then the hot system wallets), so that two batches can wait for each
--         other but never in a circle. Each posting has its outcome:
--           created           inserted, both balances moved, both versions counted up by one
--           exists            a transaction with this reference and the same facts is there already
--           exists_different  one with this reference is there, but with another amount or other wallets
--           replayed          this idempotency key was used for this very request before, whatever came of it then
--           key_reused        this idempotency key was used for another request; nothing moved
--           refused           nothing moved; reason says why, and the key, if there is one, is spent
--           skipped           another item of its group was not created, for a reason that is not its request's
--         The sum of all balances is what it was, no balance is below its wallet's floor.
--
-- p_fallbacks[i]:  a wallet to credit when the credit wallet cannot take the money (frozen, closed, unknown,
--                  other currency), NULL to refuse instead. Money that has already arrived needs a place.
-- p_keys, p_digests: idempotency key and digest of the request, NULL where the reference is the key. A refusal is
--                  remembered under its key: a caller who got "no" must not find out later that it happened after all.
-- p_groups:        neighbours with the same number are one posting of several legs (a transfer and its fee): all of
--                  them are created or none, whatever any of them meets. When one is refused, those before it are
--                  refused with it; when one is anything else that is not created, those before it are skipped, and
--                  their keys stay free. Those behind it are skipped. NULL, whole or for an item: it stands alone. The
--                  key is the first leg's.
-- p_reverses[i]:   the transaction that this one reverses, or NULL.
--
-- reason: why a posting was refused or went to its fallback: unknown_wallet, wallet_frozen, wallet_closed,
--         currency_mismatch, same_wallet, invalid_amount, insufficient_funds.
--
-- posted_at is now, or the last moment that a wallet of the batch bears (updated_at) when that is later: the clock may
-- have been set back, or another server with another clock have taken over, and a wallet's postings must lie in time
-- as they lie in its versions. Statements and balances of a moment are cut by time.
CREATE OR REPLACE FUNCTION core.post_transactions(
    p_references text[],
    p_types      text[],
    p_debits     text[],
    p_credits    text[],
    p_fallbacks  text[],
    p_amounts    numeric[],
    p_currencies text[],
    p_keys       text[] DEFAULT NULL,
    p_digests    text[] DEFAULT NULL,
    p_reverses   uuid[] DEFAULT NULL,
    p_groups     integer[] DEFAULT NULL,
    p_narratives text[] DEFAULT NULL,
    OUT outcomes        text[],
    OUT reasons         text[],
    OUT ids             uuid[],
    OUT credited        text[],
    OUT debit_balances  numeric[],
    OUT credit_balances numeric[],
    OUT hashes          text[],
    OUT posted_at       timestamp
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
-- One plan for every size of batch, made once a connection: planning again would cost more than it saves. It may be
-- made while the tables are empty, and must not read them from end to end when they have grown: so every table is
-- asked for an array of keys, which an index answers, and what it answers is joined by hashing.
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_nestloop = off
SET jit = off
AS $$
DECLARE
    n              constant integer := coalesce(array_length(p_references, 1), 0);
    c_largest      constant numeric := 99999999999999999.99; -- what DECIMAL(19,2) can hold
    v_ms           bigint; -- posted_at in milliseconds since 1970
    v_xact         constant bigint := pg_current_xact_id()::text::bigint;
    -- The wallets of the batch, one array a column; an item names a wallet by its place in them.
    w_ids        text[];
    w_found      text[];
    w_balances   numeric[];
    w_available  numeric[]; -- balance - held - floor; NULL: this wallet has no floor
    w_versions   bigint[];
    w_statuses   text[];    -- NULL: there is no such wallet
    w_currencies text[];
    w_counts     integer[]; -- postings of this batch
    v_last       timestamp; -- the latest moment that a wallet of the batch bears
    -- The place of each item's debit wallet (element i), credit wallet (n + i) and fallback (2n + i).
    i_places     integer[];
    -- The references, when one of them is taken or named twice; NULL otherwise, as nearly always. The place of each
    -- item's reference, and what the references already moved: before this batch, or by the items before this one.
    i_references integer[];
    r_amounts    numeric[];
    r_debits     text[];
    r_credits    text[];
    -- The keys, in the same way.
    i_keys       integer[];
    k_digests    text[];
    -- Filled for created items.
    o_debit_versions  bigint[];
    o_credit_versions bigint[];
    -- Of the item that the loop is at: wallets' places, group, reference's place, key's place, amount.
    d integer; c integer; f integer; g integer; r integer; k integer; a numeric; v_reason text;
BEGIN
    IF n IS DISTINCT FROM coalesce(array_length(p_types, 1), 0) OR n <> coalesce(array_length(p_debits, 1), 0)
       OR n <> coalesce(array_length(p_credits, 1), 0) OR n <> coalesce(array_length(p_fallbacks, 1), n)
       OR n <> coalesce(array_length(p_amounts, 1), 0) OR n <> coalesce(array_length(p_currencies, 1), 0) THEN
        RAISE EXCEPTION 'the arrays of a batch must have one length' USING ERRCODE = '22023';
    END IF;

    -- ---- 1. Places: each wallet of the batch gets a number, its rank in sorted order ----

    SELECT t.places, t.names INTO i_places, w_ids FROM core.rank_names(p_debits || p_credits || p_fallbacks) AS t;
    w_counts := array_fill(0, ARRAY[coalesce(array_length(w_ids, 1), 0)]);
    outcomes := array_fill(NULL::text, ARRAY[n]);
    reasons := outcomes; credited := outcomes;
    debit_balances := array_fill(NULL::numeric, ARRAY[n]);
    credit_balances := debit_balances;
    o_debit_versions := array_fill(NULL::bigint, ARRAY[n]);
    o_credit_versions := o_debit_versions;

    -- ---- 2. Locks: all wallets of the batch, in the one global order ----

    -- A row that somebody else held is returned as they left it, so what is read here is what we hold.
    SELECT array_agg(l.id ORDER BY l.id COLLATE "C"),
           array_agg(l.balance ORDER BY l.id COLLATE "C"),
           array_agg(l.balance - l.held - l.min_balance ORDER BY l.id COLLATE "C"),
           array_agg(l.version ORDER BY l.id COLLATE "C"),
           array_agg(l.status ORDER BY l.id COLLATE "C"),
           array_agg(l.currency ORDER BY l.id COLLATE "C"),
           max(l.updated_at)
      INTO w_found, w_balances, w_available, w_versions, w_statuses, w_currencies, v_last
      FROM (
        SELECT w.id::text, w.balance, w.held, w.min_balance, w.version, w.status::text, w.currency::text, w.updated_at
          FROM core.wallets w
         WHERE w.id = ANY (w_ids)
         ORDER BY w.kind = 'SYSTEM', w.id COLLATE "C"
           FOR NO KEY UPDATE
      ) l;

    -- Unknown wallets were not found, so the arrays have gaps: realign them with w_ids.
    IF w_found IS DISTINCT FROM w_ids THEN
        SELECT array_agg(l.balance ORDER BY s.place), array_agg(l.available ORDER BY s.place),
               array_agg(l.version ORDER BY s.place), array_agg(l.status ORDER BY s.place),
               array_agg(l.currency ORDER BY s.place)
          INTO w_balances, w_available, w_versions, w_statuses, w_currencies
          FROM unnest(w_ids) WITH ORDINALITY AS s (id, place)
          LEFT JOIN unnest(w_found, w_balances, w_available, w_versions, w_statuses, w_currencies)
               AS l (id, balance, available, version, status, currency) ON l.id = s.id;
    END IF;

    -- ---- 3. What is known: after the locks, for a statement sees what was committed before it began ----

    SELECT t.places, t.amounts, t.debits, t.credits
      INTO i_references, r_amounts, r_debits, r_credits
      FROM core.known_references(p_references) AS t;
    IF p_keys IS NOT NULL THEN
        SELECT t.places, t.digests INTO i_keys, k_digests FROM core.known_keys(p_keys) AS t;
    END IF;

    posted_at := date_trunc('milliseconds', clock_timestamp() AT TIME ZONE 'UTC');
    IF v_last > posted_at AND isfinite(v_last) THEN
        posted_at := v_last;
    END IF;
    v_ms := (extract(epoch FROM posted_at) * 1000)::bigint;

    -- ---- 4. The loop: item by item, as if each came alone ----

    FOR i IN 1 .. n LOOP
        d := i_places[i]; c := i_places[n + i]; f := i_places[2 * n + i];
        a := p_amounts[i]; v_reason := NULL; g := p_groups[i];

        -- The legs behind one that was not created go its way.
        IF g = p_groups[i - 1] AND outcomes[i - 1] <> 'created' THEN
            outcomes[i] := 'skipped';
            CONTINUE;
        END IF;
        <<leg>>
        BEGIN
            IF i_keys IS NOT NULL AND i_keys[i] IS NOT NULL THEN
                k := i_keys[i];
                IF k_digests[k] IS NOT NULL THEN
                    outcomes[i] := CASE WHEN k_digests[k] = p_digests[i] THEN 'replayed' ELSE 'key_reused' END;
                    EXIT leg;
                END IF;
            END IF;

            IF i_references IS NOT NULL THEN
                r := i_references[i];
                IF r_amounts[r] IS NOT NULL THEN
                    outcomes[i] := CASE
                        WHEN r_amounts[r] = a AND r_debits[r] = p_debits[i]
                             AND r_credits[r] IN (p_credits[i], p_fallbacks[i]) THEN 'exists'
                        ELSE 'exists_different'
                    END;
                    EXIT leg;
                END IF;
            END IF;
            -- Only from here on: a reference that is taken is not the request's fault, and its key stays free.
            IF i_keys IS NOT NULL AND i_keys[i] IS NOT NULL THEN
                k_digests[i_keys[i]] := p_digests[i];
            END IF;

            -- A credit wallet that cannot take the money gives way to the fallback, if there is one.
            IF c IS NULL OR w_statuses[c] IS NULL THEN v_reason := 'unknown_wallet';
            ELSIF w_statuses[c] = 'FROZEN' THEN v_reason := 'wallet_frozen';
            ELSIF w_statuses[c] = 'CLOSED' THEN v_reason := 'wallet_closed';
            ELSIF w_currencies[c] <> p_currencies[i] THEN v_reason := 'currency_mismatch';
            END IF;
            IF v_reason IS NOT NULL AND w_statuses[f] = 'ACTIVE' THEN
                reasons[i] := v_reason; v_reason := NULL; c := f;
            END IF;

            IF v_reason IS NOT NULL THEN NULL;
            ELSIF a IS NULL OR a <= 0 OR a > c_largest OR scale(a) > 2 AND a <> round(a, 2) THEN v_reason := 'invalid_amount';
            ELSIF d IS NULL OR w_statuses[d] IS NULL THEN v_reason := 'unknown_wallet';
            ELSIF d = c THEN v_reason := 'same_wallet';
            ELSIF w_statuses[d] = 'FROZEN' THEN v_reason := 'wallet_frozen';
            ELSIF w_statuses[d] = 'CLOSED' THEN v_reason := 'wallet_closed';
            ELSIF w_currencies[d] <> p_currencies[i] OR w_currencies[c] <> p_currencies[i] THEN v_reason := 'currency_mismatch';
            ELSIF w_available[d] < a THEN v_reason := 'insufficient_funds';
            -- A sum that the column cannot hold is refused alone instead of failing the whole batch.
            ELSIF w_balances[c] + a > c_largest OR w_balances[d] - a < -c_largest THEN v_reason := 'invalid_amount';
            END IF;
            IF v_reason IS NOT NULL THEN
                outcomes[i] := 'refused'; reasons[i] := v_reason;
                EXIT leg;
            END IF;

            a := round(a, 2);
            w_balances[d] := w_balances[d] - a; w_available[d] := w_available[d] - a;
            w_balances[c] := w_balances[c] + a; w_available[c] := w_available[c] + a;
            w_versions[d] := w_versions[d] + 1; w_counts[d] := w_counts[d] + 1;
            w_versions[c] := w_versions[c] + 1; w_counts[c] := w_counts[c] + 1;
            outcomes[i] := 'created';
            credited[i] := w_ids[c];
            debit_balances[i] := w_balances[d]; o_debit_versions[i] := w_versions[d];
            credit_balances[i] := w_balances[c]; o_credit_versions[i] := w_versions[c];
            IF i_references IS NOT NULL THEN
                r_amounts[r] := a; r_debits[r] := p_debits[i]; r_credits[r] := w_ids[c];
            END IF;
            CONTINUE;
        END leg;

        -- It was not created, and the legs before it are taken back, last first.
        FOR j IN REVERSE i - 1 .. 1 LOOP
            EXIT WHEN g IS NULL OR p_groups[j] IS DISTINCT FROM g OR outcomes[j] <> 'created';
            d := i_places[j]; c := array_position(w_ids, credited[j]); a := round(p_amounts[j], 2);
            w_balances[d] := w_balances[d] + a; w_available[d] := w_available[d] + a;
            w_balances[c] := w_balances[c] - a; w_available[c] := w_available[c] - a;
            w_versions[d] := w_versions[d] - 1; w_counts[d] := w_counts[d] - 1;
            w_versions[c] := w_versions[c] - 1; w_counts[c] := w_counts[c] - 1;
            IF i_references IS NOT NULL THEN
                r_amounts[i_references[j]] := NULL;
            END IF;
            IF outcomes[i] = 'refused' THEN
                outcomes[j] := 'refused';
            ELSE
                outcomes[j] := 'skipped';
                IF i_keys IS NOT NULL AND i_keys[j] IS NOT NULL THEN
                    k_digests[i_keys[j]] := NULL;
                END IF;
            END IF;
            credited[j] := NULL; reasons[j] := v_reason;
            debit_balances[j] := NULL; credit_balances[j] := NULL;
        END LOOP;
    END LOOP;

    -- ---- 5. Writing: transactions, keys, balances ----

    SELECT array_agg(
               CASE
                   WHEN t.outcome = 'created' THEN core.uuid_v7(p_milliseconds => v_ms, p_sequence => t.ord::integer & 4095)
               END ORDER BY t.ord
           ),
           array_agg(
               CASE WHEN t.outcome = 'created' THEN core.verification_hash(
                   p_reference => t.reference, p_amount => t.amount, p_created_at => posted_at
               ) END ORDER BY t.ord
           )
      INTO ids, hashes
      FROM unnest(outcomes, p_references, p_amounts) WITH ORDINALITY AS t (outcome, reference, amount, ord);

    -- The guards let through what happens from here to the end of this function; an error closes the door as well.
    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO core.transactions (
        id, reference, type, debit_wallet_id, credit_wallet_id, amount, currency,
        debit_version, debit_balance_after, credit_version, credit_balance_after,
        idempotency_key, request_digest, reverses_id, narrative, created_at, verification_hash, xact_id
    )
    SELECT t.id, t.reference, t.type, t.debit, t.credit, t.amount, t.currency,
           t.debit_version, t.debit_balance, t.credit_version, t.credit_balance,
           t.key, t.digest, t.reverses, t.narrative, posted_at, t.hash, v_xact
      FROM unnest(
        ids, p_references, p_types, p_debits, credited, p_amounts, p_currencies,
        o_debit_versions, debit_balances, o_credit_versions, credit_balances,
        p_keys, p_digests, p_reverses, p_narratives, hashes
      ) AS t (
        id, reference, type, debit, credit, amount, currency,
        debit_version, debit_balance, credit_version, credit_balance, key, digest, reverses, narrative, hash
      )
     WHERE t.id IS NOT NULL;

    IF p_keys IS NOT NULL THEN
        INSERT INTO core.requests (idempotency_key, digest, outcome, reason, reference, created_at)
        SELECT t.key, t.digest, CASE t.outcome WHEN 'created' THEN 'POSTED' ELSE 'REFUSED' END,
               CASE WHEN t.outcome <> 'created' THEN t.reason END,
               CASE WHEN t.outcome = 'created' THEN t.reference END, posted_at
          FROM unnest(p_keys, p_digests, outcomes, reasons, p_references)
               AS t (key, digest, outcome, reason, reference)
         WHERE t.key IS NOT NULL AND t.outcome IN ('created', 'refused')
         -- In one order for everybody: a batch that waits for a key must not hold one that the key's holder waits for.
         ORDER BY t.key COLLATE "C";
    END IF;

    UPDATE core.wallets w
       SET balance = t.balance, version = t.version, updated_at = posted_at
      FROM unnest(w_ids, w_balances, w_versions, w_counts) AS t (id, balance, version, postings)
     WHERE w.id = t.id AND w.id = ANY (w_ids) AND t.postings > 0;
    PERFORM set_config('daftari.door', '', true);
END
$$;

-- Trigger function: what is written in this table stays as it was written.
-- Its first argument is the advice: what to do instead.
CREATE OR REPLACE FUNCTION core.refuse_change()
RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    RAISE EXCEPTION '% on %.% is refused: the table is append-only', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'DF001', HINT = TG_ARGV[0];
END
$$;

-- Remembers a refusal under its key, so that a late retry is told the same.
CREATE OR REPLACE FUNCTION core.refuse_request(p_key text, p_digest text, p_reason text)
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $$
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO core.requests (idempotency_key, digest, outcome, reason)
    VALUES (p_key, p_digest, 'REFUSED', p_reason);
    PERFORM set_config('daftari.door', '', true);
END
$$;

-- Trigger function: this table is written by its functions only. Its first argument is the advice: by which.
--
-- The triggers call it only for a statement that does not come through the door.
CREATE OR REPLACE FUNCTION core.refuse_write()
RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    RAISE EXCEPTION '% on %.% is refused: its functions write it, and nothing else', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'DF003', HINT = TG_ARGV[0];
END
$$;

-- What is left of a transaction after its reversals.
CREATE OR REPLACE FUNCTION core.remaining_of(p_id uuid)
RETURNS numeric
LANGUAGE sql
VOLATILE
AS $$
    SELECT t.amount - coalesce((SELECT sum(r.amount) FROM core.transactions r WHERE r.reverses_id = t.id), 0)
      FROM core.transactions t
     WHERE t.id = p_id
$$;

-- Sets the lowest balance that a customer's wallet may have and writes down who wanted it and why. Below zero it is a
-- credit line. Every customer has a floor, and it is never above what is available at the moment.
--
-- p_actor: who; NULL for the database role of the session.
--
-- After: outcome 'done' (also when it had this floor already), or 'refused' with reason: unknown_wallet, wallet_closed,
--        invalid_amount, floor_too_high.
CREATE OR REPLACE FUNCTION core.set_wallet_floor(
    p_wallet text, p_floor numeric, p_reason text, p_actor text DEFAULT NULL, OUT outcome text, OUT reason text
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c_largest constant numeric := 99999999999999999.99; -- what DECIMAL(19,2) can hold
    w         core.wallets;
BEGIN
    PERFORM core.lock_wallets(ARRAY[p_wallet]);
    SELECT * INTO w FROM core.wallets WHERE id = p_wallet AND kind = 'CUSTOMER';
    reason := CASE
        WHEN w.id IS NULL THEN 'unknown_wallet'
        WHEN w.status = 'CLOSED' THEN 'wallet_closed'
        WHEN p_floor IS NULL OR p_floor NOT BETWEEN -c_largest AND c_largest OR p_floor <> round(p_floor, 2)
            THEN 'invalid_amount'
        WHEN p_floor > w.balance - w.held THEN 'floor_too_high'
    END;
    outcome := CASE WHEN reason IS NULL THEN 'done' ELSE 'refused' END;
    IF reason IS NULL AND w.min_balance IS DISTINCT FROM p_floor THEN
        PERFORM set_config('daftari.door', 'open', true);
        UPDATE core.wallets
           SET min_balance = p_floor, updated_at = greatest(updated_at, clock_timestamp() AT TIME ZONE 'UTC')
         WHERE id = p_wallet;
        PERFORM set_config('daftari.door', '', true);
        PERFORM core.note_wallet_change(
            p_wallet => p_wallet, p_column => 'min_balance', p_from => w.min_balance::text,
            p_to => round(p_floor, 2)::text, p_reason => p_reason, p_actor => p_actor
        );
    END IF;
END
$$;

-- Freezes, thaws or closes a customer's wallet and writes down who wanted it and why. A system wallet has no status to
-- be changed: with a frozen float every deposit would be refused.
--
-- p_actor: who; NULL for the database role of the session.
--
-- After: outcome 'done' (also when it had this status already), or 'refused' with reason: unknown_wallet,
--        wallet_closed (a closed wallet stays closed), wallet_not_empty (only an empty wallet without holds closes).
CREATE OR REPLACE FUNCTION core.set_wallet_status(
    p_wallet text, p_status text, p_reason text, p_actor text DEFAULT NULL, OUT outcome text, OUT reason text
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    w core.wallets;
BEGIN
    PERFORM core.lock_wallets(ARRAY[p_wallet]);
    SELECT * INTO w FROM core.wallets WHERE id = p_wallet AND kind = 'CUSTOMER';
    reason := CASE
        WHEN w.id IS NULL THEN 'unknown_wallet'
        WHEN w.status = 'CLOSED' AND p_status <> 'CLOSED' THEN 'wallet_closed'
        WHEN p_status = 'CLOSED' AND (w.balance <> 0 OR w.held <> 0) THEN 'wallet_not_empty'
    END;
    outcome := CASE WHEN reason IS NULL THEN 'done' ELSE 'refused' END;
    IF reason IS NULL AND w.status <> p_status THEN
        PERFORM set_config('daftari.door', 'open', true);
        UPDATE core.wallets
           SET status = p_status, updated_at = greatest(updated_at, clock_timestamp() AT TIME ZONE 'UTC')
         WHERE id = p_wallet;
        PERFORM set_config('daftari.door', '', true);
        PERFORM core.note_wallet_change(
            p_wallet => p_wallet, p_column => 'status', p_from => w.status, p_to => p_status, p_reason => p_reason,
            p_actor => p_actor
        );
    END IF;
END
$$;

-- Makes an API key, once for its idempotency key. Only the hash of the key itself comes here and is kept.
--
-- After: outcome 'created' with its id; 'replayed' with the id of the key that was made for this idempotency key; or
--        'key_reused'. Of two calls with one new idempotency key at the same moment the later one fails with SQLSTATE
--        23505 on requests_pkey: repeated, it finds what the other has made.
CREATE OR REPLACE FUNCTION services.create_api_key(
    p_name text, p_key_hash text, p_scopes text[], p_key text DEFAULT NULL, p_digest text DEFAULT NULL,
    OUT outcome text, OUT id uuid
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    outcome := core.find_request(p_key => p_key, p_digest => p_digest);
    IF outcome = 'replayed' THEN
        SELECT q.reference::uuid INTO id FROM core.requests q WHERE q.idempotency_key = p_key;
    END IF;
    IF outcome IS NOT NULL THEN
        RETURN;
    END IF;
    outcome := 'created';
    id := core.new_id();
    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO services.api_keys (id, name, key_hash, scopes) VALUES (id, p_name, p_key_hash, p_scopes);
    IF p_key IS NOT NULL THEN
        INSERT INTO core.requests (idempotency_key, digest, outcome, reference) VALUES (p_key, p_digest, 'POSTED', id::text);
    END IF;
    PERFORM set_config('daftari.door', '', true);
END
$$;

-- Revokes an API key for good. Repeated it does nothing.
CREATE OR REPLACE FUNCTION services.revoke_api_key(p_id uuid)
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE services.api_keys SET revoked_at = clock_timestamp() AT TIME ZONE 'UTC' WHERE id = p_id AND revoked_at IS NULL;
    PERFORM set_config('daftari.door', '', true);
END
$$;

-- ==== end of functions ====

-- New rows go to the end of every index.
ALTER TABLE core.transactions ALTER COLUMN id SET DEFAULT core.new_id();
ALTER TABLE core.wallet_events ALTER COLUMN id SET DEFAULT core.new_id();
ALTER TABLE services.api_keys ALTER COLUMN id SET DEFAULT core.new_id();
ALTER TABLE services.mpesa_logs ALTER COLUMN id SET DEFAULT core.new_id();
ALTER TABLE services.sms_logs ALTER COLUMN id SET DEFAULT core.new_id();

CREATE INDEX wallets_name_idx ON core.wallets USING gin (core.name_vector(holder_name::text)) WHERE kind = 'CUSTOMER';

-- ---- Guards: what goes around the functions is refused, also from Prisma Studio ----

CREATE TRIGGER transactions_append_only BEFORE DELETE OR TRUNCATE ON core.transactions
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('Correct a mistake with a REVERSAL through core.post_transactions.');
CREATE TRIGGER transactions_unchangeable BEFORE UPDATE ON core.transactions
    FOR EACH STATEMENT WHEN (current_setting('daftari.door', true) IS DISTINCT FROM 'backfill')
    EXECUTE FUNCTION core.refuse_change('Correct a mistake with a REVERSAL through core.post_transactions.');
CREATE TRIGGER transactions_backfilled BEFORE UPDATE ON core.transactions
    FOR EACH ROW EXECUTE FUNCTION core.guard_backfill();
CREATE TRIGGER transactions_through_the_door BEFORE INSERT ON core.transactions
    FOR EACH STATEMENT EXECUTE FUNCTION core.guard_transactions();

CREATE TRIGGER wallets_open_empty BEFORE INSERT ON core.wallets
    FOR EACH ROW WHEN (NEW.balance <> 0 OR NEW.held <> 0 OR NEW.version <> 0)
    EXECUTE FUNCTION core.guard_wallets();
CREATE TRIGGER wallets_through_the_door BEFORE INSERT OR UPDATE ON core.wallets
    FOR EACH STATEMENT WHEN (current_setting('daftari.door', true) IS DISTINCT FROM 'open')
    EXECUTE FUNCTION core.guard_wallets();
CREATE TRIGGER wallets_never_deleted BEFORE DELETE ON core.wallets
    FOR EACH ROW EXECUTE FUNCTION core.guard_wallets();
CREATE TRIGGER wallets_never_truncated BEFORE TRUNCATE ON core.wallets
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('Close wallets by their status; use a fresh database for trials.');
CREATE TRIGGER wallets_holder_name BEFORE INSERT ON core.wallets
    FOR EACH ROW WHEN (NEW.kind = 'CUSTOMER') EXECUTE FUNCTION core.check_holder_name();
CREATE TRIGGER wallets_holder_rename BEFORE UPDATE OF holder_name ON core.wallets
    FOR EACH ROW WHEN (NEW.kind = 'CUSTOMER' AND NEW.holder_name IS DISTINCT FROM OLD.holder_name)
    EXECUTE FUNCTION core.check_holder_name();

CREATE TRIGGER requests_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON core.requests
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is what keeps a request from being done twice.');
CREATE TRIGGER requests_through_the_door BEFORE INSERT ON core.requests
    FOR EACH STATEMENT WHEN (current_setting('daftari.door', true) IS DISTINCT FROM 'open')
    EXECUTE FUNCTION core.refuse_write('Send the request itself with its key: transfer and its like in @repo/db remember it.');
CREATE TRIGGER wallet_events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON core.wallet_events
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is the record of who changed a wallet, and why.');
CREATE TRIGGER wallet_events_through_the_door BEFORE INSERT ON core.wallet_events
    FOR EACH STATEMENT WHEN (current_setting('daftari.door', true) IS DISTINCT FROM 'open')
    EXECUTE FUNCTION core.refuse_write('core.change_wallet and its like write it with the change.');
CREATE TRIGGER api_keys_through_the_door BEFORE INSERT OR UPDATE ON services.api_keys
    FOR EACH STATEMENT WHEN (current_setting('daftari.door', true) IS DISTINCT FROM 'open')
    EXECUTE FUNCTION core.refuse_write('Call services.create_api_key or services.revoke_api_key, or createApiKey and revokeApiKey in @repo/db.');
CREATE TRIGGER api_keys_never_deleted BEFORE DELETE OR TRUNCATE ON services.api_keys
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('Revoke it with services.revoke_api_key: who had which key is to be found later.');
