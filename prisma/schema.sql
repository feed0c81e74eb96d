-- The database as the migrations leave it: every object with every setting that is not the default, without owners
-- and privileges. Made by "pnpm db:dump" from a freshly migrated database, read by "pnpm db:verify", compared by
-- "pnpm check". Do not edit it: write a migration and make it again.

-- Functions and tables refer to each other.
SET check_function_bodies = false;

-- ==== schema: core ====
CREATE SCHEMA core;

-- ==== schema: services ====
CREATE SCHEMA services;

-- ==== function: core.account_of ====
CREATE OR REPLACE FUNCTION core.account_of(p_wallet text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$
    SELECT regexp_replace(p_wallet, '^(MPESA-FLOAT|SUSPENSE|FEES)\.([1-9]|1[0-5])$', '\1')
$function$;

-- ==== function: core.assign_suspense ====
CREATE OR REPLACE FUNCTION core.assign_suspense(p_receipt text, p_wallet text, p_key text DEFAULT NULL::text, p_digest text DEFAULT NULL::text, OUT outcome text, OUT reason text, OUT reference text)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    t          core.transactions;
    v_assigned record;
    v_current  core.transactions;
    v_post     record;
BEGIN
    -- What is written stays as it was written, so the stripe that has the money is known before the lock.
    SELECT * INTO t FROM core.transactions x WHERE x.reference = p_receipt AND x.type = 'DEPOSIT';
    PERFORM core.lock_wallets(ARRAY[p_wallet, t.credit_wallet_id]);
    outcome := core.find_request(p_key => p_key, p_digest => p_digest);
    IF outcome = 'replayed' THEN
        SELECT q.reason, q.reference INTO reason, reference
          FROM core.requests q WHERE q.idempotency_key = p_key;
    END IF;
    IF outcome IS NOT NULL THEN
        RETURN;
    END IF;

    SELECT * INTO v_assigned FROM core.current_assignment(p_receipt);
    SELECT * INTO v_current FROM core.transactions x WHERE x.reference = v_assigned.reference;
    reason := CASE
        WHEN t.id IS NULL THEN 'unknown_transaction'
        WHEN core.account_of(t.credit_wallet_id) <> 'SUSPENSE' THEN 'not_in_suspense'
        WHEN v_current.credit_wallet_id <> p_wallet THEN 'already_assigned'
        WHEN core.remaining_of(t.id) < t.amount THEN 'already_reversed'
        WHEN NOT EXISTS (SELECT 1 FROM core.wallets w WHERE w.id = p_wallet AND w.kind = 'CUSTOMER') THEN 'unknown_wallet'
    END;
    IF reason IS NOT NULL THEN
        outcome := 'refused';
        IF p_key IS NOT NULL THEN
            PERFORM core.refuse_request(p_key => p_key, p_digest => p_digest, p_reason => reason);
        END IF;
        RETURN;
    END IF;
    IF v_current.id IS NOT NULL THEN
        outcome := 'replayed';
        reference := v_current.reference;
        IF p_key IS NOT NULL THEN
            PERFORM set_config('daftari.door', 'open', true);
            INSERT INTO core.requests (idempotency_key, digest, outcome, reference)
            VALUES (p_key, p_digest, 'POSTED', v_current.reference);
            PERFORM set_config('daftari.door', '', true);
        END IF;
        RETURN;
    END IF;

    reference := v_assigned.next_reference;
    SELECT * INTO v_post FROM core.post_transactions(
        p_references => ARRAY[reference], p_types => ARRAY['ASSIGNMENT'], p_debits => ARRAY[t.credit_wallet_id]::text[],
        p_credits => ARRAY[p_wallet], p_fallbacks => NULL, p_amounts => ARRAY[t.amount],
        p_currencies => ARRAY[t.currency::text], p_keys => ARRAY[p_key], p_digests => ARRAY[p_digest]
    );
    -- Its key may have been spent on other wallets than ours since it was looked for.
    outcome := CASE
        WHEN v_post.outcomes[1] = 'created' THEN 'posted'
        WHEN v_post.outcomes[1] IN ('refused', 'key_reused') THEN v_post.outcomes[1]
        ELSE 'collision'
    END;
    reason := v_post.reasons[1];
END
$function$;

-- ==== function: core.backfill_hashes ====
CREATE OR REPLACE FUNCTION core.backfill_hashes(p_limit integer)
 RETURNS integer
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;

-- ==== function: core.batch_id ====
CREATE OR REPLACE FUNCTION core.batch_id(p_milliseconds bigint, p_item integer, p_seed bytea)
 RETURNS uuid
 LANGUAGE sql
 IMMUTABLE
AS $function$
    -- The 8 is the variant.
    SELECT (
        encode(int8send((p_milliseconds << 16) | 28672 | (p_item & 4095)), 'hex')
        || '8' || left(encode(sha256(p_seed || int4send(p_item)), 'hex'), 15)
    )::uuid
$function$;

-- ==== function: core.capture_hold ====
CREATE OR REPLACE FUNCTION core.capture_hold(p_key text, p_digest text, p_hold_id uuid, p_to text, p_amount numeric, p_reference text, p_narrative text, OUT outcome text, OUT reason text, OUT reference text)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    v_now  constant timestamp := clock_timestamp() AT TIME ZONE 'UTC';
    h      core.holds;
    w      core.wallets;
    v_wallet text;
    v_lane smallint;
    v_held numeric; -- amount and fee
    v_type text;
    v_rule record;
    v_payer text;
    v_fee  numeric;
    v_legs integer;
    v_post record;
BEGIN
    -- A hold stays its wallet's. Out of the ledger its money leaves in the wallet's own lane.
    SELECT x.wallet_id, x.lane, core.wallet_in_lane(p_wallet => p_to, p_lane => x.lane)
      INTO v_wallet, v_lane, p_to
      FROM core.holds x
     WHERE x.id = p_hold_id;
    PERFORM core.lock_wallets(ARRAY[
        v_wallet, p_to, core.stripe_of(p_account => 'FEES', p_lane => v_lane),
        core.stripe_of(p_account => 'FEES', p_lane => core.lane_of(p_to))
    ]);
    outcome := core.find_request(p_key => p_key, p_digest => p_digest);
    IF outcome = 'replayed' THEN
        SELECT q.reason, q.reference INTO reason, reference
          FROM core.requests q WHERE q.idempotency_key = p_key;
    END IF;
    IF outcome IS NOT NULL THEN
        RETURN;
    END IF;

    SELECT * INTO h FROM core.holds WHERE id = p_hold_id;
    p_amount := coalesce(p_amount, h.amount);
    reason := CASE
        WHEN h.id IS NULL THEN 'unknown_hold'
        WHEN h.status <> 'ACTIVE' OR h.expires_at <= v_now THEN 'hold_closed'
        WHEN p_amount > h.amount THEN 'exceeds_hold'
        -- What waits in suspense came in under a receipt, by which it is assigned or sent back.
        WHEN core.account_of(p_to) = 'SUSPENSE' THEN 'unknown_wallet'
    END;
    IF reason IS NOT NULL THEN
        outcome := 'refused';
        PERFORM core.refuse_request(p_key => p_key, p_digest => p_digest, p_reason => reason);
        RETURN;
    END IF;

    SELECT * INTO w FROM core.wallets WHERE id = h.wallet_id;
    v_type := CASE WHEN (SELECT kind FROM core.wallets WHERE id = p_to) = 'CUSTOMER' THEN 'TRANSFER' ELSE 'WITHDRAWAL' END;
    v_held := h.amount + coalesce(h.fee_held, 0);
    SELECT * INTO v_rule FROM core.fee_of(
        p_type => v_type, p_currency => w.currency, p_amount => p_amount, p_at => v_now
    );
    v_payer := CASE v_rule.payer WHEN 'SENDER' THEN h.wallet_id ELSE p_to END;
    -- A wallet without a floor has no limit: least() passes over NULL.
    v_fee := least(v_rule.fee, CASE v_rule.payer
        WHEN 'SENDER' THEN coalesce(h.fee_held, w.balance - w.held - w.min_balance + h.amount - p_amount)
        ELSE p_amount + (SELECT b.balance - b.held - b.min_balance FROM core.wallets b WHERE b.id = p_to)
    END);
    v_legs := CASE WHEN v_rule.fee IS NULL OR v_fee <= 0 OR core.account_of(v_payer) = 'FEES' THEN 1 ELSE 2 END;

    -- The money must be free to move for the door to move it; nobody else can take it, the wallet is locked.
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE core.wallets SET held = held - v_held WHERE id = h.wallet_id;
    PERFORM set_config('daftari.door', '', true);
    SELECT * INTO v_post FROM core.post_transactions(
        p_references => (ARRAY[p_reference, p_reference || '-F'])[1:v_legs],
        p_types => (ARRAY[v_type, 'FEE'])[1:v_legs], p_debits => (ARRAY[h.wallet_id::text, v_payer])[1:v_legs],
        p_credits => (
            ARRAY[p_to, core.stripe_of(p_account => 'FEES', p_lane => CASE v_payer WHEN p_to THEN core.lane_of(p_to) ELSE v_lane END)]
        )[1:v_legs], p_fallbacks => NULL,
        p_amounts => (ARRAY[p_amount, v_fee])[1:v_legs],
        p_currencies => (ARRAY[w.currency::text, w.currency::text])[1:v_legs],
        p_keys => (ARRAY[p_key, NULL])[1:v_legs], p_digests => (ARRAY[p_digest, NULL])[1:v_legs],
        p_groups => (ARRAY[1, 1])[1:v_legs], p_narratives => (ARRAY[p_narrative, NULL])[1:v_legs]
    );
    PERFORM set_config('daftari.door', 'open', true);
    IF v_post.outcomes[1] = 'created' THEN
        outcome := 'posted';
        reference := p_reference;
        UPDATE core.holds
           SET status = 'CAPTURED', captured = p_amount, capture_reference = p_reference, closed_at = v_now,
               closed_available = (SELECT b.balance - b.held FROM core.wallets b WHERE b.id = h.wallet_id)
         WHERE id = h.id;
    ELSE
        -- Its key may have been spent on other wallets than ours since it was looked for.
        outcome := CASE WHEN v_post.outcomes[1] IN ('refused', 'key_reused') THEN v_post.outcomes[1] ELSE 'collision' END;
        reason := v_post.reasons[1];
        UPDATE core.wallets SET held = held + v_held WHERE id = h.wallet_id;
    END IF;
    PERFORM set_config('daftari.door', '', true);
END
$function$;

-- ==== function: core.change_wallet ====
CREATE OR REPLACE FUNCTION core.change_wallet(p_wallet text, p_holder_name text, p_phone text, p_language text, p_reason text, p_actor text DEFAULT NULL::text, OUT outcome text, OUT reason text)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;

-- ==== function: core.check_holder_name ====
CREATE OR REPLACE FUNCTION core.check_holder_name()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
    IF NOT core.is_holder_name(NEW.holder_name) THEN
        RAISE EXCEPTION 'the holder''s name is not a name'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'wallets_holder_name', TABLE = 'wallets', SCHEMA = 'core',
                  HINT = 'Letters, spaces, apostrophes, hyphens and full stops only; no links and no words of our own texts.';
    END IF;
    RETURN NEW;
END
$function$;

-- ==== function: core.current_assignment ====
CREATE OR REPLACE FUNCTION core.current_assignment(p_receipt text, OUT reference text, OUT next_reference text)
 RETURNS record
 LANGUAGE plpgsql
AS $function$
DECLARE
    v_name constant text := CASE
        WHEN length(p_receipt) <= 45 THEN p_receipt
        ELSE upper(left(encode(sha256(convert_to(p_receipt, 'UTF8')), 'hex'), 40))
    END;
    v_time integer := 1;
    a      core.transactions;
BEGIN
    LOOP
        next_reference := 'AS' || CASE WHEN v_time > 1 THEN v_time::text ELSE '' END || '-' || v_name;
        SELECT * INTO a FROM core.transactions x WHERE x.reference = next_reference;
        EXIT WHEN a.id IS NULL;
        IF a.type = 'ASSIGNMENT' AND core.remaining_of(a.id) > 0 THEN
            reference := a.reference;
        END IF;
        v_time := v_time + 1;
    END LOOP;
END
$function$;

-- ==== function: core.end_fee_rule ====
CREATE OR REPLACE FUNCTION core.end_fee_rule(p_id uuid, p_at timestamp without time zone, p_actor text, p_note text, OUT outcome text, OUT reason text)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    v_now   timestamp;
    v_at    timestamp;
    v_next  uuid;
    r       core.fee_rules;
    p       record;
BEGIN
    LOCK TABLE core.fee_rules IN SHARE ROW EXCLUSIVE MODE;
    v_now := date_trunc('milliseconds', clock_timestamp() AT TIME ZONE 'UTC');
    SELECT * INTO r FROM core.fee_rules x WHERE x.id = p_id;
    v_at := greatest(coalesce(p_at, v_now), r.valid_from);
    IF r.valid_until = v_at OR p_at IS NULL AND r.valid_until <= v_at THEN
        outcome := 'replayed';
        RETURN;
    END IF;
    reason := CASE
        WHEN r.id IS NULL THEN 'unknown_fee_rule'
        WHEN p_at < v_now THEN 'time_passed'
        WHEN r.valid_until < v_at THEN 'fee_rule_ended'
    END;
    outcome := CASE WHEN reason IS NULL THEN 'posted' ELSE 'refused' END;
    IF reason IS NOT NULL THEN
        RETURN;
    END IF;

    PERFORM set_config('daftari.door', 'open', true);
    UPDATE core.fee_rules x SET valid_until = v_at WHERE x.id = p_id;
    INSERT INTO core.fee_rule_events (rule_id, version, kind, valid_until, actor, note)
    SELECT p_id, count(*) + 1, 'ENDED', v_at, p_actor, p_note FROM core.fee_rule_events e WHERE e.rule_id = p_id;
    IF v_at = r.valid_from THEN
        -- What it was to replace goes on: until it would have ended before, and no longer than this one would have held.
        SELECT q.id, e.former_until INTO p
          FROM core.fee_rules q
          JOIN core.fee_rule_events e ON e.rule_id = q.id AND e.replaced_by = p_id
         WHERE q.valid_until = v_at AND q.valid_from < v_at AND e.valid_until = v_at
         ORDER BY e.version DESC
         LIMIT 1;
        IF FOUND THEN
            UPDATE core.fee_rules x SET valid_until = least(p.former_until, r.valid_until) WHERE x.id = p.id;
            SELECT e.replaced_by INTO v_next
              FROM core.fee_rule_events e
             WHERE e.rule_id = p_id AND e.valid_until = r.valid_until AND e.replaced_by IS NOT NULL
             ORDER BY e.version DESC
             LIMIT 1;
            INSERT INTO core.fee_rule_events (
                rule_id, version, kind, valid_until, former_until, replaced_by, actor, note
            )
            SELECT p.id, count(*) + 1, 'RESTORED', least(p.former_until, r.valid_until), p.former_until, v_next,
                   p_actor, p_note
              FROM core.fee_rule_events e
             WHERE e.rule_id = p.id;
        END IF;
    END IF;
    PERFORM set_config('daftari.door', '', true);
END
$function$;

-- ==== function: core.expire_holds ====
CREATE OR REPLACE FUNCTION core.expire_holds(p_limit integer, p_after_time timestamp without time zone, p_after_id uuid)
 RETURNS TABLE(hold_id uuid, expires_at timestamp without time zone, outcome text, failure text)
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
#variable_conflict use_column
DECLARE
    v_now   constant timestamp(3) := clock_timestamp() AT TIME ZONE 'UTC';
    v_after constant timestamp(3) := coalesce(p_after_time, '-infinity');
    v_due   uuid[];
    h       core.holds;
    v_constraint text;
BEGIN
    v_due := ARRAY(
        SELECT x.id
          FROM core.holds x
         WHERE x.status = 'ACTIVE' AND x.expires_at <= v_now AND x.expires_at >= v_after
           AND (x.expires_at > v_after OR p_after_id IS NULL OR x.id > p_after_id)
         ORDER BY x.expires_at, x.id
         LIMIT p_limit
    );
    PERFORM core.lock_wallets(ARRAY(SELECT x.wallet_id::text FROM core.holds x WHERE x.id = ANY (v_due)));

    FOR h IN SELECT * FROM core.holds x WHERE x.id = ANY (v_due) ORDER BY x.expires_at, x.id LOOP
        hold_id := h.id; expires_at := h.expires_at; failure := NULL;
        BEGIN
            SELECT f.outcome INTO outcome FROM core.release_hold(p_hold_id => h.id, p_status => 'EXPIRED') AS f;
        EXCEPTION WHEN OTHERS THEN
            -- Only what is wrong with this one: a deadlock, a time limit or a full disk is everybody's.
            IF left(SQLSTATE, 2) NOT IN ('22', '23', 'DF', 'P0') THEN
                RAISE;
            END IF;
            GET STACKED DIAGNOSTICS v_constraint = CONSTRAINT_NAME;
            outcome := 'failed';
            failure := concat_ws(' ', SQLSTATE, nullif(v_constraint, ''));
        END;
        RETURN NEXT;
    END LOOP;
END
$function$;

-- ==== function: core.fee_of ====
CREATE OR REPLACE FUNCTION core.fee_of(p_type text, p_currency text, p_amount numeric, p_at timestamp without time zone)
 RETURNS TABLE(fee numeric, payer text, rule_id uuid)
 LANGUAGE sql
 STABLE
AS $function$
    SELECT f.fee, f.payer, f.id
      FROM (
        SELECT round(r.flat + p_amount * r.rate, 2) AS fee, r.payer::text, r.id
          FROM core.fee_rules r
         WHERE r.transaction_type = p_type AND r.currency = p_currency AND r.min_amount <= p_amount
           AND r.valid_from <= p_at AND (r.valid_until IS NULL OR r.valid_until > p_at)
         ORDER BY r.min_amount DESC, r.valid_from DESC, r.id DESC
         LIMIT 1
      ) f
     WHERE f.fee > 0
$function$;

-- ==== function: core.fee_to_hold ====
CREATE OR REPLACE FUNCTION core.fee_to_hold(p_currency text, p_amount numeric, p_at timestamp without time zone)
 RETURNS numeric
 LANGUAGE plpgsql
 STABLE
AS $function$
BEGIN
    RETURN (
        SELECT coalesce(max(round(b.flat + b.top * b.rate, 2)), 0)
          FROM (
            SELECT r.flat, r.rate, r.payer,
                   least(
                       p_amount,
                       lead(r.min_amount) OVER (PARTITION BY r.transaction_type ORDER BY r.min_amount) - 0.01
                   ) AS top
              FROM (
                SELECT DISTINCT ON (f.transaction_type, f.min_amount)
                       f.transaction_type, f.min_amount, f.flat, f.rate, f.payer
                  FROM core.fee_rules f
                 WHERE f.currency = p_currency AND f.min_amount <= p_amount
                   AND f.valid_from <= p_at AND (f.valid_until IS NULL OR f.valid_until > p_at)
                 ORDER BY f.transaction_type, f.min_amount, f.valid_from DESC, f.id DESC
              ) r
          ) b
         WHERE b.payer = 'SENDER' AND b.top > 0
    );
END
$function$;

-- ==== function: core.find_request ====
CREATE OR REPLACE FUNCTION core.find_request(p_key text, p_digest text)
 RETURNS text
 LANGUAGE sql
AS $function$
    SELECT CASE WHEN q.digest = p_digest THEN 'replayed' ELSE 'key_reused' END
      FROM core.requests q
     WHERE q.idempotency_key = p_key
$function$;

-- ==== function: core.guard_backfill ====
CREATE OR REPLACE FUNCTION core.guard_backfill()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
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
$function$;

-- ==== function: core.guard_fee_rules ====
CREATE OR REPLACE FUNCTION core.guard_fee_rules()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
    RAISE EXCEPTION '% on %.% is refused: nobody could tell who changed what is charged, and why',
        TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'DF003',
              HINT = 'Call core.set_fee_rule or core.end_fee_rule, or setFeeRule and endFeeRule in @repo/db.';
END
$function$;

-- ==== function: core.guard_holds ====
CREATE OR REPLACE FUNCTION core.guard_holds()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
    RAISE EXCEPTION '% on core.holds is refused: it would leave the wallet''s held money behind', TG_OP
        USING ERRCODE = 'DF003',
              HINT = 'Call core.place_hold, core.capture_hold or core.release_hold, or hold and its like in @repo/db.';
END
$function$;

-- ==== function: core.guard_transactions ====
CREATE OR REPLACE FUNCTION core.guard_transactions()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
    IF current_setting('daftari.door', true) IS DISTINCT FROM 'open' THEN
        RAISE EXCEPTION 'INSERT into core.transactions is refused: it would leave the balances behind'
            USING ERRCODE = 'DF002',
                  HINT = 'Call core.post_transactions, or recordDeposit and its like in @repo/db, which call it.';
    END IF;
    RETURN NULL;
END
$function$;

-- ==== function: core.guard_wallets ====
CREATE OR REPLACE FUNCTION core.guard_wallets()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
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
$function$;

-- ==== function: core.has_check_digit ====
CREATE OR REPLACE FUNCTION core.has_check_digit(p_number text)
 RETURNS boolean
 LANGUAGE plpgsql
 IMMUTABLE PARALLEL SAFE
AS $function$
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
$function$;

-- ==== function: core.hash_of ====
CREATE OR REPLACE FUNCTION core.hash_of(p_reference text, p_amount numeric, p_time text)
 RETURNS text
 LANGUAGE sql
 STABLE
AS $function$
    SELECT encode(sha256(convert_to(p_reference || round(p_amount, 2)::text || p_time, 'UTF8')), 'hex')
$function$;

-- ==== function: core.hash_time ====
CREATE OR REPLACE FUNCTION core.hash_time(p_at timestamp without time zone)
 RETURNS text
 LANGUAGE sql
 STABLE
AS $function$
    SELECT to_char(p_at, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
$function$;

-- ==== function: core.is_holder_name ====
CREATE OR REPLACE FUNCTION core.is_holder_name(p_name text)
 RETURNS boolean
 LANGUAGE plpgsql
 IMMUTABLE PARALLEL SAFE
AS $function$
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
$function$;

-- ==== function: core.known_keys ====
CREATE OR REPLACE FUNCTION core.known_keys(p_keys text[], OUT places integer[], OUT digests text[])
 RETURNS record
 LANGUAGE plpgsql
 STABLE
AS $function$
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
$function$;

-- ==== function: core.known_references ====
CREATE OR REPLACE FUNCTION core.known_references(p_references text[], OUT places integer[], OUT amounts numeric[], OUT debits text[], OUT credits text[])
 RETURNS record
 LANGUAGE plpgsql
 STABLE
AS $function$
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
$function$;

-- ==== function: core.lane_of ====
CREATE OR REPLACE FUNCTION core.lane_of(p_number text)
 RETURNS smallint
 LANGUAGE sql
 STABLE PARALLEL SAFE
AS $function$
    SELECT CASE
        WHEN p_number ~ '^(MPESA-FLOAT|SUSPENSE|FEES)(\.([1-9]|1[0-5]))?$'
            THEN coalesce(nullif(split_part(p_number, '.', 2), ''), '0')::smallint
        ELSE (get_byte(sha256(convert_to(p_number, 'UTF8')), 0) & 15)::smallint
    END
$function$;

-- ==== function: core.lock_batch ====
CREATE OR REPLACE FUNCTION core.lock_batch(p_debits text[], p_credits text[], p_fallbacks text[], p_currencies text[], OUT ids text[], OUT balances numeric[], OUT available numeric[], OUT versions bigint[], OUT statuses text[], OUT currencies text[], OUT lanes smallint[], OUT customers integer, OUT last timestamp without time zone)
 RETURNS record
 LANGUAGE plpgsql
AS $function$
DECLARE
    v_debits    text[]; -- each wallet once
    v_credits   text[];
    v_fallbacks text[];
    v_rest      text[]; -- what is no customer's wallet
    v_is_usable boolean; -- whether every credit wallet is a customer's
    s           record;
BEGIN
    -- ---- 1. Customers ----

    SELECT array_agg(d.name) INTO v_debits FROM (SELECT DISTINCT n.name FROM unnest(p_debits) AS n (name)) d;
    SELECT array_agg(d.name) INTO v_credits FROM (SELECT DISTINCT n.name FROM unnest(p_credits) AS n (name)) d;
    SELECT array_agg(d.name) INTO v_fallbacks FROM (SELECT DISTINCT n.name FROM unnest(p_fallbacks) AS n (name)) d;
    -- A row that somebody else held is returned as they left it, so what is read here is what we hold.
    SELECT array_agg(l.id), array_agg(l.balance), array_agg(l.balance - l.held - l.min_balance), array_agg(l.version),
           array_agg(l.status), array_agg(l.currency), array_agg(l.lane), count(*), max(l.updated_at)
      INTO ids, balances, available, versions, statuses, currencies, lanes, customers, last
      FROM (
        SELECT w.id::text, w.balance, w.held, w.min_balance, w.version, w.status::text, w.currency::text, w.lane, w.updated_at
          FROM core.wallets w
         WHERE w.id = ANY (v_debits || v_credits || v_fallbacks) AND w.kind <> 'SYSTEM'
         ORDER BY w.id COLLATE "C"
           FOR NO KEY UPDATE
      ) l;

    -- ---- 2. The hot wallets, now that it is known which of them the batch needs ----

    SELECT array_agg(n.name), coalesce(bool_and(n.place <= coalesce(cardinality(v_debits), 0)), true)
      INTO v_rest, v_is_usable
      FROM unnest(v_debits || v_credits) WITH ORDINALITY AS n (name, place)
      LEFT JOIN unnest(ids) AS f (id) ON f.id = n.name
     WHERE f.id IS NULL;
    -- In nearly every batch all of them are active and in shillings, and no item needs its fallback.
    IF p_fallbacks IS NOT NULL AND NOT (
        v_is_usable AND array_remove(statuses, 'ACTIVE') = '{}' AND array_remove(currencies || p_currencies, 'KES') = '{}'
    ) THEN
        SELECT v_rest || array_agg(t.fallback)
          INTO v_rest
          FROM unnest(p_credits, p_fallbacks, p_currencies) AS t (credit, fallback, currency)
          LEFT JOIN unnest(ids, statuses, currencies) AS l (id, status, currency) ON l.id = t.credit
         WHERE (l.status = 'ACTIVE' AND l.currency = t.currency) IS NOT TRUE;
    END IF;
    IF v_rest IS NULL THEN
        RETURN;
    END IF;
    SELECT array_agg(l.id) AS ids, array_agg(l.balance) AS balances,
           array_agg(l.balance - l.held - l.min_balance) AS available, array_agg(l.version) AS versions,
           array_agg(l.status) AS statuses, array_agg(l.currency) AS currencies, array_agg(l.lane) AS lanes,
           max(l.updated_at) AS last
      INTO s
      FROM (
        SELECT w.id::text, w.balance, w.held, w.min_balance, w.version, w.status::text, w.currency::text, w.lane, w.updated_at
          FROM core.wallets w
         WHERE w.id = ANY (v_rest) AND w.kind = 'SYSTEM'
         ORDER BY w.id COLLATE "C"
           FOR NO KEY UPDATE
      ) l;
    ids := ids || s.ids; balances := balances || s.balances; available := available || s.available;
    versions := versions || s.versions; statuses := statuses || s.statuses; currencies := currencies || s.currencies;
    lanes := lanes || s.lanes; last := greatest(last, s.last);
END
$function$;

-- ==== function: core.lock_wallets ====
CREATE OR REPLACE FUNCTION core.lock_wallets(p_ids text[])
 RETURNS void
 LANGUAGE plpgsql
AS $function$
BEGIN
    PERFORM 1
       FROM core.wallets w
      WHERE w.id = ANY (p_ids)
      ORDER BY w.kind = 'SYSTEM', w.id COLLATE "C"
        FOR NO KEY UPDATE;
END
$function$;

-- ==== function: core.mask_words ====
CREATE OR REPLACE FUNCTION core.mask_words(p_phone text, p_name text)
 RETURNS text[]
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$
    SELECT array_agg(DISTINCT right(p_phone, 3) || w) FROM unnest(core.name_words(p_name)) AS w
     WHERE p_phone ~ '[0-9]{3}$' AND length(w) > 2
$function$;

-- ==== function: core.name_query ====
CREATE OR REPLACE FUNCTION core.name_query(p_name text)
 RETURNS tsquery
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$
    SELECT string_agg('''' || w || ''':*', ' & ')::tsquery FROM unnest(core.name_words(p_name)) AS w
$function$;

-- ==== function: core.name_vector ====
CREATE OR REPLACE FUNCTION core.name_vector(p_name text)
 RETURNS tsvector
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$
    SELECT array_to_tsvector(core.name_words(p_name))
$function$;

-- ==== function: core.name_words ====
CREATE OR REPLACE FUNCTION core.name_words(p_name text)
 RETURNS text[]
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$
    SELECT array_remove(string_to_array(
        regexp_replace(
            regexp_replace(lower(normalize(p_name, NFKD)), '[\u0300-\u036F\u0027\u2018\u2019\u02BC]', '', 'g'),
            '[^[:alnum:]\u0080-\U0010FFFF]+', ' ', 'g'
        ), ' '), '')
$function$;

-- ==== function: core.nearest_wallets ====
CREATE OR REPLACE FUNCTION core.nearest_wallets(p_account text)
 RETURNS text[]
 LANGUAGE sql
 STABLE
AS $function$
    SELECT coalesce(array_agg(w.id ORDER BY w.id), '{}')
      FROM (
        SELECT w.id
          FROM (SELECT regexp_replace(coalesce(p_account, ''), '[\s\u00a0-]', '', 'g')) AS t (typed)
         CROSS JOIN LATERAL (
            SELECT overlay(t.typed PLACING digit.value::text FROM place.value FOR 1)
              FROM generate_series(1, 10) AS place (value), generate_series(0, 9) AS digit (value)
             UNION
            SELECT overlay(t.typed PLACING reverse(substr(t.typed, place.value, 2)) FROM place.value FOR 2)
              FROM generate_series(1, 9) AS place (value)
          ) AS candidate (number)
          JOIN core.wallets w ON w.id = candidate.number AND w.kind = 'CUSTOMER' AND w.status <> 'CLOSED'
         WHERE t.typed ~ '^[0-9]{10}$'
         ORDER BY w.id
         LIMIT 5
      ) w
$function$;

-- ==== function: core.new_id ====
CREATE OR REPLACE FUNCTION core.new_id()
 RETURNS uuid
 LANGUAGE sql
AS $function$
    -- Each volatile part stands here once, so that PostgreSQL writes the function into the statement that calls it:
    -- 48 bits of milliseconds and 12 of their fraction, between them the version; the variant and 62 random bits.
    SELECT (
        overlay(
            lpad(to_hex((extract(epoch FROM clock_timestamp()) * 4096000)::bigint), 15, '0') PLACING '7' FROM 13 FOR 0
        ) || encode(substring(uuid_send(gen_random_uuid()) FROM 9), 'hex')
    )::uuid
$function$;

-- ==== function: core.normalize_phone ====
CREATE OR REPLACE FUNCTION core.normalize_phone(p_typed text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$
    SELECT '254' || substring(p_typed FROM '^(?:\+?254|00254|0)?([17][0-9]{8})$')
$function$;

-- ==== function: core.note_wallet_change ====
CREATE OR REPLACE FUNCTION core.note_wallet_change(p_wallet text, p_column text, p_from text, p_to text, p_reason text, p_actor text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    v_last timestamp := (SELECT max(e.created_at) FROM core.wallet_events e WHERE e.wallet_id = p_wallet);
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO core.wallet_events (wallet_id, lane, changed, old_value, new_value, actor, reason, created_at)
    VALUES (
        p_wallet, core.lane_of(p_wallet), p_column, p_from, p_to, coalesce(p_actor, session_user), p_reason,
        greatest(clock_timestamp() AT TIME ZONE 'UTC', v_last + interval '1 millisecond')
    );
    PERFORM set_config('daftari.door', '', true);
END
$function$;

-- ==== function: core.phone_of_hash ====
CREATE OR REPLACE FUNCTION core.phone_of_hash(p_hash text)
 RETURNS text
 LANGUAGE sql
 STABLE
AS $function$
    SELECT min(w.phone)
      FROM core.wallets w
     WHERE encode(sha256(w.phone::bytea), 'hex') COLLATE "C" >= split_part(p_hash, '*', 1)
       AND encode(sha256(w.phone::bytea), 'hex') COLLATE "C" < split_part(p_hash, '*', 1) || 'g'
       AND right(encode(sha256(w.phone::bytea), 'hex'), length(substring(p_hash FROM '[^*]*$')))
           = substring(p_hash FROM '[^*]*$')
       AND length(split_part(p_hash, '*', 1)) >= 16
    HAVING count(DISTINCT w.phone) = 1
$function$;

-- ==== function: core.place_hold ====
CREATE OR REPLACE FUNCTION core.place_hold(p_key text, p_digest text, p_wallet text, p_amount numeric, p_expires_at timestamp without time zone, p_narrative text, OUT outcome text, OUT reason text, OUT hold_id uuid)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    v_now constant timestamp := clock_timestamp() AT TIME ZONE 'UTC';
    v_fee numeric;
    w     core.wallets;
BEGIN
    PERFORM core.lock_wallets(ARRAY[p_wallet]);
    outcome := core.find_request(p_key => p_key, p_digest => p_digest);
    IF outcome = 'replayed' THEN
        SELECT q.reason, q.reference::uuid INTO reason, hold_id
          FROM core.requests q WHERE q.idempotency_key = p_key;
    END IF;
    IF outcome IS NOT NULL THEN
        RETURN;
    END IF;

    SELECT * INTO w FROM core.wallets WHERE id = p_wallet AND kind = 'CUSTOMER';
    v_fee := core.fee_to_hold(p_currency => w.currency, p_amount => p_amount, p_at => v_now);
    reason := CASE
        WHEN w.id IS NULL THEN 'unknown_wallet'
        WHEN w.status = 'FROZEN' THEN 'wallet_frozen'
        WHEN w.status = 'CLOSED' THEN 'wallet_closed'
        WHEN p_amount <= 0 OR p_amount <> round(p_amount, 2) THEN 'invalid_amount'
        WHEN p_expires_at <= v_now THEN 'expiry_passed'
        WHEN w.balance - w.held - w.min_balance < p_amount + v_fee THEN 'insufficient_funds'
    END;
    IF reason IS NOT NULL THEN
        outcome := 'refused';
        PERFORM core.refuse_request(p_key => p_key, p_digest => p_digest, p_reason => reason);
        RETURN;
    END IF;

    outcome := 'posted';
    hold_id := core.new_id();
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE core.wallets
       SET held = held + p_amount + v_fee, updated_at = greatest(updated_at, v_now)
     WHERE id = p_wallet;
    INSERT INTO core.holds (id, wallet_id, lane, amount, fee_held, expires_at, narrative, placed_available)
    VALUES (
        hold_id, p_wallet, w.lane, p_amount, v_fee, p_expires_at, p_narrative, w.balance - w.held - p_amount - v_fee
    );
    INSERT INTO core.requests (idempotency_key, digest, outcome, reference)
    VALUES (p_key, p_digest, 'POSTED', hold_id::text);
    PERFORM set_config('daftari.door', '', true);
END
$function$;

-- ==== function: core.post_transactions ====
CREATE OR REPLACE FUNCTION core.post_transactions(p_references text[], p_types text[], p_debits text[], p_credits text[], p_fallbacks text[], p_amounts numeric[], p_currencies text[], p_keys text[] DEFAULT NULL::text[], p_digests text[] DEFAULT NULL::text[], p_reverses uuid[] DEFAULT NULL::uuid[], p_groups integer[] DEFAULT NULL::integer[], p_narratives text[] DEFAULT NULL::text[], OUT outcomes text[], OUT reasons text[], OUT ids uuid[], OUT credited text[], OUT debit_balances numeric[], OUT credit_balances numeric[], OUT hashes text[], OUT lanes smallint[], OUT posted_at timestamp without time zone)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
 SET enable_nestloop TO 'off'
 SET jit TO 'off'
AS $function$
DECLARE
    n              constant integer := coalesce(array_length(p_references, 1), 0);
    c_largest      constant numeric := 99999999999999999.99; -- what DECIMAL(19,2) can hold
    v_ms           bigint; -- posted_at in milliseconds since 1970
    v_time         text;   -- posted_at as the hashes have it
    v_seed         constant bytea := uuid_send(gen_random_uuid());
    v_xact         constant bigint := pg_current_xact_id()::text::bigint;
    -- The wallets of the batch that exist, one array a column; an item names a wallet by its place in them.
    w_ids        text[];
    w_balances   numeric[];
    w_available  numeric[]; -- balance - held - floor; NULL: this wallet has no floor
    w_versions   bigint[];
    w_statuses   text[];
    w_currencies text[];
    w_lanes      smallint[];
    w_counts     integer[]; -- postings of this batch
    v_customers  integer;   -- how many of them are customers': those come first
    v_last       timestamp; -- the latest moment that a wallet of the batch bears
    -- The place of each item's debit wallet (element i) and credit wallet (n + i), NULL for a wallet that is not there.
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

    outcomes := array_fill(NULL::text, ARRAY[n]);
    reasons := outcomes; credited := outcomes;
    debit_balances := array_fill(NULL::numeric, ARRAY[n]);
    credit_balances := debit_balances;
    o_debit_versions := array_fill(NULL::bigint, ARRAY[n]);
    o_credit_versions := o_debit_versions;
    lanes := array_fill(NULL::smallint, ARRAY[n]);

    -- ---- 1. Locks: all wallets of the batch, in the one global order ----

    SELECT l.ids, l.balances, l.available, l.versions, l.statuses, l.currencies, l.lanes, l.customers, l.last
      INTO w_ids, w_balances, w_available, w_versions, w_statuses, w_currencies, w_lanes, v_customers, v_last
      FROM core.lock_batch(
          p_debits => p_debits, p_credits => p_credits, p_fallbacks => p_fallbacks, p_currencies => p_currencies
      ) AS l;
    w_counts := array_fill(0, ARRAY[coalesce(cardinality(w_ids), 0)]);

    -- ---- 2. Places: an item finds its wallets by numbers ----

    SELECT array_agg(l.place::integer ORDER BY s.slot)
      INTO i_places
      FROM unnest(p_debits || p_credits) WITH ORDINALITY AS s (name, slot)
      LEFT JOIN unnest(w_ids) WITH ORDINALITY AS l (id, place) ON l.id = s.name;

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
    v_time := core.hash_time(posted_at);

    -- ---- 4. The loop: item by item, as if each came alone ----

    FOR i IN 1 .. n LOOP
        d := i_places[i]; c := i_places[n + i];
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
            IF c IS NULL THEN v_reason := 'unknown_wallet';
            ELSIF w_statuses[c] = 'FROZEN' THEN v_reason := 'wallet_frozen';
            ELSIF w_statuses[c] = 'CLOSED' THEN v_reason := 'wallet_closed';
            ELSIF w_currencies[c] <> p_currencies[i] THEN v_reason := 'currency_mismatch';
            END IF;
            IF v_reason IS NOT NULL AND p_fallbacks[i] IS NOT NULL THEN
                f := coalesce(
                    array_position(w_ids, p_fallbacks[i], v_customers + 1), array_position(w_ids, p_fallbacks[i])
                );
                IF w_statuses[f] = 'ACTIVE' THEN
                    reasons[i] := v_reason; v_reason := NULL; c := f;
                END IF;
            END IF;

            IF v_reason IS NOT NULL THEN NULL;
            ELSIF a IS NULL OR a <= 0 OR a > c_largest OR scale(a) > 2 AND a <> round(a, 2) THEN v_reason := 'invalid_amount';
            ELSIF d IS NULL THEN v_reason := 'unknown_wallet';
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
            credited[i] := w_ids[c]; lanes[i] := w_lanes[c];
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
                   WHEN outcomes[item] = 'created' THEN core.batch_id(p_milliseconds => v_ms, p_item => item, p_seed => v_seed)
               END ORDER BY item
           ),
           array_agg(
               CASE WHEN outcomes[item] = 'created' THEN core.hash_of(
                   p_reference => p_references[item], p_amount => p_amounts[item], p_time => v_time
               ) END ORDER BY item
           )
      INTO ids, hashes
      FROM generate_series(1, n) AS item;

    -- The guards let through what happens from here to the end of this function; an error closes the door as well.
    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO core.transactions (
        id, reference, type, debit_wallet_id, credit_wallet_id, amount, currency,
        debit_version, debit_balance_after, credit_version, credit_balance_after,
        idempotency_key, request_digest, reverses_id, narrative, created_at, verification_hash, xact_id, lane
    )
    SELECT ids[item], p_references[item], p_types[item], p_debits[item], credited[item], p_amounts[item], p_currencies[item],
           o_debit_versions[item], debit_balances[item], o_credit_versions[item], credit_balances[item],
           p_keys[item], p_digests[item], p_reverses[item], p_narratives[item], posted_at, hashes[item], v_xact, lanes[item]
      FROM (
        -- In one order for everybody, as for the keys below.
        SELECT item FROM generate_series(1, n) AS item WHERE ids[item] IS NOT NULL ORDER BY p_references[item] COLLATE "C"
      ) AS t (item);

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
$function$;

-- ==== function: core.rank_names ====
CREATE OR REPLACE FUNCTION core.rank_names(p_names text[], OUT places integer[], OUT names text[])
 RETURNS record
 LANGUAGE plpgsql
 IMMUTABLE
AS $function$
BEGIN
    SELECT array_agg(d.name ORDER BY d.name COLLATE "C")
      INTO names
      FROM (SELECT DISTINCT s.name FROM unnest(p_names) AS s (name) WHERE s.name IS NOT NULL) d;
    SELECT array_agg(t.place::integer ORDER BY s.slot)
      INTO places
      FROM unnest(p_names) WITH ORDINALITY AS s (name, slot)
      LEFT JOIN unnest(names) WITH ORDINALITY AS t (name, place) ON t.name = s.name;
END
$function$;

-- ==== function: core.record_transfers ====
CREATE OR REPLACE FUNCTION core.record_transfers(p_keys text[], p_digests text[], p_references text[], p_debits text[], p_credits text[], p_amounts numeric[], p_currencies text[], p_narratives text[], OUT outcomes text[], OUT reasons text[], OUT refs text[], OUT ids uuid[], OUT fees numeric[], OUT balances numeric[], OUT credit_balances numeric[], OUT times timestamp without time zone[], OUT hashes text[])
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
 SET enable_nestloop TO 'off'
 SET jit TO 'off'
AS $function$
DECLARE
    n         constant integer := coalesce(array_length(p_references, 1), 0);
    v_legs    integer := n;
    v_items   integer[]; -- which element each leg belongs to; NULL: no transfer has a fee, and leg and element are one
    v_batch   record;    -- the legs as the door takes them
    v_post    record;
    v_system  text[];
    v_earlier text[]; -- references of transactions that this batch asks for again
    r         record;
    v_now     constant timestamp := clock_timestamp() AT TIME ZONE 'UTC';
BEGIN
    -- A system wallet is nobody to a transfer: the float has no floor, so money could be made from it, and what waits
    -- in suspense is other people's. The door refuses a wallet without a name as unknown.
    SELECT array_agg(w.id::text) INTO v_system
      FROM core.wallets w
     WHERE w.id = ANY (p_debits || p_credits) AND w.kind = 'SYSTEM';
    IF v_system IS NOT NULL THEN
        SELECT array_agg(CASE WHEN t.debit <> ALL (v_system) THEN t.debit END ORDER BY t.ord),
               array_agg(CASE WHEN t.credit <> ALL (v_system) THEN t.credit END ORDER BY t.ord)
          INTO p_debits, p_credits
          FROM unnest(p_debits, p_credits) WITH ORDINALITY AS t (debit, credit, ord);
    END IF;

    fees := array_fill(0.00, ARRAY[n]);
    IF EXISTS (SELECT FROM core.fee_rules) THEN
        -- One leg for the transfer and one for its fee, if it has one, behind it.
        SELECT array_agg(l.item ORDER BY l.item, l.leg) AS items,
               array_agg(l.reference ORDER BY l.item, l.leg) AS refs,
               array_agg(CASE l.leg WHEN 1 THEN 'TRANSFER' ELSE 'FEE' END ORDER BY l.item, l.leg) AS types,
               array_agg(l.debit ORDER BY l.item, l.leg) AS debits,
               array_agg(l.credit ORDER BY l.item, l.leg) AS credits,
               array_agg(l.amount ORDER BY l.item, l.leg) AS amounts,
               array_agg(l.currency ORDER BY l.item, l.leg) AS currencies,
               array_agg(l.key ORDER BY l.item, l.leg) AS keys,
               array_agg(l.digest ORDER BY l.item, l.leg) AS digests,
               array_agg(l.narrative ORDER BY l.item, l.leg) AS narratives
          INTO v_batch
          FROM (
            SELECT t.item::integer, 1 AS leg, t.reference, t.debit, t.credit, t.amount, t.currency, t.key, t.digest,
                   t.narrative
              FROM unnest(p_references, p_debits, p_credits, p_amounts, p_currencies, p_keys, p_digests, p_narratives)
                   WITH ORDINALITY AS t (reference, debit, credit, amount, currency, key, digest, narrative, item)
            UNION ALL
            SELECT t.item::integer, 2, t.reference || '-F', CASE f.payer WHEN 'SENDER' THEN t.debit ELSE t.credit END,
                   core.stripe_of(
                       p_account => 'FEES',
                       p_lane => core.lane_of(CASE f.payer WHEN 'SENDER' THEN t.debit ELSE t.credit END)
                   ), f.fee, t.currency, NULL, NULL, NULL
              FROM unnest(p_references, p_debits, p_credits, p_amounts, p_currencies) WITH ORDINALITY
                   AS t (reference, debit, credit, amount, currency, item)
             CROSS JOIN LATERAL core.fee_of(
                 p_type => 'TRANSFER', p_currency => t.currency, p_amount => t.amount, p_at => v_now
             ) AS f
          ) l;
        v_items := v_batch.items;
        v_legs := coalesce(array_length(v_items, 1), 0);
    ELSE
        SELECT p_references AS refs, array_fill('TRANSFER'::text, ARRAY[n]) AS types, p_debits AS debits,
               p_credits AS credits, p_amounts AS amounts, p_currencies AS currencies, p_keys AS keys,
               p_digests AS digests, p_narratives AS narratives
          INTO v_batch;
    END IF;

    SELECT *
      INTO v_post
      FROM core.post_transactions(
          p_references => v_batch.refs, p_types => v_batch.types, p_debits => v_batch.debits,
          p_credits => v_batch.credits, p_fallbacks => NULL,
          p_amounts => v_batch.amounts, p_currencies => v_batch.currencies, p_keys => v_batch.keys,
          p_digests => v_batch.digests, p_groups => v_items, p_narratives => v_batch.narratives
      );

    outcomes := v_post.outcomes; reasons := v_post.reasons; ids := v_post.ids; hashes := v_post.hashes;
    balances := v_post.debit_balances; credit_balances := v_post.credit_balances;
    -- A fee that the sender pays lowers the sender's balance further; one that the receiver pays, the receiver's.
    IF v_legs > n THEN
        SELECT array_agg(t.outcome ORDER BY t.item), array_agg(t.reason ORDER BY t.item), array_agg(t.id ORDER BY t.item),
               array_agg(t.hash ORDER BY t.item),
               array_agg(CASE WHEN f.debit = t.debit THEN f.balance ELSE t.balance END ORDER BY t.item),
               array_agg(CASE WHEN f.debit = t.credit THEN f.balance ELSE t.credit_balance END ORDER BY t.item),
               array_agg(CASE WHEN t.outcome = 'created' THEN coalesce(f.amount, 0) ELSE 0 END ORDER BY t.item)
          INTO outcomes, reasons, ids, hashes, balances, credit_balances, fees
          FROM unnest(
            v_items, v_batch.types, v_batch.debits, v_batch.credits, v_post.outcomes, v_post.reasons, v_post.ids,
            v_post.hashes, v_post.debit_balances, v_post.credit_balances
          ) AS t (item, type, debit, credit, outcome, reason, id, hash, balance, credit_balance)
          LEFT JOIN unnest(v_items, v_batch.types, v_batch.debits, v_batch.amounts, v_post.debit_balances)
               AS f (item, type, debit, amount, balance) ON f.item = t.item AND f.type = 'FEE'
         WHERE t.type = 'TRANSFER';
    END IF;
    refs := p_references; times := array_fill(v_post.posted_at, ARRAY[n]);

    IF 'replayed' = ANY (outcomes) THEN
        SELECT array_agg(q.reference::text) || array_agg(q.reference || '-F')
          INTO v_earlier
          FROM core.requests q
         WHERE q.idempotency_key = ANY (p_keys);
        FOR r IN
            SELECT t.ord, q.reason::text, q.reference::text, x.id, coalesce(f.amount, 0) AS fee,
                   CASE WHEN f.debit_wallet_id = x.debit_wallet_id THEN f.debit_balance_after ELSE x.debit_balance_after END
                       AS balance,
                   CASE WHEN f.debit_wallet_id = x.credit_wallet_id THEN f.debit_balance_after ELSE x.credit_balance_after END
                       AS credit_balance,
                   x.created_at::timestamp, x.verification_hash::text
              FROM unnest(p_keys, outcomes) WITH ORDINALITY AS t (key, outcome, ord)
              JOIN core.requests q ON q.idempotency_key = t.key AND q.idempotency_key = ANY (p_keys)
              LEFT JOIN core.transactions x ON x.reference = q.reference AND x.reference = ANY (v_earlier)
              LEFT JOIN core.transactions f ON f.reference = q.reference || '-F' AND f.reference = ANY (v_earlier)
             WHERE t.outcome = 'replayed'
        LOOP
            reasons[r.ord] := r.reason; refs[r.ord] := r.reference; ids[r.ord] := r.id; fees[r.ord] := r.fee;
            balances[r.ord] := r.balance; credit_balances[r.ord] := r.credit_balance;
            times[r.ord] := r.created_at; hashes[r.ord] := r.verification_hash;
        END LOOP;
    END IF;

    outcomes := array_replace(outcomes, 'created', 'posted');
    outcomes := array_replace(array_replace(outcomes, 'exists', 'collision'), 'exists_different', 'collision');
    -- It is the reference of its fee that is taken.
    outcomes := array_replace(outcomes, 'skipped', 'collision');
END
$function$;

-- ==== function: core.refuse_change ====
CREATE OR REPLACE FUNCTION core.refuse_change()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
    RAISE EXCEPTION '% on %.% is refused: the table is append-only', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'DF001', HINT = TG_ARGV[0];
END
$function$;

-- ==== function: core.refuse_request ====
CREATE OR REPLACE FUNCTION core.refuse_request(p_key text, p_digest text, p_reason text)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO core.requests (idempotency_key, digest, outcome, reason)
    VALUES (p_key, p_digest, 'REFUSED', p_reason);
    PERFORM set_config('daftari.door', '', true);
END
$function$;

-- ==== function: core.refuse_write ====
CREATE OR REPLACE FUNCTION core.refuse_write()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
    RAISE EXCEPTION '% on %.% is refused: its functions write it, and nothing else', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'DF003', HINT = TG_ARGV[0];
END
$function$;

-- ==== function: core.release_hold ====
CREATE OR REPLACE FUNCTION core.release_hold(p_hold_id uuid, p_status text, OUT outcome text, OUT reason text)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    v_now constant timestamp := clock_timestamp() AT TIME ZONE 'UTC';
    h core.holds;
    v_available numeric;
BEGIN
    PERFORM core.lock_wallets(ARRAY[(SELECT b.wallet_id FROM core.holds b WHERE b.id = p_hold_id)]);
    SELECT * INTO h FROM core.holds WHERE id = p_hold_id;
    IF h.status = p_status THEN
        outcome := 'replayed';
        RETURN;
    END IF;
    reason := CASE
        WHEN h.id IS NULL THEN 'unknown_hold'
        WHEN h.status <> 'ACTIVE' THEN 'hold_closed'
        WHEN p_status = 'EXPIRED' AND (h.expires_at IS NULL OR h.expires_at > v_now) THEN 'not_expired'
    END;
    outcome := CASE WHEN reason IS NULL THEN 'posted' ELSE 'refused' END;
    IF reason IS NULL THEN
        PERFORM set_config('daftari.door', 'open', true);
        UPDATE core.wallets b SET held = b.held - h.amount - coalesce(h.fee_held, 0), updated_at = greatest(b.updated_at, v_now)
         WHERE b.id = h.wallet_id
        RETURNING b.balance - b.held INTO v_available;
        UPDATE core.holds SET status = p_status, closed_at = v_now, closed_available = v_available WHERE id = h.id;
        PERFORM set_config('daftari.door', '', true);
    END IF;
END
$function$;

-- ==== function: core.remaining_of ====
CREATE OR REPLACE FUNCTION core.remaining_of(p_id uuid)
 RETURNS numeric
 LANGUAGE sql
AS $function$
    SELECT t.amount - coalesce((SELECT sum(r.amount) FROM core.transactions r WHERE r.reverses_id = t.id), 0)
      FROM core.transactions t
     WHERE t.id = p_id
$function$;

-- ==== function: core.reverse_transaction ====
CREATE OR REPLACE FUNCTION core.reverse_transaction(p_key text, p_digest text, p_original text, p_amount numeric, p_reference text, p_narrative text, OUT outcome text, OUT reason text, OUT reference text)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    t           core.transactions;
    v_remaining numeric;
    v_post      record;
BEGIN
    SELECT * INTO t FROM core.transactions x WHERE x.reference = p_original;
    PERFORM core.lock_wallets(ARRAY[t.debit_wallet_id::text, t.credit_wallet_id::text]);
    outcome := core.find_request(p_key => p_key, p_digest => p_digest);
    IF outcome = 'replayed' THEN
        SELECT q.reason, q.reference INTO reason, reference
          FROM core.requests q WHERE q.idempotency_key = p_key;
    END IF;
    IF outcome IS NOT NULL THEN
        RETURN;
    END IF;

    v_remaining := core.remaining_of(t.id);
    p_amount := coalesce(p_amount, v_remaining);
    reason := CASE
        WHEN t.id IS NULL THEN 'unknown_transaction'
        WHEN t.type = 'REVERSAL' THEN 'not_reversible'
        WHEN v_remaining = 0 THEN 'already_reversed'
        WHEN p_amount > v_remaining THEN 'exceeds_remaining'
        WHEN t.type = 'ASSIGNMENT' AND p_amount < v_remaining THEN 'not_divisible'
        WHEN t.type = 'DEPOSIT' AND (core.current_assignment(t.reference)).reference IS NOT NULL THEN 'already_assigned'
    END;
    IF reason IS NOT NULL THEN
        outcome := 'refused';
        PERFORM core.refuse_request(p_key => p_key, p_digest => p_digest, p_reason => reason);
        RETURN;
    END IF;

    SELECT * INTO v_post FROM core.post_transactions(
        p_references => ARRAY[p_reference], p_types => ARRAY['REVERSAL'],
        p_debits => ARRAY[t.credit_wallet_id::text], p_credits => ARRAY[t.debit_wallet_id::text],
        p_fallbacks => NULL, p_amounts => ARRAY[p_amount], p_currencies => ARRAY[t.currency::text],
        p_keys => ARRAY[p_key], p_digests => ARRAY[p_digest], p_reverses => ARRAY[t.id],
        p_narratives => ARRAY[p_narrative]
    );
    -- Its key may have been spent on other wallets than ours since it was looked for.
    outcome := CASE
        WHEN v_post.outcomes[1] = 'created' THEN 'posted'
        WHEN v_post.outcomes[1] IN ('refused', 'key_reused') THEN v_post.outcomes[1]
        ELSE 'collision'
    END;
    reason := v_post.reasons[1];
    reference := CASE WHEN outcome = 'posted' THEN p_reference END;
END
$function$;

-- ==== function: core.route_account ====
CREATE OR REPLACE FUNCTION core.route_account(p_account text)
 RETURNS TABLE(wallet_id text, phone text, reason text)
 LANGUAGE sql
 STABLE
AS $function$
    SELECT coalesce(e.id, w.id)::text,
           coalesce(e.phone, w.phone)::text,
           CASE
               WHEN e.id IS NOT NULL OR w.id IS NOT NULL THEN NULL
               WHEN s.typed = '' THEN 'no_account'
               WHEN EXISTS (
                   SELECT 1 FROM core.wallets a WHERE a.phone = core.normalize_phone(s.typed) AND a.kind = 'CUSTOMER'
                      AND a.status <> 'CLOSED'
               ) THEN 'ambiguous_phone'
               WHEN s.typed ~ '^[1-9][0-9]{9}$' AND NOT core.has_check_digit(s.typed) THEN 'wrong_check_digit'
               ELSE 'unknown_account'
           END
      FROM (SELECT 1) AS one
      LEFT JOIN core.wallets e ON e.id = p_account AND e.kind = 'CUSTOMER'
     -- What follows is looked at only when nothing has exactly the number that was typed.
     CROSS JOIN LATERAL (
        SELECT CASE
                   WHEN e.id IS NULL THEN regexp_replace(coalesce(p_account, ''), '[\s\u00a0-]', '', 'g')
               END
     ) AS s (typed)
      LEFT JOIN core.wallets w ON w.id = CASE
        WHEN e.id IS NULL THEN coalesce(
            (SELECT n.id FROM core.wallets n WHERE n.id = s.typed AND n.kind = 'CUSTOMER'),
            (
                SELECT min(p.id)
                  FROM core.wallets p
                 WHERE p.phone = core.normalize_phone(s.typed) AND p.kind = 'CUSTOMER' AND p.status <> 'CLOSED'
                HAVING count(*) = 1
            )
        )
     END
$function$;

-- ==== function: core.route_accounts ====
CREATE OR REPLACE FUNCTION core.route_accounts(p_accounts text[], p_payers text[], p_hashes text[], OUT wallets text[], OUT phones text[], OUT reasons text[], OUT suggestions text[])
 RETURNS record
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_nestloop TO 'on'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
AS $function$
BEGIN
    SELECT array_agg(coalesce(r.wallet_id, p.id) ORDER BY t.ord), array_agg(coalesce(r.phone, p.phone) ORDER BY t.ord),
           array_agg(CASE WHEN p.id IS NULL THEN r.reason END ORDER BY t.ord),
           array_agg(
               CASE
                   WHEN r.reason IS NOT NULL AND p.id IS NULL THEN (
                       SELECT string_agg(s.wallet, ',') FROM core.suggest_wallets(
                           p_account => t.account, p_phone => t.payer, p_phone_hash => t.hash
                       ) AS s
                   )
               END ORDER BY t.ord
           )
      INTO wallets, phones, reasons, suggestions
      FROM unnest(p_accounts, p_payers, p_hashes) WITH ORDINALITY AS t (account, payer, hash, ord)
     CROSS JOIN LATERAL core.route_account(t.account) AS r
      LEFT JOIN core.wallets p ON r.reason IS NOT NULL AND p.id = services.wallet_of_payment(
        p_account => t.account, p_phone => t.payer, p_phone_hash => t.hash
      );
END
$function$;

-- ==== function: core.run_operations ====
CREATE OR REPLACE FUNCTION core.run_operations(p_kinds text[], p_keys text[], p_digests text[], p_holds uuid[], p_originals text[], p_wallets text[], p_amounts numeric[], p_expiries timestamp without time zone[], p_references text[], p_narratives text[])
 RETURNS TABLE(ord integer, outcome text, reason text, reference text, transaction_id uuid, type text, debit_wallet text, credit_wallet text, amount numeric, currency text, fee numeric, balance_after numeric, created_at timestamp without time zone, verification_hash text, remaining numeric, hold_id uuid, hold_wallet text, hold_amount numeric, hold_captured numeric, hold_status text, hold_capture text, hold_expires_at timestamp without time zone, hold_created_at timestamp without time zone, hold_available numeric, hold_fee_held numeric)
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
 SET enable_nestloop TO 'off'
 SET jit TO 'off'
AS $function$
#variable_conflict use_column
DECLARE
    n            constant integer := coalesce(array_length(p_kinds, 1), 0);
    v_reversed   text[]; -- the transactions that are to be reversed or assigned
    v_wallets    text[]; -- all that may be touched
    v_outcomes   text[] := array_fill(NULL::text, ARRAY[n]);
    v_reasons    text[] := v_outcomes;
    v_references text[] := v_outcomes;
    v_holds      uuid[] := array_fill(NULL::uuid, ARRAY[n]);
    r            record;
BEGIN
    IF n <> ANY (ARRAY[
        cardinality(p_keys), cardinality(p_digests), cardinality(p_holds), cardinality(p_originals),
        cardinality(p_wallets), cardinality(p_amounts), cardinality(p_expiries), cardinality(p_references),
        cardinality(p_narratives)
    ]) IS NOT FALSE THEN
        RAISE EXCEPTION 'the arrays of a batch must have one length' USING ERRCODE = '22023';
    END IF;

    SELECT array_agg(o.original) INTO v_reversed
      FROM unnest(p_kinds, p_originals) AS o (kind, original)
     WHERE o.kind IN ('REVERSE', 'ASSIGN');
    SELECT array_agg(DISTINCT w.id) INTO v_wallets
      FROM (
        SELECT o.id FROM unnest(p_kinds, p_wallets) AS o (kind, id) WHERE o.kind <> 'CAPTURE'
        UNION ALL
        SELECT h.wallet_id::text FROM core.holds h WHERE h.id = ANY (p_holds)
        UNION ALL
        -- A capture pays out of its hold's lane, and its fee is earned in the lane of who pays it.
        SELECT unnest(ARRAY[
                   core.wallet_in_lane(p_wallet => o.id, p_lane => h.lane),
                   core.stripe_of(p_account => 'FEES', p_lane => h.lane),
                   core.stripe_of(p_account => 'FEES', p_lane => core.lane_of(o.id))
               ])
          FROM unnest(p_kinds, p_holds, p_wallets) AS o (kind, hold, id)
          JOIN core.holds h ON h.id = o.hold AND h.id = ANY (p_holds)
         WHERE o.kind = 'CAPTURE'
        UNION ALL
        SELECT unnest(ARRAY[t.debit_wallet_id, t.credit_wallet_id])::text
          FROM core.transactions t WHERE t.reference = ANY (v_reversed)
      ) w;
    PERFORM core.lock_wallets(v_wallets);

    FOR i IN 1 .. n LOOP
        -- What is to be reversed or assigned may have been posted while we waited for the locks, between other wallets
        -- than ours: they would be locked out of order. The batch is rolled back and repeated, and sees them from the
        -- start.
        IF p_kinds[i] IN ('REVERSE', 'ASSIGN') AND EXISTS (
            SELECT FROM core.transactions t
             WHERE t.reference = p_originals[i]
               AND NOT ARRAY[t.debit_wallet_id::text, t.credit_wallet_id::text] <@ v_wallets
        ) THEN
            RAISE EXCEPTION 'a transaction to be reversed or assigned was posted meanwhile' USING ERRCODE = '40001';
        END IF;
        CASE p_kinds[i]
        WHEN 'HOLD' THEN
            SELECT f.outcome, f.reason, f.hold_id, NULL AS reference INTO r
              FROM core.place_hold(
                  p_key => p_keys[i], p_digest => p_digests[i], p_wallet => p_wallets[i], p_amount => p_amounts[i],
                  p_expires_at => p_expiries[i], p_narrative => p_narratives[i]
              ) AS f;
        WHEN 'CAPTURE' THEN
            SELECT f.outcome, f.reason, p_holds[i] AS hold_id, f.reference INTO r
              FROM core.capture_hold(
                  p_key => p_keys[i], p_digest => p_digests[i], p_hold_id => p_holds[i], p_to => p_wallets[i],
                  p_amount => p_amounts[i], p_reference => p_references[i], p_narrative => p_narratives[i]
              ) AS f;
        WHEN 'RELEASE' THEN
            SELECT f.outcome, f.reason, p_holds[i] AS hold_id, NULL AS reference INTO r
              FROM core.release_hold(p_hold_id => p_holds[i], p_status => 'RELEASED') AS f;
        WHEN 'REVERSE' THEN
            SELECT f.outcome, f.reason, NULL::uuid AS hold_id, f.reference INTO r
              FROM core.reverse_transaction(
                  p_key => p_keys[i], p_digest => p_digests[i], p_original => p_originals[i],
                  p_amount => p_amounts[i], p_reference => p_references[i], p_narrative => p_narratives[i]
              ) AS f;
        WHEN 'ASSIGN' THEN
            SELECT f.outcome, f.reason, NULL::uuid AS hold_id, f.reference INTO r
              FROM core.assign_suspense(
                  p_receipt => p_originals[i], p_wallet => p_wallets[i], p_key => p_keys[i],
                  p_digest => p_digests[i]
              ) AS f;
        ELSE
            RAISE EXCEPTION 'there is no operation of kind %', p_kinds[i] USING ERRCODE = '22023';
        END CASE;
        v_outcomes[i] := r.outcome;
        v_reasons[i] := r.reason;
        IF r.outcome IN ('posted', 'replayed') AND r.reason IS NULL THEN
            v_references[i] := r.reference;
            v_holds[i] := r.hold_id;
        END IF;
    END LOOP;

    RETURN QUERY
    SELECT o.ord::integer, o.outcome, o.reason,
           o.reference, t.id, t.type::text, core.account_of(t.debit_wallet_id), core.account_of(t.credit_wallet_id), t.amount,
           t.currency::text, coalesce(f.amount, 0),
           CASE WHEN f.debit_wallet_id = t.debit_wallet_id THEN f.debit_balance_after ELSE t.debit_balance_after END,
           t.created_at::timestamp, t.verification_hash::text,
           -- All reversals of a transaction take from the same wallet, whose versions are their order.
           CASE WHEN o.kind = 'REVERSE' THEN (
               SELECT x.amount - (
                          SELECT sum(y.amount) FROM core.transactions y
                           WHERE y.reverses_id = t.reverses_id AND y.debit_version <= t.debit_version
                      )
                 FROM core.transactions x
                WHERE x.id = t.reverses_id
           ) END,
           h.id, h.wallet_id::text, h.amount,
           CASE WHEN o.kind = 'HOLD' THEN 0 ELSE h.captured END,
           CASE WHEN o.kind = 'HOLD' THEN 'ACTIVE' ELSE h.status::text END,
           CASE WHEN o.kind <> 'HOLD' THEN h.capture_reference::text END,
           h.expires_at::timestamp, h.created_at::timestamp,
           coalesce(
               CASE WHEN o.kind = 'HOLD' THEN h.placed_available ELSE h.closed_available END,
               (SELECT b.balance - b.held FROM core.wallets b WHERE b.id = h.wallet_id)
           ),
           coalesce(h.fee_held, 0)
      FROM unnest(p_kinds, v_outcomes, v_reasons, v_references, v_holds) WITH ORDINALITY
           AS o (kind, outcome, reason, reference, hold, ord)
      LEFT JOIN core.transactions t ON t.reference = o.reference AND t.reference = ANY (v_references)
      LEFT JOIN core.transactions f
        ON f.reference = o.reference || '-F' AND f.type = 'FEE'
           AND f.reference = ANY (ARRAY(SELECT v.reference || '-F' FROM unnest(v_references) AS v (reference)))
      LEFT JOIN core.holds h ON h.id = o.hold AND h.id = ANY (v_holds);
END
$function$;

-- ==== function: core.set_fee_rule ====
CREATE OR REPLACE FUNCTION core.set_fee_rule(p_key text, p_digest text, p_type text, p_currency text, p_min_amount numeric, p_flat numeric, p_rate numeric, p_payer text, p_valid_from timestamp without time zone, p_valid_until timestamp without time zone, p_actor text, p_note text, OUT outcome text, OUT reason text, OUT rule_id uuid)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    v_now  timestamp;
    v_from timestamp;
    r      core.fee_rules;
BEGIN
    -- One change of the rules at a time; those who charge by them read on.
    LOCK TABLE core.fee_rules IN SHARE ROW EXCLUSIVE MODE;
    v_now := date_trunc('milliseconds', clock_timestamp() AT TIME ZONE 'UTC');
    -- Of two changes within one millisecond the second begins in the next.
    WHILE p_valid_from IS NULL AND EXISTS (SELECT FROM core.fee_rules x WHERE x.valid_from = v_now) LOOP
        PERFORM pg_sleep(0.001);
        v_now := date_trunc('milliseconds', clock_timestamp() AT TIME ZONE 'UTC');
    END LOOP;
    v_from := coalesce(p_valid_from, v_now);
    outcome := core.find_request(p_key => p_key, p_digest => p_digest);
    IF outcome = 'replayed' THEN
        SELECT q.reason, q.reference::uuid INTO reason, rule_id
          FROM core.requests q WHERE q.idempotency_key = p_key;
    END IF;
    IF outcome IS NOT NULL THEN
        RETURN;
    END IF;

    reason := CASE
        WHEN v_from < v_now OR p_valid_until <= v_from THEN 'time_passed'
        WHEN EXISTS (
            SELECT FROM core.fee_rules x
             WHERE x.transaction_type = p_type AND x.currency = p_currency AND x.min_amount = p_min_amount
               AND x.valid_from >= v_from AND (p_valid_until IS NULL OR x.valid_from < p_valid_until)
               AND (x.valid_until IS NULL OR x.valid_until > x.valid_from)
        ) THEN 'fee_rule_planned'
    END;
    IF reason IS NOT NULL THEN
        outcome := 'refused';
        PERFORM core.refuse_request(p_key => p_key, p_digest => p_digest, p_reason => reason);
        RETURN;
    END IF;

    outcome := 'posted';
    rule_id := core.new_id();
    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO core.fee_rules (id, transaction_type, currency, min_amount, flat, rate, payer, valid_from, valid_until)
    VALUES (rule_id, p_type, p_currency, p_min_amount, p_flat, p_rate, p_payer, v_from, p_valid_until);
    INSERT INTO core.fee_rule_events (rule_id, version, kind, valid_until, actor, note)
    VALUES (set_fee_rule.rule_id, 1, 'SET', p_valid_until, p_actor, p_note);
    FOR r IN
        SELECT x.*
          FROM core.fee_rules x
         WHERE x.transaction_type = p_type AND x.currency = p_currency AND x.min_amount = p_min_amount
           AND x.valid_from < v_from AND (x.valid_until IS NULL OR x.valid_until > v_from)
    LOOP
        UPDATE core.fee_rules x SET valid_until = v_from WHERE x.id = r.id;
        INSERT INTO core.fee_rule_events (
            rule_id, version, kind, valid_until, former_until, replaced_by, actor, note
        )
        SELECT r.id, count(*) + 1, 'REPLACED', v_from, r.valid_until, set_fee_rule.rule_id, p_actor, p_note
          FROM core.fee_rule_events e
         WHERE e.rule_id = r.id;
    END LOOP;
    INSERT INTO core.requests (idempotency_key, digest, outcome, reference)
    VALUES (p_key, p_digest, 'POSTED', rule_id::text);
    PERFORM set_config('daftari.door', '', true);
END
$function$;

-- ==== function: core.set_wallet_floor ====
CREATE OR REPLACE FUNCTION core.set_wallet_floor(p_wallet text, p_floor numeric, p_reason text, p_actor text DEFAULT NULL::text, OUT outcome text, OUT reason text)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;

-- ==== function: core.set_wallet_status ====
CREATE OR REPLACE FUNCTION core.set_wallet_status(p_wallet text, p_status text, p_reason text, p_actor text DEFAULT NULL::text, OUT outcome text, OUT reason text)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;

-- ==== function: core.stripe_of ====
CREATE OR REPLACE FUNCTION core.stripe_of(p_account text, p_lane smallint)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$
    SELECT CASE WHEN p_lane = 0 THEN p_account ELSE p_account || '.' || p_lane::text END
$function$;

-- ==== function: core.suggest_wallets ====
CREATE OR REPLACE FUNCTION core.suggest_wallets(p_account text, p_phone text, p_phone_hash text, p_name text DEFAULT NULL::text)
 RETURNS TABLE(wallet text, reason text)
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET enable_seqscan TO 'off'
AS $function$
    SELECT s.wallet, s.reason
      FROM (
        SELECT c.wallet, (array_agg(c.reason ORDER BY c.rank))[1] AS reason, min(c.rank) AS rank, min(c.place) AS place
          FROM (
            SELECT n.wallet, 'near_number' AS reason, 1 AS rank, 0 AS place
              FROM unnest(core.nearest_wallets(p_account)) AS n (wallet)
             UNION ALL
            SELECT w.id, 'account_phone', 2, 0
              FROM core.wallets w
             WHERE w.phone = core.normalize_phone(regexp_replace(coalesce(p_account, ''), '[\s\u00a0-]', '', 'g'))
               AND w.kind = 'CUSTOMER' AND w.status <> 'CLOSED'
             UNION ALL
            SELECT min(w.id), CASE WHEN p_phone IS NULL THEN 'payer_phone_hash' ELSE 'payer_phone' END, 3, 0
              FROM core.wallets w
             WHERE w.phone = coalesce(
                       core.normalize_phone(p_phone),
                       CASE WHEN p_phone IS NULL AND p_phone_hash IS NOT NULL THEN core.phone_of_hash(p_phone_hash) END
                   )
               AND w.kind = 'CUSTOMER' AND w.status <> 'CLOSED'
            HAVING count(*) = 1
             UNION ALL
            -- The more words fit, the likelier.
            SELECT w.id, 'payer_mask_and_name', 4, -cardinality(ARRAY(
                       SELECT unnest(core.name_words(w.holder_name)) INTERSECT SELECT unnest(core.name_words(p_name))
                   ))
              FROM core.wallets w
             WHERE core.mask_words(p_phone => w.phone, p_name => w.holder_name)
                   && core.mask_words(p_phone => p_phone, p_name => p_name)
               AND p_phone LIKE '%*%' AND w.kind = 'CUSTOMER' AND w.status <> 'CLOSED'
               AND services.may_be_phone(p_phone => w.phone, p_told => p_phone, p_hash => NULL)
          ) c
         GROUP BY c.wallet
         ORDER BY rank, place, c.wallet
         LIMIT 5
      ) s
$function$;

-- ==== function: core.uuid_v7 ====
CREATE OR REPLACE FUNCTION core.uuid_v7(p_milliseconds bigint, p_sequence integer)
 RETURNS uuid
 LANGUAGE sql
AS $function$
    -- A random UUID (version 4) whose first eight bytes become the time, the version and the sequence; its
    -- last eight bytes already carry the variant and 62 random bits.
    SELECT encode(
        overlay(uuid_send(gen_random_uuid()) PLACING int8send((p_milliseconds << 16) | 28672 | p_sequence) FROM 1 FOR 8),
        'hex'
    )::uuid
$function$;

-- ==== function: core.verification_hash ====
CREATE OR REPLACE FUNCTION core.verification_hash(p_reference text, p_amount numeric, p_created_at timestamp without time zone)
 RETURNS text
 LANGUAGE sql
 STABLE
AS $function$
    SELECT core.hash_of(p_reference => p_reference, p_amount => p_amount, p_time => core.hash_time(p_created_at))
$function$;

-- ==== function: core.wallet_fault ====
CREATE OR REPLACE FUNCTION core.wallet_fault(p_holder_name text, p_phone text)
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT CASE
        WHEN p_holder_name <> btrim(p_holder_name) OR p_holder_name IS NOT NULL AND NOT core.is_holder_name(p_holder_name)
            THEN 'invalid_holder_name'
        WHEN p_phone IS NOT NULL AND core.normalize_phone(p_phone) IS NULL THEN 'invalid_phone'
    END
$function$;

-- ==== function: core.wallet_in_lane ====
CREATE OR REPLACE FUNCTION core.wallet_in_lane(p_wallet text, p_lane smallint)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$
    SELECT CASE
        WHEN core.account_of(p_wallet) IN ('MPESA-FLOAT', 'SUSPENSE', 'FEES')
            THEN core.stripe_of(p_account => core.account_of(p_wallet), p_lane => p_lane)
        ELSE p_wallet
    END
$function$;

-- ==== function: services.add_mpesa_statement_lines ====
CREATE OR REPLACE FUNCTION services.add_mpesa_statement_lines(p_statement uuid, p_account_key text, p_rows integer[], p_receipts text[], p_completed_at timestamp without time zone[], p_details text[], p_statuses text[], p_is_completed boolean[], p_kinds text[], p_paid_in numeric[], p_withdrawn numeric[], p_balances numeric[], p_reasons text[], p_accounts text[], p_phones text[], p_names text[], p_linked_receipts text[], OUT added integer)
 RETURNS integer
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    v_is_late boolean;
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    WITH written AS (
        INSERT INTO services.mpesa_statement_lines AS l (
            id, statement_id, form, row_number, short_code, account_key, receipt, completed_at, details, status,
            is_completed, kind, paid_in, withdrawn, balance, reason, account, phone, payer_name, linked_receipt
        )
        SELECT DISTINCT ON (x.id)
               x.id, s.id, s.form, x.row_number, s.short_code, p_account_key, x.receipt, x.completed_at, x.details, x.status,
               x.is_completed, x.kind, x.paid_in, x.withdrawn, x.balance, x.reason, x.account, x.phone, x.payer_name,
               x.linked_receipt
          FROM services.mpesa_statements s
         CROSS JOIN LATERAL (
            SELECT t.*, services.statement_line_id(
                       p_short_code => s.short_code, p_account_key => p_account_key, p_receipt => t.receipt,
                       p_is_completed => t.is_completed, p_paid_in => t.paid_in, p_withdrawn => t.withdrawn,
                       p_balance => t.balance, p_details => t.details
                   ) AS id
              FROM unnest(
                p_rows, p_receipts, p_completed_at, p_details, p_statuses, p_is_completed, p_kinds, p_paid_in, p_withdrawn,
                p_balances, p_reasons, p_accounts, p_phones, p_names, p_linked_receipts
              ) AS t (
                row_number, receipt, completed_at, details, status, is_completed, kind, paid_in, withdrawn,
                balance, reason, account, phone, payer_name, linked_receipt
              )
         ) x
         WHERE s.id = p_statement
         ORDER BY x.id, x.row_number
        ON CONFLICT (id) DO UPDATE
           SET statement_id = EXCLUDED.statement_id, form = EXCLUDED.form, row_number = EXCLUDED.row_number,
               completed_at = EXCLUDED.completed_at, details = EXCLUDED.details, status = EXCLUDED.status,
               kind = EXCLUDED.kind, reason = EXCLUDED.reason, account = EXCLUDED.account, phone = EXCLUDED.phone,
               payer_name = EXCLUDED.payer_name, linked_receipt = EXCLUDED.linked_receipt
         WHERE (EXCLUDED.form COLLATE "C", EXCLUDED.statement_id, EXCLUDED.row_number)
               < (l.form COLLATE "C", l.statement_id, l.row_number)
        RETURNING l.xmax = 0 AS is_new, l.short_code, l.completed_at
    )
    SELECT count(*) FILTER (WHERE w.is_new),
           coalesce(bool_or(w.is_new AND EXISTS (
               SELECT FROM services.mpesa_periods p
                WHERE p.short_code = w.short_code AND p.from_at <= w.completed_at AND p.to_at > w.completed_at
                  AND p.status IN ('CLOSED', 'CLOSING')
           )), false)
      INTO added, v_is_late
      FROM written w;
    IF v_is_late THEN
        RAISE EXCEPTION 'a line belongs to a closed period' USING ERRCODE = 'DF020', HINT = 'Reopen the period first.';
    END IF;
    PERFORM set_config('daftari.door', '', true);
END
$function$;

-- ==== function: services.add_sms_spend ====
CREATE OR REPLACE FUNCTION services.add_sms_spend(p_at timestamp without time zone, p_currencies text[], p_messages integer[], p_parts integer[], p_costs numeric[])
 RETURNS void
 LANGUAGE plpgsql
AS $function$
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO services.sms_spend AS s (day, currency, messages, parts, cost)
    SELECT services.eat_day(p_at), coalesce(t.currency, 'XXX'), sum(t.messages), coalesce(sum(t.parts), 0),
           sum(round(t.cost, 4))
      FROM unnest(p_currencies, p_messages, p_parts, p_costs) AS t (currency, messages, parts, cost)
     WHERE t.cost IS NOT NULL AND (t.cost <> 0 OR t.messages > 0)
     GROUP BY coalesce(t.currency, 'XXX')
     ORDER BY coalesce(t.currency, 'XXX')
    ON CONFLICT (day, currency) DO UPDATE
       SET messages = s.messages + excluded.messages, parts = s.parts + excluded.parts, cost = s.cost + excluded.cost;
    PERFORM set_config('daftari.door', '', true);
END
$function$;

-- ==== function: services.begin_mpesa_period ====
CREATE OR REPLACE FUNCTION services.begin_mpesa_period(p_short_code text, p_from timestamp without time zone, p_to timestamp without time zone, p_by text, OUT outcome text, OUT reason text, OUT id uuid)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    v_until timestamp;
    v_now   timestamp;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('services.mpesa_statements ' || p_short_code, 0));
    PERFORM pg_advisory_xact_lock(hashtextextended('services.mpesa_periods ' || p_short_code, 0));
    SELECT max(p.to_at) INTO v_until FROM services.mpesa_periods p WHERE p.short_code = p_short_code AND p.status = 'CLOSED';
    outcome := 'refused';
    reason := CASE
        WHEN p_from < v_until THEN 'period_closed'
        WHEN p_from > v_until THEN 'periods_out_of_order'
        WHEN p_to > clock_timestamp() AT TIME ZONE 'UTC' THEN 'period_in_future'
    END;
    IF reason IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM core.lock_wallets(ARRAY(
        SELECT core.stripe_of(p_account => 'MPESA-FLOAT', p_lane => s.lane::smallint) FROM generate_series(0, 15) AS s (lane)
    ));
    v_now := date_trunc('milliseconds', clock_timestamp() AT TIME ZONE 'UTC');
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE services.mpesa_periods p SET status = 'REFUSED' WHERE p.short_code = p_short_code AND p.status = 'CLOSING';
    INSERT INTO services.mpesa_periods AS p (short_code, from_at, to_at, closed_at, closed_by)
    VALUES (p_short_code, p_from, p_to, v_now, coalesce(p_by, session_user))
    RETURNING p.id INTO id;
    PERFORM set_config('daftari.door', '', true);
    outcome := 'begun';
END
$function$;

-- ==== function: services.begin_mpesa_statement ====
CREATE OR REPLACE FUNCTION services.begin_mpesa_statement(p_sha256 text, p_short_code text, p_form text, p_account text, p_by text, OUT id uuid, OUT is_known boolean)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('services.mpesa_statements ' || p_short_code, 0));
    id := encode(substr(sha256(convert_to(p_sha256 || ' ' || p_short_code, 'UTF8')), 1, 16), 'hex')::uuid;
    is_known := EXISTS (SELECT FROM services.mpesa_statements s WHERE s.id = begin_mpesa_statement.id);
    IF is_known THEN
        RETURN;
    END IF;
    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO services.mpesa_statements (id, sha256, form, short_code, account, imported_by)
    VALUES (id, p_sha256, p_form, p_short_code, p_account, coalesce(p_by, session_user));
    PERFORM set_config('daftari.door', '', true);
END
$function$;

-- ==== function: services.change_mpesa_breaks ====
CREATE OR REPLACE FUNCTION services.change_mpesa_breaks(p_ids uuid[], p_versions integer[], p_action text, p_by text, p_assignee text, p_reason text, p_comment text, p_evidence text, p_is_trial boolean)
 RETURNS TABLE(id uuid, outcome text, reason text)
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
    -- In one order for everybody, so that two who change the same breaks do not wait in a circle.
    PERFORM FROM services.mpesa_breaks b WHERE b.id = ANY (p_ids) ORDER BY b.id FOR UPDATE;
    PERFORM set_config('daftari.door', 'open', true);
    RETURN QUERY
    WITH judged AS MATERIALIZED (
        SELECT x.id, x.place, b.status AS was,
               CASE
                   WHEN b.id IS NULL THEN 'unknown_break'
                   WHEN b.version <> p_versions[x.place] THEN 'stale'
                   WHEN NOT b.status = ANY (CASE p_action
                       WHEN 'assign' THEN ARRAY['OPEN', 'ASSIGNED']
                       WHEN 'propose' THEN ARRAY['OPEN', 'ASSIGNED']
                       WHEN 'resolve' THEN ARRAY['APPROVED']
                       WHEN 'reopen' THEN ARRAY['RESOLVED', 'APPROVED']
                       ELSE ARRAY['PROPOSED']
                   END) THEN 'wrong_status'
                   WHEN p_action = 'approve' AND b.proposed_by = p_by THEN 'same_person'
               END AS fault
          FROM (
            SELECT DISTINCT ON (u.id) u.id, u.place FROM unnest(p_ids) WITH ORDINALITY AS u (id, place) ORDER BY u.id, u.place
          ) x
          LEFT JOIN services.mpesa_breaks b ON b.id = x.id
    ), changed AS (
        UPDATE services.mpesa_breaks b
           SET status = CASE p_action
                   WHEN 'assign' THEN 'ASSIGNED'
                   WHEN 'propose' THEN 'PROPOSED'
                   WHEN 'approve' THEN 'APPROVED'
                   WHEN 'resolve' THEN 'RESOLVED'
                   WHEN 'reject' THEN CASE WHEN b.assignee IS NULL THEN 'OPEN' ELSE 'ASSIGNED' END
                   ELSE 'OPEN'
               END,
               assignee = CASE p_action WHEN 'assign' THEN p_assignee ELSE b.assignee END,
               proposed_by = CASE p_action WHEN 'propose' THEN p_by WHEN 'reject' THEN NULL WHEN 'reopen' THEN NULL ELSE b.proposed_by END,
               reason = CASE p_action WHEN 'propose' THEN p_reason WHEN 'reject' THEN NULL WHEN 'reopen' THEN NULL ELSE b.reason END,
               comment = coalesce(p_comment, b.comment), evidence = coalesce(p_evidence, b.evidence),
               version = b.version + 1
          FROM judged j
         WHERE b.id = j.id AND j.fault IS NULL AND NOT p_is_trial
        RETURNING b.id, b.version, b.status
    ), events AS (
        INSERT INTO services.mpesa_break_events (break_id, version, action, status, actor, assignee, reason, comment, evidence)
        SELECT c.id, c.version, p_action, c.status, p_by, p_assignee, p_reason, p_comment, p_evidence FROM changed c
        RETURNING break_id
    )
    SELECT j.id, CASE WHEN j.fault IS NULL THEN 'changed' ELSE 'refused' END, j.fault FROM judged j ORDER BY j.place;
    PERFORM set_config('daftari.door', '', true);
END
$function$;

-- ==== function: services.change_mpesa_breaks_by_row ====
CREATE OR REPLACE FUNCTION services.change_mpesa_breaks_by_row(p_ids uuid[], p_versions integer[], p_actions text[], p_by text, p_assignees text[], p_reasons text[], p_comments text[], p_evidences text[], p_is_trial boolean, p_skips_refused boolean)
 RETURNS TABLE(id uuid, outcome text, reason text)
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    v_is_trial boolean := p_is_trial;
BEGIN
    -- In one order for everybody: two sheets with the same breaks in another order would otherwise wait in a circle.
    PERFORM FROM services.mpesa_breaks b WHERE b.id = ANY (p_ids) ORDER BY b.id FOR UPDATE;
    -- What is locked stays as it is, so a trial says what will be.
    IF NOT p_is_trial AND NOT p_skips_refused THEN
        v_is_trial := EXISTS (
            SELECT FROM services.change_mpesa_breaks_by_row(
                p_ids => p_ids, p_versions => p_versions, p_actions => p_actions, p_by => p_by, p_assignees => p_assignees,
                p_reasons => p_reasons, p_comments => p_comments, p_evidences => p_evidences, p_is_trial => true,
                p_skips_refused => false
            ) t
             WHERE t.outcome = 'refused'
        );
    END IF;
    RETURN QUERY
    SELECT c.id, c.outcome, c.reason
      FROM unnest(p_ids, p_versions, p_actions, p_assignees, p_reasons, p_comments, p_evidences) WITH ORDINALITY
           AS r (id, version, action, assignee, reason, comment, evidence, place)
     CROSS JOIN LATERAL services.change_mpesa_breaks(
        p_ids => ARRAY[r.id], p_versions => ARRAY[r.version], p_action => r.action, p_by => p_by,
        p_assignee => r.assignee, p_reason => r.reason, p_comment => r.comment, p_evidence => r.evidence,
        p_is_trial => v_is_trial
     ) c
     ORDER BY r.place;
END
$function$;

-- ==== function: services.change_payment ====
CREATE OR REPLACE FUNCTION services.change_payment(p_id uuid, p_status text, p_reason text DEFAULT NULL::text, p_result_code text DEFAULT NULL::text, p_receipt text DEFAULT NULL::text, p_due_ms integer DEFAULT NULL::integer)
 RETURNS boolean
 LANGUAGE plpgsql
AS $function$
DECLARE
    v_now     constant timestamp := clock_timestamp() AT TIME ZONE 'UTC';
    v_changed boolean;
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE services.mpesa_payments p
       SET status = p_status, reason = p_reason, result_code = coalesce(p_result_code, p.result_code),
           receipt = coalesce(p.receipt, p_receipt), is_sending = false, updated_at = v_now,
           due_at = v_now + p_due_ms * interval '1 millisecond'
     WHERE p.id = p_id AND (p.status NOT IN ('PAID', 'FAILED') OR p.status = 'FAILED' AND p_status = 'PAID');
    v_changed := FOUND;
    IF v_changed AND p_status IN ('PAID', 'FAILED') THEN
        PERFORM services.queue_payment_webhook(p_id => p_id);
    END IF;
    PERFORM set_config('daftari.door', '', true);
    RETURN v_changed;
END
$function$;

-- ==== function: services.claim_daraja_token ====
CREATE OR REPLACE FUNCTION services.claim_daraja_token(p_client text, p_refused bytea, p_margin_ms integer, p_lease_ms integer, OUT token bytea, OUT must_refresh boolean)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    v_now constant timestamp := clock_timestamp() AT TIME ZONE 'UTC';
    d     services.daraja_tokens;
BEGIN
    must_refresh := false;
    -- Nearly always the token is there, and nothing is written.
    SELECT x.token INTO token
      FROM services.daraja_tokens x
     WHERE x.client = p_client AND x.expires_at > v_now + p_margin_ms * interval '1 millisecond'
       AND x.token IS DISTINCT FROM p_refused;
    IF token IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO services.daraja_tokens (client) VALUES (p_client) ON CONFLICT (client) DO NOTHING;
    SELECT * INTO d FROM services.daraja_tokens x WHERE x.client = p_client FOR UPDATE;
    IF d.expires_at > v_now + p_margin_ms * interval '1 millisecond' AND d.token IS DISTINCT FROM p_refused THEN
        token := d.token;
    ELSIF d.refreshing_till IS NULL OR d.refreshing_till <= v_now THEN
        must_refresh := true;
        UPDATE services.daraja_tokens x
           SET refreshing_till = v_now + p_lease_ms * interval '1 millisecond'
         WHERE x.client = p_client;
    END IF;
    PERFORM set_config('daftari.door', '', true);
END
$function$;

-- ==== function: services.claim_inquiries ====
CREATE OR REPLACE FUNCTION services.claim_inquiries(p_limit integer, p_lease_ms integer, p_most integer)
 RETURNS TABLE(id uuid, receipt text, attempts integer)
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
#variable_conflict use_column
DECLARE
    v_now constant timestamp := clock_timestamp() AT TIME ZONE 'UTC';
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    RETURN QUERY
    WITH due AS (
        SELECT q.id FROM services.mpesa_inquiries q
         WHERE q.due_at <= v_now
         ORDER BY q.due_at
         LIMIT p_limit
           FOR UPDATE SKIP LOCKED
    ), taken AS (
        UPDATE services.mpesa_inquiries q
           SET attempts = q.attempts + CASE WHEN q.attempts < p_most THEN 1 ELSE 0 END,
               status = CASE WHEN q.attempts < p_most THEN q.status ELSE 'ENDED' END,
               due_at = CASE WHEN q.attempts < p_most THEN v_now + p_lease_ms * interval '1 millisecond' END,
               updated_at = v_now
          FROM due
         WHERE q.id = due.id
        RETURNING q.id, q.receipt::text, q.attempts::integer, q.status
    )
    SELECT t.id, t.receipt, t.attempts FROM taken t WHERE t.status = 'OPEN';
    PERFORM set_config('daftari.door', '', true);
END
$function$;

-- ==== function: services.claim_payments ====
CREATE OR REPLACE FUNCTION services.claim_payments(p_limit integer, p_lease_ms integer)
 RETURNS TABLE(id uuid, task text)
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
#variable_conflict use_column
DECLARE
    v_now constant timestamp := clock_timestamp() AT TIME ZONE 'UTC';
    p     services.mpesa_payments;
BEGIN
    FOR p IN
        SELECT * FROM services.mpesa_payments x
         WHERE x.due_at <= v_now
         ORDER BY x.due_at
         LIMIT p_limit
           FOR UPDATE SKIP LOCKED
    LOOP
        IF p.is_sending THEN
            PERFORM services.change_payment(p_id => p.id, p_status => 'UNKNOWN', p_reason => 'answer_lost');
            PERFORM services.note_payment(p_id => p.id, p_kind => 'LOST', p_reason => 'answer_lost');
            CONTINUE;
        END IF;
        id := p.id;
        task := CASE p.status WHEN 'REQUESTED' THEN 'SEND' WHEN 'PAID' THEN 'ASSIGN' ELSE 'QUERY' END;
        PERFORM set_config('daftari.door', 'open', true);
        UPDATE services.mpesa_payments x
           SET due_at = v_now + p_lease_ms * interval '1 millisecond',
               is_sending = task = 'SEND',
               attempts = x.attempts + CASE WHEN task = 'SEND' THEN 1 ELSE 0 END,
               checks = x.checks + CASE WHEN task = 'QUERY' THEN 1 ELSE 0 END,
               updated_at = v_now
         WHERE x.id = p.id;
        PERFORM set_config('daftari.door', '', true);
        RETURN NEXT;
    END LOOP;
END
$function$;

-- ==== function: services.claim_sms ====
CREATE OR REPLACE FUNCTION services.claim_sms(p_sender text, p_provider text, p_limit integer, p_lease_ms integer, p_max_age_ms bigint, p_budget numeric, p_currency text)
 RETURNS TABLE(id uuid, attempt integer, recipient text, recipient_hash text, message text, template text, language text, priority integer, transaction_reference text, created_at timestamp without time zone, failed integer, paused boolean, warned boolean, spent numeric, next_due_ms bigint)
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
 SET enable_bitmapscan TO 'off'
 SET enable_sort TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET jit TO 'off'
AS $function$
#variable_conflict use_column
DECLARE
    c_failures constant integer := 10000; -- in one call; a mountain of old news must not make one endless
    -- Rounded as the columns are: what is due at this very moment is due.
    v_now      constant timestamp(3) := clock_timestamp() AT TIME ZONE 'UTC';
    v_oldest   constant timestamp := v_now - p_max_age_ms * interval '1 millisecond';
    v_all      uuid[] := '{}';
    v_claimed  uuid[];
    v_left     integer := p_limit;
    v_picked   integer;
    v_lost     integer;
    v_next     timestamp;
BEGIN
    failed := 0; paused := false; warned := false;
    IF p_budget IS NOT NULL THEN
        spent := coalesce((
            SELECT s.cost FROM services.sms_spend s WHERE s.day = services.eat_day(v_now) AND s.currency = p_currency
        ), 0);
        paused := spent >= p_budget;
        warned := spent >= p_budget * 0.8;
    END IF;

    FOR v_priority IN 0 .. CASE WHEN paused THEN 0 ELSE 1 END LOOP
        LOOP
            EXIT WHEN v_left = 0 OR failed >= c_failures;
            PERFORM set_config('daftari.door', 'open', true);
            WITH picked AS MATERIALIZED (
                SELECT l.id,
                       CASE
                           WHEN coalesce(l.recipient, '') = '' AND l.recipient_hash IS NULL THEN 'no_recipient'
                           -- What the column holds: one more would fail the claim, and with it all others.
                           WHEN l.attempts = 32767 THEN 'attempts_exhausted'
                           WHEN coalesce(l.decided_at, l.created_at) < v_oldest THEN 'expired'
                           WHEN v_priority = 1 AND (
                               EXISTS (SELECT 1 FROM services.sms_opt_outs o WHERE o.number = l.recipient)
                               OR EXISTS (SELECT 1 FROM services.sms_opt_outs o WHERE o.number_hash = l.recipient_hash)
                           ) THEN 'opted_out'
                       END AS refusal
                  FROM services.sms_logs l
                 WHERE l.phase = 'QUEUED' AND l.priority = v_priority AND l.next_attempt_at <= v_now
                 ORDER BY l.next_attempt_at
                 LIMIT v_left
                   FOR NO KEY UPDATE OF l SKIP LOCKED
            ), changed AS (
                UPDATE services.sms_logs l
                   SET phase = CASE WHEN k.refusal IS NULL THEN 'SENDING' ELSE 'DONE' END,
                       status = CASE WHEN k.refusal IS NULL THEN 'PENDING' ELSE 'FAILED' END,
                       attempts = CASE WHEN k.refusal IS NULL THEN l.attempts + 1 ELSE l.attempts END,
                       claimed_by = CASE WHEN k.refusal IS NULL THEN p_sender ELSE l.claimed_by END,
                       claimed_at = CASE WHEN k.refusal IS NULL THEN v_now ELSE l.claimed_at END,
                       provider = CASE WHEN k.refusal IS NULL THEN p_provider ELSE l.provider END,
                       lease_until = CASE WHEN k.refusal IS NULL THEN v_now + p_lease_ms * interval '1 millisecond' END,
                       answered_at = CASE WHEN k.refusal IS NULL THEN NULL ELSE l.answered_at END,
                       settled_at = CASE WHEN k.refusal IS NULL THEN NULL ELSE v_now END,
                       error_code = coalesce(k.refusal, l.error_code),
                       error_message = CASE k.refusal
                           WHEN 'no_recipient' THEN 'There is no number to send it to.'
                           WHEN 'attempts_exhausted' THEN 'It was tried as often as can be counted.'
                           WHEN 'expired' THEN 'It was too old to be news when its turn came.'
                           WHEN 'opted_out' THEN 'The holder of this number wants no messages of this kind.'
                           ELSE l.error_message
                       END
                  FROM picked k
                 WHERE l.id = k.id
                RETURNING l.id, k.refusal
            )
            SELECT array_agg(c.id) FILTER (WHERE c.refusal IS NULL), count(*), count(c.refusal)
              INTO v_claimed, v_picked, v_lost
              FROM changed c;
            PERFORM set_config('daftari.door', '', true);
            v_all := v_all || v_claimed;
            v_left := v_left - (v_picked - v_lost);
            failed := failed + v_lost;
            -- Nothing was thrown away, so nothing more is due.
            EXIT WHEN v_lost = 0;
        END LOOP;
    END LOOP;

    IF v_left = 0 OR failed >= c_failures THEN
        next_due_ms := 0;
    ELSE
        -- What is due now somebody else has just locked; the unimportant of a spent day waits for the next one.
        SELECT min(n.at) INTO v_next
          FROM (
            SELECT (
                SELECT l.next_attempt_at FROM services.sms_logs l
                 WHERE l.phase = 'QUEUED' AND l.priority = 0 AND l.next_attempt_at > v_now
                 ORDER BY l.next_attempt_at LIMIT 1
            ) AS at
            UNION ALL
            SELECT (
                SELECT CASE
                           WHEN paused THEN greatest(
                               l.next_attempt_at,
                               (services.eat_day(v_now) + 1)::timestamp - interval '3 hours'
                           )
                           ELSE l.next_attempt_at
                       END
                  FROM services.sms_logs l
                 WHERE l.phase = 'QUEUED' AND l.priority = 1
                   AND l.next_attempt_at > CASE WHEN paused THEN '-infinity' ELSE v_now END
                 ORDER BY l.next_attempt_at LIMIT 1
            )
          ) n;
        next_due_ms := ceil(extract(epoch FROM v_next - v_now) * 1000);
    END IF;

    RETURN NEXT;
    RETURN QUERY
    SELECT l.id, l.attempts::integer, l.recipient::text, l.recipient_hash::text, l.message, l.template::text,
           l.language::text, l.priority::integer, l.transaction_reference::text, l.created_at::timestamp,
           NULL::integer, NULL::boolean, NULL::boolean, NULL::numeric, NULL::bigint
      FROM services.sms_logs l
     WHERE l.id = ANY (v_all);
END
$function$;

-- ==== function: services.claim_webhooks ====
CREATE OR REPLACE FUNCTION services.claim_webhooks(p_webhook uuid, p_limit integer, p_lease_ms integer, p_most integer)
 RETURNS TABLE(id uuid, attempt integer, event_id uuid, type text, data jsonb, created_at timestamp without time zone)
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
#variable_conflict use_column
DECLARE
    v_now    constant timestamp := clock_timestamp() AT TIME ZONE 'UTC';
    v_active constant boolean := EXISTS (SELECT FROM services.webhooks w WHERE w.id = p_webhook AND w.status = 'ACTIVE');
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    RETURN QUERY
    WITH due AS (
        SELECT d.id
          FROM services.webhook_deliveries d
         WHERE d.webhook_id = p_webhook AND d.due_at <= v_now
         ORDER BY d.due_at
         LIMIT p_limit
           FOR UPDATE SKIP LOCKED
    ), taken AS (
        UPDATE services.webhook_deliveries d
           SET status = CASE WHEN v_active AND d.attempts < p_most THEN 'PENDING' ELSE 'FAILED' END,
               attempts = d.attempts + CASE WHEN v_active AND d.attempts < p_most THEN 1 ELSE 0 END,
               due_at = CASE WHEN v_active AND d.attempts < p_most THEN v_now + p_lease_ms * interval '1 millisecond' END,
               reason = CASE WHEN NOT v_active THEN 'webhook_disabled' WHEN d.attempts < p_most THEN d.reason ELSE 'answer_lost' END,
               updated_at = v_now
          FROM due
         WHERE d.id = due.id
        RETURNING d.id, d.attempts, d.event_id, d.status
    )
    SELECT t.id, t.attempts::integer, e.id, e.type::text, e.data, e.created_at
      FROM taken t
      JOIN services.webhook_events e ON e.id = t.event_id
     WHERE t.status = 'PENDING';
    PERFORM set_config('daftari.door', '', true);
END
$function$;

-- ==== function: services.close_inquiry ====
CREATE OR REPLACE FUNCTION services.close_inquiry(p_receipt text, p_status text, p_reason text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE services.mpesa_inquiries q
       SET status = p_status, reason = p_reason, due_at = NULL, updated_at = clock_timestamp() AT TIME ZONE 'UTC'
     WHERE q.receipt = p_receipt AND q.status <> 'PROVED' AND q.status <> p_status;
    PERFORM set_config('daftari.door', '', true);
END
$function$;

-- ==== function: services.closed_mpesa_period ====
CREATE OR REPLACE FUNCTION services.closed_mpesa_period(p_short_code text, p_happened_at timestamp without time zone, p_posted_at timestamp without time zone)
 RETURNS uuid
 LANGUAGE sql
 STABLE
AS $function$
    SELECT p.id
      FROM services.mpesa_periods p
     WHERE p.short_code = p_short_code AND p.to_at > p_happened_at AND p.closed_at <= p_posted_at
       AND p.status IN ('CLOSED', 'CLOSING')
     ORDER BY p.to_at
     LIMIT 1
$function$;

-- ==== function: services.compare_deposits ====
CREATE OR REPLACE FUNCTION services.compare_deposits(p_receipts text[], p_amounts numeric[], p_short_codes text[], p_outcomes text[], p_held uuid[], p_logged text[])
 RETURNS text[]
 LANGUAGE plpgsql
 STABLE
AS $function$
BEGIN
    RETURN (
        SELECT array_agg(
                   CASE
                       WHEN t.held IS NOT NULL THEN 'held'
                       WHEN t.receipt IS NULL THEN 'refused'
                       WHEN x.id IS NULL AND l.outcome = 'HELD' THEN CASE
                           WHEN l.amount = t.amount AND l.short_code = t.short_code THEN 'duplicate'
                           ELSE 'conflict'
                       END
                       WHEN x.id IS NULL AND t.receipt = ANY (p_logged) THEN 'conflict'
                       WHEN t.door_outcome NOT IN ('exists', 'exists_different') THEN t.door_outcome
                       WHEN x.amount = t.amount AND x.type = 'DEPOSIT'
                            AND coalesce(l.short_code, t.short_code) = t.short_code THEN 'duplicate'
                       ELSE 'conflict'
                   END ORDER BY t.ord
               )
          FROM unnest(p_receipts, p_amounts, p_short_codes, p_outcomes, p_held)
               WITH ORDINALITY AS t (receipt, amount, short_code, door_outcome, held, ord)
          LEFT JOIN core.transactions x ON x.reference = t.receipt AND x.reference = ANY (p_receipts)
          LEFT JOIN services.mpesa_logs l ON l.mpesa_receipt = t.receipt AND l.mpesa_receipt = ANY (p_receipts)
    );
END
$function$;

-- ==== function: services.compile_sms_template ====
CREATE OR REPLACE FUNCTION services.compile_sms_template(p_text text)
 RETURNS text[]
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$
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
$function$;

-- ==== function: services.contradicted_payments ====
CREATE OR REPLACE FUNCTION services.contradicted_payments(p_receipt text)
 RETURNS uuid[]
 LANGUAGE sql
 STABLE
AS $function$
    SELECT array_agg(DISTINCT e.payment_id)
      FROM services.mpesa_payment_events e
     WHERE e.receipt = p_receipt AND e.kind IN ('CONFLICT', 'UNPROVEN')
$function$;

-- ==== function: services.correct_payment ====
CREATE OR REPLACE FUNCTION services.correct_payment(p_id uuid, p_receipt text, p_by text, p_reason text, p_key text, p_digest text, OUT outcome text, OUT reason text, OUT receipt text, OUT reference text, OUT source text, OUT target text, OUT amount numeric)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
#variable_conflict use_column
DECLARE
    p          services.mpesa_payments;
    t          core.transactions;
    v_assigned record;
    v_current  text; -- the wallet that it was assigned to
    v_receipt  text;
    v_post     record;
BEGIN
    SELECT * INTO p FROM services.mpesa_payments x WHERE x.id = p_id;
    v_receipt := coalesce(p_receipt, p.receipt);
    -- Two people who decide about one receipt decide one after the other.
    PERFORM pg_advisory_xact_lock(hashtextextended('services.mpesa_decisions ' || coalesce(v_receipt, p_id::text), 0));
    SELECT * INTO t FROM core.transactions x WHERE x.reference = v_receipt AND x.type = 'DEPOSIT';
    target := p.wallet_id;
    IF t.credit_wallet_id = p.wallet_id THEN
        SELECT w.wallet_id INTO target
          FROM services.mpesa_witnesses w
         WHERE w.receipt = v_receipt AND w.wallet_id <> p.wallet_id
         ORDER BY w.created_at, w.kind
         LIMIT 1;
    END IF;
    PERFORM core.lock_wallets(ARRAY[target, t.credit_wallet_id]::text[]);
    receipt := v_receipt;
    source := core.account_of(t.credit_wallet_id);
    amount := t.amount;
    outcome := core.find_request(p_key => p_key, p_digest => p_digest);
    IF outcome = 'replayed' THEN
        SELECT q.reason, q.reference INTO reason, reference FROM core.requests q WHERE q.idempotency_key = p_key;
    END IF;
    IF outcome IS NOT NULL THEN
        RETURN;
    END IF;

    SELECT * INTO v_assigned FROM core.current_assignment(v_receipt);
    SELECT x.credit_wallet_id INTO v_current FROM core.transactions x WHERE x.reference = v_assigned.reference;
    reason := CASE
        WHEN p.id IS NULL THEN 'unknown_payment'
        WHEN t.id IS NULL OR source = 'SUSPENSE' OR target IS NULL
             OR NOT EXISTS (
                 SELECT FROM services.mpesa_payment_events e
                  WHERE e.payment_id = p_id AND e.kind = 'OTHER_WALLET' AND e.receipt = v_receipt
             )
             OR EXISTS (SELECT FROM services.mpesa_payments o WHERE o.receipt = v_receipt AND o.id <> p_id)
            THEN 'nothing_to_correct'
        WHEN v_current <> target THEN 'already_assigned'
        WHEN v_current IS NOT NULL THEN NULL
        WHEN core.remaining_of(t.id) < t.amount THEN 'already_reversed'
        WHEN EXISTS (SELECT FROM core.transactions x WHERE x.reference = 'CR-' || v_receipt) THEN 'not_correctable'
    END;
    IF reason IS NULL AND v_current IS NOT NULL THEN
        outcome := 'replayed';
        reference := v_assigned.reference;
    ELSIF reason IS NULL THEN
        SELECT * INTO v_post FROM core.post_transactions(
            p_references => ARRAY[v_assigned.next_reference], p_types => ARRAY['ASSIGNMENT'],
            p_debits => ARRAY[t.credit_wallet_id]::text[], p_credits => ARRAY[target]::text[], p_fallbacks => NULL,
            p_amounts => ARRAY[t.amount], p_currencies => ARRAY[t.currency::text],
            p_narratives => ARRAY['Correction: M-PESA payment ' || v_receipt || ' went to the wrong wallet']
        );
        IF v_post.outcomes[1] NOT IN ('created', 'refused') THEN
            RAISE EXCEPTION 'the correction met another one: %', v_post.outcomes[1] USING ERRCODE = '40001';
        END IF;
        outcome := 'posted';
        reason := v_post.reasons[1];
        reference := v_assigned.next_reference;
    END IF;
    IF reason IS NOT NULL THEN
        outcome := 'refused';
        reference := NULL;
        PERFORM core.refuse_request(p_key => p_key, p_digest => p_digest, p_reason => reason);
        RETURN;
    END IF;

    IF outcome = 'posted' THEN
        PERFORM FROM services.mpesa_payments x WHERE x.id = p_id FOR UPDATE;
        PERFORM services.note_payment(p_id => p_id, p_kind => 'CORRECTED', p_receipt => v_receipt);
    END IF;
    PERFORM set_config('daftari.door', 'open', true);
    IF outcome = 'posted' THEN
        INSERT INTO services.mpesa_decisions (receipt, decision, reason, decided_by, reference)
        VALUES (v_receipt, 'MOVED', p_reason, p_by, v_assigned.next_reference);
        -- What else contradicts something still waits for a person.
        PERFORM services.refresh_flags(ARRAY[p_id]);
    END IF;
    INSERT INTO core.requests (idempotency_key, digest, outcome, reference)
    VALUES (p_key, p_digest, 'POSTED', coalesce(reference, v_receipt));
    PERFORM set_config('daftari.door', '', true);
END
$function$;

-- ==== function: services.create_api_key ====
CREATE OR REPLACE FUNCTION services.create_api_key(p_name text, p_key_hash text, p_scopes text[], p_key text DEFAULT NULL::text, p_digest text DEFAULT NULL::text, OUT outcome text, OUT id uuid)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
$function$;

-- ==== function: services.decide_sms ====
CREATE OR REPLACE FUNCTION services.decide_sms(p_id uuid, p_decision text, p_by text, p_note text, p_message_id text, p_cost numeric, p_currency text, p_parts integer)
 RETURNS text
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    v_now constant timestamp(3) := clock_timestamp() AT TIME ZONE 'UTC';
    l     services.sms_logs;
BEGIN
    IF p_decision IS NULL OR p_decision NOT IN ('sent', 'send_again', 'failed') THEN
        RAISE EXCEPTION 'a decision is sent, send_again or failed' USING ERRCODE = '22023';
    END IF;
    IF p_decision <> 'sent' THEN
        p_message_id := NULL; p_cost := NULL;
    END IF;
    PERFORM services.lock_message_ids(p_message_ids => ARRAY[p_message_id], p_exclusive => false);
    SELECT * INTO l FROM services.sms_logs s WHERE s.id = p_id FOR NO KEY UPDATE;
    IF l.id IS NULL THEN
        RETURN 'unknown_sms';
    ELSIF l.phase <> 'UNKNOWN' THEN
        RETURN 'nothing_to_decide';
    END IF;

    PERFORM set_config('daftari.door', 'open', true);
    UPDATE services.sms_logs s
       SET phase = CASE p_decision WHEN 'send_again' THEN 'QUEUED' ELSE 'DONE' END,
           status = CASE p_decision WHEN 'sent' THEN 'SENT' WHEN 'failed' THEN 'FAILED' ELSE 'PENDING' END,
           next_attempt_at = CASE p_decision WHEN 'send_again' THEN v_now ELSE s.next_attempt_at END,
           provider_message_id = coalesce(p_message_id, s.provider_message_id),
           -- Who knows the cost has the provider's answer; another one would be booked twice.
           answered_at = CASE WHEN p_cost IS NOT NULL THEN v_now END,
           cost = CASE WHEN p_cost IS NOT NULL THEN coalesce(s.cost, 0) + round(p_cost, 4) ELSE s.cost END,
           currency = CASE WHEN p_cost IS NOT NULL THEN p_currency ELSE s.currency END,
           parts = CASE WHEN p_cost IS NOT NULL THEN coalesce(s.parts + p_parts, p_parts, s.parts) ELSE s.parts END,
           sent_at = CASE p_decision WHEN 'sent' THEN s.claimed_at END,
           settled_at = CASE p_decision WHEN 'send_again' THEN NULL ELSE v_now END,
           error_code = CASE p_decision WHEN 'failed' THEN 'given_up' WHEN 'send_again' THEN s.error_code END,
           error_message = CASE p_decision
               WHEN 'failed' THEN 'A person has decided that it was not sent and need not be.'
               WHEN 'send_again' THEN s.error_message
           END,
           decided_by = p_by, decided_at = v_now, decision_note = p_note
     WHERE s.id = p_id;
    INSERT INTO services.sms_events (sms_id, kind, attempt, actor, detail)
    VALUES (p_id, 'DECIDED', l.attempts, p_by, p_decision || ': ' || p_note);
    PERFORM set_config('daftari.door', '', true);
    IF p_message_id IS NOT NULL THEN
        PERFORM services.fold_delivery(ARRAY[p_id]);
    END IF;
    IF p_decision = 'send_again' THEN
        PERFORM pg_notify('daftari_sms', '');
    END IF;
    PERFORM services.add_sms_spend(
        p_at => v_now, p_currencies => ARRAY[p_currency], p_messages => ARRAY[1], p_parts => ARRAY[p_parts],
        p_costs => ARRAY[p_cost]
    );
    RETURN NULL;
END
$function$;

-- ==== function: services.delivery_of ====
CREATE OR REPLACE FUNCTION services.delivery_of(p_provider text, p_message_id text, p_recipient text)
 RETURNS TABLE(rank integer, state text, status text, reason text, explanation text, network text, received_at timestamp without time zone)
 LANGUAGE sql
 STABLE
AS $function$
    SELECT services.delivery_rank(r.state), r.state, r.status, r.reason, r.explanation,
           (
               SELECT n.network
                 FROM services.sms_delivery_reports n
                WHERE n.provider_message_id = p_message_id AND n.provider = p_provider
                  AND n.outcome NOT IN ('QUARANTINED', 'AMBIGUOUS')
                  AND (n.phone IS NULL OR p_recipient IS NULL OR n.phone = p_recipient)
                  AND n.network IS NOT NULL
                ORDER BY services.delivery_rank(n.state) DESC, n.network COLLATE "C" DESC
                LIMIT 1
           ),
           r.received_at
      FROM services.sms_delivery_reports r
     WHERE r.provider_message_id = p_message_id AND r.provider = p_provider
       AND r.outcome NOT IN ('QUARANTINED', 'AMBIGUOUS')
       AND (r.phone IS NULL OR p_recipient IS NULL OR r.phone = p_recipient)
     ORDER BY services.delivery_rank(r.state) DESC, r.status COLLATE "C" DESC, r.reason COLLATE "C" DESC NULLS LAST,
              r.received_at
     LIMIT 1
$function$;

-- ==== function: services.delivery_rank ====
CREATE OR REPLACE FUNCTION services.delivery_rank(p_state text)
 RETURNS integer
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$
    SELECT CASE p_state
        WHEN 'unknown' THEN 0
        WHEN 'accepted' THEN 10 -- the provider has it
        WHEN 'submitted' THEN 20 -- the network has it
        WHEN 'buffered' THEN 30 -- it waits at the network
        WHEN 'absent' THEN 40 -- not final: the telephone may come back
        WHEN 'rejected' THEN 60
        WHEN 'failed' THEN 61
        WHEN 'expired' THEN 62
        WHEN 'delivered' THEN 100
    END
$function$;

-- ==== function: services.deposit_amount ====
CREATE OR REPLACE FUNCTION services.deposit_amount(p_receipt text, p_amount numeric)
 RETURNS numeric
 LANGUAGE sql
 STABLE
AS $function$
    SELECT p_amount + coalesce((
        SELECT CASE WHEN c.type = 'DEPOSIT' THEN c.amount ELSE -c.amount END
          FROM core.transactions c
         WHERE c.reference = 'CR-' || p_receipt
    ), 0)
$function$;

-- ==== function: services.disable_webhook ====
CREATE OR REPLACE FUNCTION services.disable_webhook(p_id uuid, p_by text, p_reason text)
 RETURNS boolean
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE services.webhooks w
       SET status = 'DISABLED', secret = NULL, disabled_by = p_by, disabled_for = p_reason,
           disabled_at = clock_timestamp() AT TIME ZONE 'UTC'
     WHERE w.id = p_id AND w.status = 'ACTIVE';
    PERFORM set_config('daftari.door', '', true);
    RETURN EXISTS (SELECT FROM services.webhooks w WHERE w.id = p_id);
END
$function$;

-- ==== function: services.eat_day ====
CREATE OR REPLACE FUNCTION services.eat_day(p_at timestamp without time zone)
 RETURNS date
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$
    SELECT (p_at + interval '3 hours')::date
$function$;

-- ==== function: services.end_mpesa_period ====
CREATE OR REPLACE FUNCTION services.end_mpesa_period(p_id uuid, p_report uuid, p_closing numeric, p_float numeric, p_items text, OUT is_closed boolean)
 RETURNS boolean
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('services.mpesa_periods ' || p.short_code, 0))
       FROM services.mpesa_periods p
      WHERE p.id = p_id;
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE services.mpesa_periods p
       SET status = CASE WHEN p_report IS NULL THEN 'REFUSED' ELSE 'CLOSED' END,
           report_id = p_report, closing = p_closing, "float" = p_float, items = p_items
     WHERE p.id = p_id AND p.status = 'CLOSING';
    is_closed := FOUND AND p_report IS NOT NULL;
    PERFORM set_config('daftari.door', '', true);
END
$function$;

-- ==== function: services.expire_sms_leases ====
CREATE OR REPLACE FUNCTION services.expire_sms_leases(p_limit integer)
 RETURNS integer
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
 SET jit TO 'off'
AS $function$
DECLARE
    -- A value, not a call: what may change from row to row an index cannot look for.
    v_now   constant timestamp(3) := clock_timestamp() AT TIME ZONE 'UTC';
    v_count integer;
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    WITH due AS MATERIALIZED (
        SELECT l.id
          FROM services.sms_logs l
         WHERE l.phase = 'SENDING' AND l.lease_until <= v_now
         ORDER BY l.lease_until
         LIMIT p_limit
           FOR NO KEY UPDATE SKIP LOCKED
    ), changed AS (
        UPDATE services.sms_logs l
           SET phase = 'UNKNOWN', lease_until = NULL, error_code = 'lease_over',
               error_message = 'No answer was recorded in time: it may or may not have been sent.'
          FROM due d
         WHERE l.id = d.id
        RETURNING l.id, l.attempts, l.claimed_by
    )
    INSERT INTO services.sms_events (sms_id, kind, attempt, detail)
    SELECT c.id, 'UNKNOWN', c.attempts, 'lease_over, claimed by ' || c.claimed_by
      FROM changed c;
    GET DIAGNOSTICS v_count = ROW_COUNT;
    PERFORM set_config('daftari.door', '', true);
    RETURN v_count;
END
$function$;

-- ==== function: services.finish_assignment ====
CREATE OR REPLACE FUNCTION services.finish_assignment(p_id uuid, p_reason text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    p services.mpesa_payments;
BEGIN
    SELECT * INTO p FROM services.mpesa_payments x WHERE x.id = p_id FOR UPDATE;
    IF p.status <> 'PAID' OR p.due_at IS NULL THEN
        RETURN;
    END IF;
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE services.mpesa_payments x SET due_at = NULL, updated_at = clock_timestamp() AT TIME ZONE 'UTC' WHERE x.id = p_id;
    PERFORM set_config('daftari.door', '', true);
    IF p_reason IS NULL THEN
        PERFORM services.note_payment(p_id => p_id, p_kind => 'ASSIGNED', p_receipt => p.receipt);
    ELSE
        PERFORM services.flag_payment(
            p_id => p_id, p_kind => 'NOT_ASSIGNED', p_reason => p_reason, p_receipt => p.receipt
        );
        IF p_reason <> 'already_assigned' AND p_reason <> 'already_reversed' THEN
            PERFORM services.tell_masked(p_receipt => p.receipt, p_phone => p.phone);
        END IF;
    END IF;
END
$function$;

-- ==== function: services.finish_mpesa_statement ====
CREATE OR REPLACE FUNCTION services.finish_mpesa_statement(p_id uuid, p_from timestamp without time zone, p_to timestamp without time zone, p_opening numeric, p_closing numeric, p_stated_paid_in numeric, p_stated_withdrawn numeric, p_paid_in numeric, p_withdrawn numeric, p_first_balance numeric, p_last_balance numeric, p_balance_breaks integer, p_first_break integer, p_rows integer, p_lines integer, p_skipped integer, p_skipped_rows text[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE services.mpesa_statements s
       SET from_at = p_from, to_at = p_to, opening = p_opening, closing = p_closing,
           stated_paid_in = p_stated_paid_in, stated_withdrawn = p_stated_withdrawn,
           paid_in = p_paid_in, withdrawn = p_withdrawn, first_balance = p_first_balance, last_balance = p_last_balance,
           balance_breaks = p_balance_breaks, first_break = p_first_break,
           rows = p_rows, lines = p_lines, skipped = p_skipped, duplicate_lines = p_rows - p_lines - p_skipped,
           skipped_rows = p_skipped_rows
     WHERE s.id = p_id;
    PERFORM set_config('daftari.door', '', true);
END
$function$;

-- ==== function: services.finish_webhook ====
CREATE OR REPLACE FUNCTION services.finish_webhook(p_id uuid, p_attempt integer, p_status_code integer, p_reason text, p_due_ms integer)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    v_now constant timestamp := clock_timestamp() AT TIME ZONE 'UTC';
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE services.webhook_deliveries d
       SET status = CASE WHEN p_reason IS NULL THEN 'DELIVERED' WHEN p_due_ms IS NULL THEN 'FAILED' ELSE 'PENDING' END,
           status_code = p_status_code, reason = p_reason, updated_at = v_now,
           due_at = CASE WHEN p_reason IS NOT NULL THEN v_now + p_due_ms * interval '1 millisecond' END
     WHERE d.id = p_id AND d.status <> 'DELIVERED' AND (p_reason IS NULL OR d.attempts = p_attempt);
    PERFORM set_config('daftari.door', '', true);
END
$function$;

-- ==== function: services.flag_other_wallets ====
CREATE OR REPLACE FUNCTION services.flag_other_wallets(p_receipts text[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET enable_nestloop TO 'on'
AS $function$
DECLARE
    v_posted   text[];
    v_credited text[];
    v_flagged  record;
BEGIN
    PERFORM services.lock_receipts(p_receipts);
    SELECT array_agg(t.reference::text), array_agg(core.account_of(t.credit_wallet_id))
      INTO v_posted, v_credited
      FROM core.transactions t
     WHERE t.reference = ANY (p_receipts);
    FOR v_flagged IN
        SELECT p.id, r.receipt
          FROM (
            SELECT o.receipt, o.id FROM services.mpesa_payments o WHERE o.receipt = ANY (p_receipts)
             UNION
            SELECT e.receipt, e.payment_id
              FROM services.mpesa_payment_events e
             WHERE e.receipt = ANY (p_receipts) AND e.kind IN ('SECOND_RECEIPT', 'OTHER_PAYMENT')
          ) r
          JOIN services.mpesa_payments p ON p.id = r.id
         WHERE EXISTS (
             SELECT FROM services.mpesa_witnesses w WHERE w.receipt = r.receipt AND w.wallet_id <> p.wallet_id
         ) OR EXISTS (
             SELECT FROM unnest(v_posted, v_credited) AS t (receipt, wallet)
              WHERE t.receipt = r.receipt AND t.wallet NOT IN (p.wallet_id, 'SUSPENSE')
         )
         ORDER BY p.id, r.receipt
    LOOP
        PERFORM FROM services.mpesa_payments p WHERE p.id = v_flagged.id FOR UPDATE;
        PERFORM services.flag_payment(
            p_id => v_flagged.id, p_kind => 'OTHER_WALLET', p_reason => NULL, p_receipt => v_flagged.receipt
        );
    END LOOP;
END
$function$;

-- ==== function: services.flag_payment ====
CREATE OR REPLACE FUNCTION services.flag_payment(p_id uuid, p_kind text, p_reason text, p_receipt text)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
BEGIN
    IF EXISTS (
        SELECT FROM services.mpesa_payment_events e
         WHERE e.payment_id = p_id AND e.kind = p_kind AND e.receipt IS NOT DISTINCT FROM p_receipt
    ) THEN
        RETURN;
    END IF;
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE services.mpesa_payments p SET is_flagged = true, updated_at = clock_timestamp() AT TIME ZONE 'UTC' WHERE p.id = p_id;
    PERFORM set_config('daftari.door', '', true);
    PERFORM services.note_payment(p_id => p_id, p_kind => p_kind, p_reason => p_reason, p_receipt => p_receipt);
END
$function$;

-- ==== function: services.fold_delivery ====
CREATE OR REPLACE FUNCTION services.fold_delivery(p_ids uuid[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
 SET jit TO 'off'
AS $function$
DECLARE
    v_now constant timestamp(3) := clock_timestamp() AT TIME ZONE 'UTC';
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE services.sms_logs l
       SET delivery_state = d.state, delivery_status = d.status, delivery_reason = d.reason,
           delivery_updated_at = d.received_at,
           delivered_at = CASE WHEN d.rank = 100 THEN d.received_at END,
           network = d.network,
           phase = CASE WHEN d.decides THEN 'DONE' ELSE l.phase END,
           status = CASE WHEN NOT d.decides THEN l.status WHEN d.is_lost THEN 'FAILED' ELSE 'SENT' END,
           sent_at = CASE WHEN d.decides THEN coalesce(l.sent_at, l.claimed_at) ELSE l.sent_at END,
           settled_at = CASE WHEN d.decides THEN coalesce(l.settled_at, v_now) ELSE l.settled_at END,
           error_code = CASE WHEN NOT d.decides THEN l.error_code WHEN d.is_lost THEN 'undelivered' END,
           error_message = CASE
               WHEN NOT d.decides THEN l.error_message
               WHEN d.is_lost THEN concat_ws(
                   ' ', 'The network reported ' || d.status || coalesce(', ' || d.reason, '') || '.', d.explanation
               )
           END
      FROM (
        SELECT s.id, r.*, s.phase <> 'SENDING' AND r.rank >= 10 AS decides, r.rank BETWEEN 60 AND 99 AS is_lost
          FROM services.sms_logs s
         CROSS JOIN LATERAL services.delivery_of(
             p_provider => s.provider, p_message_id => s.provider_message_id, p_recipient => s.recipient
         ) r
         WHERE s.id = ANY (p_ids)
      ) d
     WHERE l.id = d.id;
    PERFORM set_config('daftari.door', '', true);
END
$function$;

-- ==== function: services.follow_deposits ====
CREATE OR REPLACE FUNCTION services.follow_deposits(p_receipts text[], p_ids uuid[], p_outcomes text[], p_kinds text[], p_amounts numeric[], p_short_codes text[], p_accounts text[], p_paid_at timestamp without time zone[], p_phones text[], p_phone_hashes text[], p_names text[], p_wallets text[], p_door_reasons text[], p_reasons text[], p_now timestamp without time zone)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
BEGIN
    IF 'duplicate' = ANY (p_outcomes) OR 'conflict' = ANY (p_outcomes) THEN
        PERFORM services.note_witnesses(
            p_receipts => p_receipts, p_outcomes => p_outcomes, p_kinds => p_kinds, p_amounts => p_amounts,
            p_short_codes => p_short_codes, p_accounts => p_accounts, p_phones => p_phones,
            p_phone_hashes => p_phone_hashes, p_names => p_names
        );
    END IF;
    IF EXISTS (SELECT FROM services.webhooks w WHERE w.status = 'ACTIVE') THEN
        PERFORM services.queue_deposit_webhooks(
            p_receipts => p_receipts, p_amounts => p_amounts, p_short_codes => p_short_codes, p_paid_at => p_paid_at,
            p_outcomes => p_outcomes, p_wallets => p_wallets, p_door_reasons => p_door_reasons, p_reasons => p_reasons,
            p_now => p_now
        );
    END IF;
    PERFORM services.settle_by_deposits(
        p_ids => p_ids, p_receipts => p_receipts, p_kinds => p_kinds, p_amounts => p_amounts,
        p_short_codes => p_short_codes, p_accounts => p_accounts, p_paid_at => p_paid_at, p_phones => p_phones,
        p_phone_hashes => p_phone_hashes, p_wallets => p_wallets
    );
END
$function$;

-- ==== function: services.follow_sms_status ====
CREATE OR REPLACE FUNCTION services.follow_sms_status()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
    NEW.phase := 'DONE';
    NEW.lease_until := NULL;
    NEW.settled_at := clock_timestamp() AT TIME ZONE 'UTC';
    RETURN NEW;
END
$function$;

-- ==== function: services.forget_opt_out ====
CREATE OR REPLACE FUNCTION services.forget_opt_out(p_number text)
 RETURNS boolean
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    v_was_there boolean;
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    DELETE FROM services.sms_opt_outs WHERE number = coalesce(core.normalize_phone(p_number), ltrim(p_number, '+'));
    v_was_there := FOUND;
    PERFORM set_config('daftari.door', '', true);
    RETURN v_was_there;
END
$function$;

-- ==== function: services.guard_sms_templates ====
CREATE OR REPLACE FUNCTION services.guard_sms_templates()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
    RAISE EXCEPTION '% on services.sms_templates is refused', TG_OP
        USING ERRCODE = 'DF003', HINT = 'Change a text with services.set_sms_template, or PUT /templates/:key/:language.';
END
$function$;

-- ==== function: services.lock_message_ids ====
CREATE OR REPLACE FUNCTION services.lock_message_ids(p_message_ids text[], p_exclusive boolean)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    c_space constant integer := 1936553836; -- any number that no other advisory lock of ours uses
    v_class integer;
BEGIN
    FOR v_class IN
        SELECT DISTINCT hashtext(t.id) & 511 FROM unnest(p_message_ids) AS t (id) WHERE t.id IS NOT NULL ORDER BY 1
    LOOP
        IF p_exclusive THEN
            PERFORM pg_advisory_xact_lock(c_space, v_class);
        ELSE
            PERFORM pg_advisory_xact_lock_shared(c_space, v_class);
        END IF;
    END LOOP;
END
$function$;

-- ==== function: services.lock_receipts ====
CREATE OR REPLACE FUNCTION services.lock_receipts(p_receipts text[])
 RETURNS void
 LANGUAGE plpgsql
AS $function$
BEGIN
    PERFORM FROM services.mpesa_logs l
      WHERE l.mpesa_receipt = ANY (p_receipts)
      ORDER BY l.mpesa_receipt
        FOR NO KEY UPDATE;
END
$function$;

-- ==== function: services.mark_refund ====
CREATE OR REPLACE FUNCTION services.mark_refund(p_receipt text, p_decision text, p_by text, p_reason text, p_key text, p_digest text, OUT outcome text, OUT reason text)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    t      core.transactions;
    v_last text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('services.mpesa_decisions ' || p_receipt, 0));
    outcome := core.find_request(p_key => p_key, p_digest => p_digest);
    IF outcome = 'replayed' THEN
        SELECT q.reason INTO reason FROM core.requests q WHERE q.idempotency_key = p_key;
    END IF;
    IF outcome IS NOT NULL THEN
        RETURN;
    END IF;

    SELECT * INTO t FROM core.transactions x WHERE x.reference = p_receipt AND x.type = 'DEPOSIT';
    SELECT d.decision INTO v_last
      FROM services.mpesa_decisions d
     WHERE d.receipt = p_receipt AND d.decision IN ('REFUND', 'NO_REFUND')
     ORDER BY d.id DESC
     LIMIT 1;
    reason := CASE
        WHEN t.id IS NULL THEN 'unknown_transaction'
        WHEN core.account_of(t.credit_wallet_id) <> 'SUSPENSE' THEN 'not_in_suspense'
        WHEN (SELECT a.reference FROM core.current_assignment(p_receipt) AS a) IS NOT NULL THEN 'already_assigned'
        WHEN core.remaining_of(t.id) <= 0 THEN 'already_reversed'
    END;
    IF reason IS NOT NULL THEN
        outcome := 'refused';
        PERFORM core.refuse_request(p_key => p_key, p_digest => p_digest, p_reason => reason);
        RETURN;
    END IF;

    outcome := CASE WHEN coalesce(v_last, 'NO_REFUND') = p_decision THEN 'replayed' ELSE 'noted' END;
    PERFORM set_config('daftari.door', 'open', true);
    IF outcome = 'noted' THEN
        INSERT INTO services.mpesa_decisions (receipt, decision, reason, decided_by)
        VALUES (p_receipt, p_decision, p_reason, p_by);
        IF EXISTS (SELECT FROM services.webhooks w WHERE w.status = 'ACTIVE') THEN
            PERFORM services.queue_change_webhook(
                p_receipt => p_receipt,
                p_outcome => CASE p_decision WHEN 'REFUND' THEN 'refund_marked' ELSE 'refund_unmarked' END,
                p_amount => core.remaining_of(t.id), p_currency => t.currency, p_wallet => NULL, p_from => NULL,
                p_reference => NULL, p_reason => NULL, p_at => clock_timestamp() AT TIME ZONE 'UTC'
            );
        END IF;
    END IF;
    INSERT INTO core.requests (idempotency_key, digest, outcome, reference)
    VALUES (p_key, p_digest, 'POSTED', p_receipt);
    PERFORM set_config('daftari.door', '', true);
END
$function$;

-- ==== function: services.match_mpesa_lines ====
CREATE OR REPLACE FUNCTION services.match_mpesa_lines(p_short_code text, p_from timestamp without time zone, p_to timestamp without time zone, OUT matched integer)
 RETURNS integer
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    WITH lines AS (
        SELECT l.id, l.kind, l.receipt, l.linked_receipt, l.paid_in, l.withdrawn, l.short_code
          FROM services.mpesa_statement_lines l
         WHERE l.short_code = p_short_code AND l.completed_at >= p_from AND l.completed_at < p_to
           AND l.is_completed AND l.account_key = '' AND l.kind IN ('payment', 'reversal')
           AND NOT EXISTS (SELECT FROM services.mpesa_matches m WHERE m.line_id = l.id)
    ), payments AS (
        SELECT DISTINCT ON (t.id) l.id AS line_id, t.id AS transaction_id
          FROM lines l
          JOIN core.transactions t ON t.reference = l.receipt AND t.type = 'DEPOSIT'
          JOIN services.mpesa_logs g ON g.mpesa_receipt = l.receipt AND coalesce(g.short_code, l.short_code) = l.short_code
         WHERE l.kind = 'payment'
           AND l.paid_in = services.deposit_amount(p_receipt => l.receipt, p_amount => t.amount)
         ORDER BY t.id, l.id
    ), reversal_lines AS (
        SELECT l.id, l.linked_receipt, l.withdrawn,
               row_number() OVER (PARTITION BY l.linked_receipt, l.withdrawn ORDER BY l.id) AS place
          FROM lines l
         WHERE l.kind = 'reversal' AND l.withdrawn > 0 AND l.linked_receipt IS NOT NULL
    ), reversal_movements AS (
        SELECT r.id, d.reference AS receipt, r.amount,
               row_number() OVER (PARTITION BY d.id, r.amount ORDER BY r.id) AS place
          FROM core.transactions d
          JOIN services.mpesa_logs g ON g.mpesa_receipt = d.reference AND g.short_code = p_short_code
          JOIN core.transactions r ON r.reverses_id = d.id AND r.type = 'REVERSAL' AND r.reference NOT LIKE 'CR-%'
         WHERE d.type = 'DEPOSIT' AND d.reference IN (SELECT l.linked_receipt FROM reversal_lines l)
           AND NOT EXISTS (SELECT FROM services.mpesa_matches m WHERE m.transaction_id = r.id)
    ), found AS (
        SELECT p.line_id, p.transaction_id FROM payments p
        UNION ALL
        SELECT l.id, r.id
          FROM reversal_lines l
          JOIN reversal_movements r
            ON r.receipt = l.linked_receipt AND r.amount = l.withdrawn AND r.place = l.place
    )
    -- In one order, so that two who do this at the same time wait for each other and never in a circle.
    INSERT INTO services.mpesa_matches (line_id, transaction_id)
    SELECT f.line_id, f.transaction_id FROM found f ORDER BY f.line_id
    ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS matched = ROW_COUNT;
    PERFORM set_config('daftari.door', '', true);
END
$function$;

-- ==== function: services.may_be_phone ====
CREATE OR REPLACE FUNCTION services.may_be_phone(p_phone text, p_told text, p_hash text)
 RETURNS boolean
 LANGUAGE sql
 IMMUTABLE
AS $function$
    SELECT CASE
        WHEN p_hash IS NOT NULL THEN
            starts_with(encode(sha256(p_phone::bytea), 'hex'), split_part(p_hash, '*', 1))
            AND right(encode(sha256(p_phone::bytea), 'hex'), length(substring(p_hash FROM '[^*]*$')))
                = substring(p_hash FROM '[^*]*$')
        WHEN p_told LIKE '%*%' THEN
            starts_with(p_phone, split_part(replace(p_told, ' ', ''), '*', 1))
            AND right(p_phone, length(substring(replace(p_told, ' ', '') FROM '[^*]*$')))
                = substring(replace(p_told, ' ', '') FROM '[^*]*$')
        ELSE p_told IS NULL OR p_told = p_phone
    END
$function$;

-- ==== function: services.mpesa_float ====
CREATE OR REPLACE FUNCTION services.mpesa_float(p_short_code text, p_at timestamp without time zone)
 RETURNS numeric
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    WITH base AS (
        SELECT x.to_at, x."float"
          FROM (
            SELECT p.to_at, p."float"
              FROM services.mpesa_periods p
             WHERE p.short_code = p_short_code AND p.status = 'CLOSED' AND p.to_at <= p_at
            UNION ALL
            SELECT timestamp '1970-01-01', 0
          ) x
         ORDER BY x.to_at DESC
         LIMIT 1
    ), deposits AS (
        SELECT sum(services.deposit_amount(p_receipt => t.reference, p_amount => t.amount)) AS amount
          FROM base b
          JOIN services.mpesa_logs g ON g.short_code = p_short_code AND g.created_at >= b.to_at - interval '1 day'
          JOIN core.transactions t ON t.reference = g.mpesa_receipt AND t.type = 'DEPOSIT'
         CROSS JOIN LATERAL (
            SELECT CASE
                WHEN services.closed_mpesa_period(
                    p_short_code => p_short_code, p_happened_at => coalesce(g.paid_at, g.created_at), p_posted_at => t.created_at
                ) IS NULL THEN coalesce(g.paid_at, g.created_at)
                ELSE t.created_at
            END AS at
         ) e
         WHERE e.at >= b.to_at AND e.at < p_at
    ), stated AS (
        SELECT sum(l.paid_in - l.withdrawn) AS amount
          FROM base b
          JOIN services.mpesa_statement_lines l
            ON l.short_code = p_short_code AND l.completed_at >= b.to_at AND l.completed_at < p_at
          JOIN services.mpesa_matches m ON m.line_id = l.id
          JOIN core.transactions t ON t.id = m.transaction_id AND t.reference ~ '^(MC|MS|RV)-'
         WHERE l.kind IN ('charge', 'sweep', 'reversal')
    ), others AS (
        SELECT sum(CASE WHEN core.account_of(t.credit_wallet_id) = 'MPESA-FLOAT' THEN -t.amount ELSE t.amount END) AS amount
          FROM base b
          JOIN core.transactions t
            ON t.id >= (lpad(to_hex((extract(epoch FROM b.to_at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
          LEFT JOIN core.transactions o ON o.id = t.reverses_id
          LEFT JOIN services.mpesa_logs g ON g.mpesa_receipt = o.reference
          LEFT JOIN services.mpesa_matches m ON m.transaction_id = t.id
          LEFT JOIN services.mpesa_statement_lines l ON l.id = m.line_id
         WHERE t.type <> 'DEPOSIT' AND t.reference !~ '^(MC|MS|RV|CR)-'
           AND 'MPESA-FLOAT' IN (core.account_of(t.debit_wallet_id), core.account_of(t.credit_wallet_id))
           AND (o.type IS DISTINCT FROM 'DEPOSIT' OR g.short_code = p_short_code)
           AND CASE WHEN l.completed_at >= b.to_at THEN l.completed_at ELSE t.created_at END < p_at
    ), corrections AS (
        -- Of deposits that were closed before: the others are in their deposits.
        SELECT sum(CASE WHEN c.type = 'DEPOSIT' THEN c.amount ELSE -c.amount END) AS amount
          FROM base b
          JOIN core.transactions c
            ON c.id >= (lpad(to_hex((extract(epoch FROM b.to_at) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
           AND c.created_at < p_at AND c.reference LIKE 'CR-%'
          JOIN services.mpesa_logs g ON g.mpesa_receipt = substr(c.reference, 4) AND g.short_code = p_short_code
          JOIN core.transactions t ON t.reference = g.mpesa_receipt
         WHERE coalesce(g.paid_at, g.created_at) < b.to_at AND services.closed_mpesa_period(
                   p_short_code => p_short_code, p_happened_at => coalesce(g.paid_at, g.created_at), p_posted_at => t.created_at
               ) IS NULL
           AND services.closed_mpesa_period(
                   p_short_code => p_short_code, p_happened_at => coalesce(g.paid_at, g.created_at), p_posted_at => c.created_at
               ) IS NOT NULL
    )
    SELECT (b."float" + coalesce(d.amount, 0) + coalesce(s.amount, 0) + coalesce(o.amount, 0) + coalesce(c.amount, 0))::numeric(19,2)
      FROM base b, deposits d, stated s, others o, corrections c
$function$;

-- ==== function: services.mpesa_line_states ====
CREATE OR REPLACE FUNCTION services.mpesa_line_states(p_short_code text, p_from timestamp without time zone, p_to timestamp without time zone)
 RETURNS TABLE(line_id uuid, state text, reason text, is_open boolean, kind text, receipt text, amount numeric, ledger_amount numeric, statement_net numeric, ledger_net numeric, happened_at timestamp without time zone)
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    WITH lines AS (
        SELECT l.*, row_number() OVER (
                   PARTITION BY l.receipt, l.kind, l.is_completed, l.account_key ORDER BY l.id
               ) AS place
          FROM services.mpesa_statement_lines l
         WHERE l.short_code = p_short_code AND l.completed_at >= p_from AND l.completed_at < p_to
    ), seen AS (
        SELECT l.*, m.transaction_id AS explained, t.id AS deposit, other.line_id AS rival,
               g.id AS logged, g.outcome AS log_outcome,
               -- A log from before the ledger does not say.
               CASE WHEN g.id IS NOT NULL THEN coalesce(g.short_code, l.short_code) END AS log_short_code,
               -- Other lines are found by their receipts: see services.post_mpesa_lines.
               CASE WHEN t.id IS NOT NULL THEN services.deposit_amount(p_receipt => l.receipt, p_amount => t.amount) END AS due,
               EXISTS (
                   SELECT FROM services.mpesa_statement_lines r
                    WHERE l.kind = 'payment' AND r.short_code || '' = l.short_code AND r.kind = 'reversal' AND r.is_completed
                      AND r.linked_receipt = l.receipt AND r.withdrawn = l.paid_in
               ) AS is_taken_back,
               EXISTS (
                   SELECT FROM core.transactions o WHERE l.kind = 'reversal' AND o.reference = l.linked_receipt
               ) AS original_is_here,
               EXISTS (
                   SELECT FROM services.mpesa_statement_lines p
                    WHERE l.kind = 'reversal' AND p.receipt = l.linked_receipt AND p.short_code || '' = l.short_code
               ) AS original_is_shown
          FROM lines l
          LEFT JOIN services.mpesa_matches m ON m.line_id = l.id
          LEFT JOIN core.transactions t
            ON t.reference = l.receipt AND t.type = 'DEPOSIT' AND l.kind = 'payment' AND l.is_completed
          LEFT JOIN services.mpesa_matches other ON other.transaction_id = t.id AND other.line_id <> l.id
          LEFT JOIN services.mpesa_logs g ON g.mpesa_receipt = l.receipt AND l.kind = 'payment' AND l.is_completed
    ), judged AS (
        SELECT s.*,
               CASE
                   WHEN NOT s.is_completed THEN 'not_completed'
                   WHEN s.kind IN ('charge', 'sweep') THEN s.kind
                   WHEN s.kind = 'reversal' THEN 'reversed'
                   WHEN s.kind <> 'payment' OR s.account_key <> '' THEN 'unexplained'
                   WHEN s.deposit IS NULL AND s.is_taken_back THEN 'reversed'
                   WHEN s.deposit IS NULL THEN 'missing_here'
                   WHEN s.log_short_code IS DISTINCT FROM s.short_code THEN 'unexplained'
                   WHEN s.rival IS NOT NULL OR (s.explained IS NULL AND s.place > 1) THEN 'unexplained'
                   WHEN s.due = s.paid_in THEN 'matched'
                   ELSE 'amount_differs'
               END AS state
          FROM seen s
    ), explained AS (
        SELECT j.*,
               CASE
                   WHEN j.state = 'missing_here' AND j.receipt !~ '^[A-Z0-9]{6,20}$' THEN 'receipt_not_usable'
                   WHEN j.state = 'missing_here' AND j.log_outcome = 'HELD' THEN 'held'
                   WHEN j.state = 'missing_here' AND j.logged IS NOT NULL THEN 'logged_without_posting'
                   WHEN j.state = 'missing_here' AND j.place > 1 THEN 'repeated_receipt'
                   WHEN j.kind = 'reversal' AND j.state = 'reversed' AND j.explained IS NULL THEN CASE
                       WHEN j.linked_receipt IS NULL THEN 'original_unknown'
                       WHEN j.original_is_here OR j.paid_in > 0 THEN 'not_posted_here'
                       WHEN NOT j.original_is_shown THEN 'original_unknown'
                   END
                   WHEN j.state <> 'unexplained' THEN NULL
                   WHEN j.kind <> 'payment' THEN j.kind
                   WHEN j.account_key <> '' THEN 'other_account'
                   WHEN j.log_short_code IS DISTINCT FROM j.short_code THEN 'other_short_code'
                   ELSE 'repeated_receipt'
               END AS why
          FROM judged j
    )
    SELECT e.id, e.state, e.why,
           e.state IN ('missing_here', 'amount_differs', 'unexplained')
               OR (e.state = 'reversed' AND coalesce(e.why IN ('original_unknown', 'not_posted_here'), false)),
           e.kind::text, e.receipt::text, e.paid_in + e.withdrawn, e.due,
           CASE WHEN e.is_completed AND e.account_key = '' THEN e.paid_in - e.withdrawn ELSE 0 END,
           CASE
               WHEN e.state IN ('matched', 'amount_differs') THEN e.due
               WHEN e.kind = 'reversal' AND e.explained IS NOT NULL THEN -e.withdrawn
               WHEN e.kind IN ('charge', 'sweep') AND e.explained IS NOT NULL THEN e.paid_in - e.withdrawn
               ELSE 0
           END,
           e.completed_at::timestamp
      FROM explained e
$function$;

-- ==== function: services.mpesa_movement_states ====
CREATE OR REPLACE FUNCTION services.mpesa_movement_states(p_short_code text, p_from timestamp without time zone, p_to timestamp without time zone)
 RETURNS TABLE(transaction_id uuid, state text, reason text, is_open boolean, reference text, amount numeric, ledger_net numeric, happened_at timestamp without time zone, closed_period uuid)
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    WITH movements AS (
        SELECT t.id, t.reference, t.type, t.id AS original, t.reference AS receipt,
               services.deposit_amount(p_receipt => t.reference, p_amount => t.amount) AS amount,
               services.deposit_amount(p_receipt => t.reference, p_amount => t.amount) AS original_amount,
               1 AS sign, p.at AS happened_at, c.closed
          FROM services.mpesa_logs g
          JOIN core.transactions t ON t.reference = g.mpesa_receipt AND t.type = 'DEPOSIT'
         CROSS JOIN LATERAL (
            SELECT services.closed_mpesa_period(
                p_short_code => p_short_code, p_happened_at => coalesce(g.paid_at, g.created_at), p_posted_at => t.created_at
            ) AS closed
         ) c
         CROSS JOIN LATERAL (
            SELECT CASE WHEN c.closed IS NULL THEN coalesce(g.paid_at, g.created_at) ELSE t.created_at END AS at
         ) p
         -- Nobody reports a payment long before it was made, so the index of the log says where to begin.
         WHERE g.short_code = p_short_code AND g.created_at >= p_from - interval '1 day' AND p.at >= p_from AND p.at < p_to
        UNION ALL
        SELECT t.id, t.reference, t.type, coalesce(o.id, t.id), o.reference, t.amount,
               CASE
                   WHEN o.type = 'DEPOSIT' THEN services.deposit_amount(p_receipt => o.reference, p_amount => o.amount)
                   ELSE coalesce(o.amount, t.amount)
               END,
               CASE WHEN core.account_of(t.credit_wallet_id) = 'MPESA-FLOAT' THEN -1 ELSE 1 END, t.created_at, NULL
          FROM core.transactions t
          LEFT JOIN core.transactions o ON o.id = t.reverses_id
          LEFT JOIN services.mpesa_logs g ON g.mpesa_receipt = o.reference
         -- The ids sort by time; see core.uuid_v7.
         WHERE t.id >= (lpad(to_hex((extract(epoch FROM p_from) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
           AND t.id < (lpad(to_hex((extract(epoch FROM p_to) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
           AND t.type <> 'DEPOSIT' AND t.reference NOT LIKE 'CR-%'
           AND 'MPESA-FLOAT' IN (core.account_of(t.debit_wallet_id), core.account_of(t.credit_wallet_id))
           AND (o.type IS DISTINCT FROM 'DEPOSIT' OR g.short_code = p_short_code)
           -- What was posted from a line is in the state of that line.
           AND t.debit_wallet_id <> 'RECEIVABLES'
           AND NOT (
               t.type <> 'REVERSAL'
               AND ('BANK' IN (t.debit_wallet_id, t.credit_wallet_id) OR 'CHARGES' IN (t.debit_wallet_id, t.credit_wallet_id))
               AND EXISTS (SELECT FROM services.mpesa_matches p WHERE p.transaction_id = t.id)
           )
    ), seen AS (
        SELECT m.*, x.line_id AS explained, coalesce(own.completed_at, l.completed_at) AS completed_at,
               coalesce(own.paid_in, l.paid_in) AS paid_in,
               coalesce((
                   SELECT sum(r.amount)
                     FROM core.transactions r
                    WHERE r.reverses_id = m.original AND r.reference NOT LIKE 'CR-%'
               ), 0) = m.original_amount AND NOT EXISTS (
                   SELECT FROM services.mpesa_statement_lines p
                    WHERE p.receipt = m.receipt AND p.short_code || '' = p_short_code AND p.kind = 'payment' AND p.is_completed
               ) AS is_undone
          FROM movements m
          LEFT JOIN services.mpesa_matches x ON x.transaction_id = m.id
          LEFT JOIN services.mpesa_statement_lines own ON own.id = x.line_id
          -- Each of the two by an index of its own: one condition for both would read every line for each movement. By the
          -- receipt: see services.post_mpesa_lines.
          LEFT JOIN LATERAL (
            SELECT p.completed_at, p.paid_in
              FROM services.mpesa_statement_lines p
             WHERE x.line_id IS NULL AND m.type = 'DEPOSIT' AND p.receipt = m.receipt AND p.short_code || '' = p_short_code
               AND p.kind = 'payment' AND p.is_completed AND p.account_key = ''
             ORDER BY p.id
             LIMIT 1
          ) l ON true
    ), judged AS (
        SELECT s.*,
               CASE
                   WHEN s.completed_at IS NOT NULL AND s.type <> 'DEPOSIT' THEN 'reversed'
                   WHEN s.completed_at IS NOT NULL AND s.paid_in = s.amount THEN 'matched'
                   WHEN s.completed_at IS NOT NULL THEN 'amount_differs'
                   WHEN s.is_undone THEN 'reversed'
                   ELSE 'missing_there'
               END AS state
          FROM seen s
         WHERE s.completed_at IS NULL OR s.completed_at < p_from OR s.completed_at >= p_to
    )
    SELECT j.id, j.state,
           CASE
               WHEN j.closed IS NOT NULL THEN 'late_for_closed_period'
               WHEN j.state IN ('matched', 'amount_differs') THEN 'line_outside_period'
               WHEN j.state = 'reversed' AND j.completed_at IS NULL THEN 'undone_here'
               WHEN j.state = 'missing_there' AND j.type <> 'DEPOSIT' THEN lower(j.type)
           END,
           j.state IN ('missing_there', 'amount_differs'),
           j.reference::text, j.amount, CASE WHEN j.completed_at IS NULL OR j.closed IS NOT NULL THEN j.sign * j.amount ELSE 0 END,
           j.happened_at::timestamp, j.closed
      FROM judged j
$function$;

-- ==== function: services.mpesa_period_balance ====
CREATE OR REPLACE FUNCTION services.mpesa_period_balance(p_short_code text, p_from timestamp without time zone, p_to timestamp without time zone, OUT opening numeric, OUT paid_in numeric, OUT withdrawn numeric, OUT closing numeric, OUT breaks integer, OUT unknown integer)
 RETURNS record
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    v_lines integer;
    v_start numeric;
BEGIN
    WITH lines AS (
        SELECT l.completed_at AS at, l.paid_in, l.withdrawn, l.balance, l.balance - l.paid_in + l.withdrawn AS before
          FROM services.mpesa_statement_lines l
         WHERE l.short_code = p_short_code AND l.completed_at >= p_from AND l.completed_at < p_to
           AND l.is_completed AND l.account_key = ''
    ), ends AS (
        SELECT e.balance, sum(e.side) AS side, min(e.at) AS first_at, max(e.at) AS last_at
          FROM (
            SELECT l.before AS balance, 1 AS side, l.at FROM lines l WHERE l.balance IS NOT NULL
            UNION ALL
            SELECT l.balance, -1, l.at FROM lines l WHERE l.balance IS NOT NULL
          ) e
         GROUP BY e.balance
        HAVING sum(e.side) <> 0
    )
    SELECT t.lines, t.paid_in, t.withdrawn, t.unknown,
           (SELECT e.balance FROM ends e WHERE e.side > 0 ORDER BY e.first_at, e.balance LIMIT 1),
           (SELECT e.balance FROM ends e WHERE e.side < 0 ORDER BY e.last_at DESC, e.balance LIMIT 1),
           coalesce((SELECT sum(e.side) FROM ends e WHERE e.side > 0), 1) - 1,
           -- A balance that came back to where it began has no ends.
           (SELECT l.before FROM lines l WHERE l.balance IS NOT NULL ORDER BY l.at, l.before LIMIT 1)
      INTO v_lines, paid_in, withdrawn, unknown, opening, closing, breaks, v_start
      FROM (
        SELECT count(*) AS lines, coalesce(sum(l.paid_in), 0.00) AS paid_in, coalesce(sum(l.withdrawn), 0.00) AS withdrawn,
               count(*) FILTER (WHERE l.balance IS NULL) AS unknown
          FROM lines l
      ) t;
    IF v_lines = 0 THEN
        SELECT p.closing INTO v_start
          FROM services.mpesa_periods p
         WHERE p.short_code = p_short_code AND p.status = 'CLOSED' AND p.to_at = p_from;
    END IF;
    opening := coalesce(opening, v_start);
    closing := coalesce(closing, v_start);
END
$function$;

-- ==== function: services.name_payment ====
CREATE OR REPLACE FUNCTION services.name_payment(p_id uuid, p_merchant_request_id text, p_checkout_request_id text)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE services.mpesa_payments p
       SET merchant_request_id = p_merchant_request_id, checkout_request_id = p_checkout_request_id
     WHERE p.id = p_id AND p.checkout_request_id IS NULL AND p_checkout_request_id IS NOT NULL;
    PERFORM set_config('daftari.door', '', true);
END
$function$;

-- ==== function: services.note_assignment ====
CREATE OR REPLACE FUNCTION services.note_assignment(p_receipt text, p_reference text, p_by text, p_reason text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
    IF p_reference IS NULL THEN
        RETURN;
    END IF;
    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO services.mpesa_decisions (receipt, decision, reason, decided_by, reference)
    VALUES (p_receipt, 'ASSIGNED', p_reason, p_by, p_reference);
    PERFORM set_config('daftari.door', '', true);
END
$function$;

-- ==== function: services.note_mpesa_breaks ====
CREATE OR REPLACE FUNCTION services.note_mpesa_breaks(p_short_code text, p_from timestamp without time zone, p_to timestamp without time zone, p_by text, OUT noted integer)
 RETURNS integer
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    v_by constant text := coalesce(p_by, session_user);
BEGIN
    -- Two who reconcile one short code at the same time do this one after the other.
    PERFORM pg_advisory_xact_lock(hashtextextended('services.mpesa_breaks ' || p_short_code, 0));
    PERFORM set_config('daftari.door', 'open', true);
    WITH items AS MATERIALIZED (
        SELECT l.line_id AS subject, 'statement' AS side, l.state, l.reason, l.is_open, l.kind, l.receipt AS reference, l.amount,
               l.ledger_amount, l.happened_at
          FROM services.mpesa_line_states(p_short_code => p_short_code, p_from => p_from, p_to => p_to) l
        UNION ALL
        SELECT m.transaction_id, 'ledger', m.state, m.reason, m.is_open, 'movement', m.reference, m.amount, m.amount, m.happened_at
          FROM services.mpesa_movement_states(p_short_code => p_short_code, p_from => p_from, p_to => p_to) m
    ), found AS (
        INSERT INTO services.mpesa_breaks AS b (
            short_code, subject_id, side, state, why, reference, kind, amount, ledger_amount, happened_at, due_at
        )
        SELECT p_short_code, i.subject, i.side, i.state, i.reason, i.reference, i.kind, i.amount, i.ledger_amount, i.happened_at,
               i.happened_at + CASE
                   WHEN i.amount >= 100000 THEN interval '1 day'
                   WHEN i.amount >= 10000 THEN interval '3 days'
                   ELSE interval '7 days'
               END
          FROM items i
         WHERE i.is_open
         ORDER BY i.subject
        ON CONFLICT (short_code, subject_id) DO UPDATE
           SET state = EXCLUDED.state, why = EXCLUDED.why, amount = EXCLUDED.amount, ledger_amount = EXCLUDED.ledger_amount,
               status = 'OPEN', is_explained = false, proposed_by = NULL, reason = NULL, version = b.version + 1
         WHERE b.state <> EXCLUDED.state OR b.why IS DISTINCT FROM EXCLUDED.why OR b.amount <> EXCLUDED.amount
            OR b.ledger_amount IS DISTINCT FROM EXCLUDED.ledger_amount OR b.is_explained
        RETURNING b.id, b.version, b.status
    ), ended AS (
        UPDATE services.mpesa_breaks b
           -- A movement that a line explains is in no state of its own.
           SET state = coalesce(i.state, 'matched'),
               why = CASE b.status WHEN 'RESOLVED' THEN 'explained_after_decision' ELSE i.reason END,
               is_explained = b.status <> 'RESOLVED',
               status = CASE b.status WHEN 'RESOLVED' THEN 'OPEN' ELSE 'RESOLVED' END,
               version = b.version + 1
          FROM services.mpesa_breaks x
          LEFT JOIN items i ON i.subject = x.subject_id
         WHERE b.id = x.id AND x.short_code = p_short_code AND x.happened_at >= p_from AND x.happened_at < p_to
           AND i.is_open IS NOT TRUE AND NOT x.is_explained
           AND x.why IS DISTINCT FROM 'explained_after_decision'
        RETURNING b.id, b.version, b.status
    ), events AS (
        INSERT INTO services.mpesa_break_events (break_id, version, action, status, actor)
        SELECT f.id, f.version, CASE WHEN f.version = 1 THEN 'found' ELSE 'changed' END, f.status, v_by FROM found f
        UNION ALL
        SELECT e.id, e.version, CASE e.status WHEN 'OPEN' THEN 'changed' ELSE 'explained' END, e.status, v_by FROM ended e
        RETURNING 1
    )
    SELECT count(*) INTO noted FROM events;
    PERFORM set_config('daftari.door', '', true);
END
$function$;

-- ==== function: services.note_payment ====
CREATE OR REPLACE FUNCTION services.note_payment(p_id uuid, p_kind text, p_reason text DEFAULT NULL::text, p_result_code text DEFAULT NULL::text, p_receipt text DEFAULT NULL::text)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO services.mpesa_payment_events (payment_id, place, kind, status, reason, result_code, receipt)
    SELECT p.id, (SELECT count(*) + 1 FROM services.mpesa_payment_events e WHERE e.payment_id = p_id), p_kind, p.status, p_reason, p_result_code, p_receipt FROM services.mpesa_payments p WHERE p.id = p_id;
    PERFORM set_config('daftari.door', '', true);
END
$function$;

-- ==== function: services.note_payment_answer ====
CREATE OR REPLACE FUNCTION services.note_payment_answer(p_id uuid, p_attempt integer, p_answer text, p_reason text, p_result_code text, p_merchant_request_id text, p_checkout_request_id text, p_due_ms integer)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    p services.mpesa_payments;
BEGIN
    SELECT * INTO p FROM services.mpesa_payments x WHERE x.id = p_id FOR UPDATE;
    IF p.id IS NULL THEN
        RETURN;
    END IF;
    IF p_answer = 'ACCEPTED' THEN
        PERFORM services.name_payment(
            p_id => p_id, p_merchant_request_id => p_merchant_request_id, p_checkout_request_id => p_checkout_request_id
        );
        PERFORM services.change_payment(p_id => p_id, p_status => 'PENDING', p_due_ms => p_due_ms);
    ELSIF p.attempts <> p_attempt OR p.status NOT IN ('REQUESTED', 'UNKNOWN') OR p.checkout_request_id IS NOT NULL THEN
        NULL;
    ELSIF p_answer = 'LOST' THEN
        PERFORM services.change_payment(p_id => p_id, p_status => 'UNKNOWN', p_reason => p_reason);
    ELSIF p_answer = 'RETRY' AND p_due_ms IS NOT NULL THEN
        PERFORM services.change_payment(
            p_id => p_id, p_status => 'REQUESTED', p_reason => p_reason, p_result_code => p_result_code, p_due_ms => p_due_ms
        );
    ELSE
        PERFORM services.change_payment(
            p_id => p_id, p_status => 'FAILED', p_reason => p_reason, p_result_code => p_result_code
        );
    END IF;
    PERFORM services.note_payment(p_id => p_id, p_kind => p_answer, p_reason => p_reason, p_result_code => p_result_code);
END
$function$;

-- ==== function: services.note_payment_query ====
CREATE OR REPLACE FUNCTION services.note_payment_query(p_id uuid, p_verdict text, p_reason text, p_result_code text, p_due_ms integer)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    p         services.mpesa_payments;
    v_receipt text;
BEGIN
    SELECT * INTO p FROM services.mpesa_payments x WHERE x.id = p_id FOR UPDATE;
    IF p.id IS NULL OR p.status IN ('PAID', 'FAILED') THEN
        RETURN;
    END IF;
    IF p_verdict = 'FAILED' THEN
        PERFORM services.change_payment(
            p_id => p_id, p_status => 'FAILED', p_reason => p_reason, p_result_code => p_result_code
        );
        PERFORM services.note_payment(
            p_id => p_id, p_kind => 'FAILED', p_reason => p_reason, p_result_code => p_result_code
        );
        RETURN;
    END IF;
    IF p_verdict = 'CONFIRMED' THEN
        v_receipt := services.receipt_of_payment(p_id);
        IF v_receipt IS NOT NULL THEN
            PERFORM services.change_payment(
                p_id => p_id, p_status => 'PAID', p_result_code => p_result_code, p_receipt => v_receipt
            );
            PERFORM services.note_payment(
                p_id => p_id, p_kind => 'PAID', p_reason => 'matched', p_result_code => p_result_code,
                p_receipt => v_receipt
            );
            PERFORM services.flag_other_wallets(ARRAY[v_receipt]);
            RETURN;
        END IF;
    END IF;
    PERFORM services.change_payment(
        p_id => p_id, p_status => CASE WHEN p_due_ms IS NULL THEN 'UNKNOWN' ELSE p.status END,
        p_reason => CASE
            WHEN p_verdict = 'CONFIRMED' THEN 'paid_without_receipt'
            WHEN p_due_ms IS NULL THEN 'no_result'
            ELSE p.reason
        END,
        p_result_code => p_result_code, p_due_ms => p_due_ms
    );
    -- Of many questions without an answer the first and the last are enough.
    IF p_due_ms IS NULL OR p.checks = 1 OR p_verdict = 'CONFIRMED' AND p.reason IS DISTINCT FROM 'paid_without_receipt' THEN
        PERFORM services.note_payment(
            p_id => p_id, p_kind => CASE WHEN p_due_ms IS NULL THEN 'UNKNOWN' ELSE 'ASKED' END,
            p_reason => CASE WHEN p_verdict = 'CONFIRMED' THEN 'paid_without_receipt' ELSE p_reason END,
            p_result_code => p_result_code
        );
    END IF;
END
$function$;

-- ==== function: services.note_witnesses ====
CREATE OR REPLACE FUNCTION services.note_witnesses(p_receipts text[], p_outcomes text[], p_kinds text[], p_amounts numeric[], p_short_codes text[], p_accounts text[], p_phones text[], p_phone_hashes text[], p_names text[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET enable_nestloop TO 'on'
AS $function$
DECLARE
    v_named text[]; -- receipts of which a message names another wallet
BEGIN
    WITH told AS (
        INSERT INTO services.mpesa_witnesses (
            receipt, kind, amount, short_code, account, phone, phone_hash, payer_name, wallet_id
        )
        SELECT DISTINCT ON (t.receipt, t.kind)
               t.receipt, t.kind, t.amount, t.short_code, t.account, t.phone, t.phone_hash, t.name,
               nullif(coalesce(r.wallet_id, services.wallet_of_payment(
                   p_account => t.account, p_phone => t.phone, p_phone_hash => t.phone_hash
               )), core.account_of(x.credit_wallet_id))
          FROM unnest(
            p_receipts, p_outcomes, p_kinds, p_amounts, p_short_codes, p_accounts, p_phones, p_phone_hashes, p_names
          ) WITH ORDINALITY AS t (receipt, outcome, kind, amount, short_code, account, phone, phone_hash, name, ord)
          LEFT JOIN core.transactions x ON x.reference = t.receipt
         CROSS JOIN LATERAL core.route_account(t.account) AS r
         WHERE t.outcome IN ('duplicate', 'conflict') AND t.amount < 100000000000000000
           AND NOT EXISTS (
               SELECT FROM services.mpesa_callbacks c
                WHERE c.receipt = t.receipt AND c.kind = t.kind AND c.outcome IN ('CREDITED', 'SUSPENSE', 'HELD')
                  AND NOT EXISTS (
                      SELECT FROM services.mpesa_logs l
                       WHERE l.mpesa_receipt = t.receipt AND coalesce(l.account, '') <> coalesce(t.account, '')
                  )
           )
         ORDER BY t.receipt, t.kind, t.ord
        ON CONFLICT (receipt, kind) DO NOTHING
        RETURNING receipt, wallet_id
    )
    SELECT array_agg(DISTINCT told.receipt::text) INTO v_named FROM told WHERE told.wallet_id IS NOT NULL;
    IF v_named IS NOT NULL THEN
        PERFORM services.flag_other_wallets(v_named);
        -- Flagging has closed it, and the caller has more to write.
        PERFORM set_config('daftari.door', 'open', true);
    END IF;
END
$function$;

-- ==== function: services.post_mpesa_lines ====
CREATE OR REPLACE FUNCTION services.post_mpesa_lines(p_short_code text, p_from timestamp without time zone, p_to timestamp without time zone, p_after_at timestamp without time zone, p_after_id uuid, p_limit integer, OUT posted integer, OUT last_at timestamp without time zone, OUT last_id uuid)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    n            integer;
    v_ids        uuid[];
    v_times      timestamp[];
    v_references text[];
    v_types      text[];
    v_debits     text[];
    v_credits    text[];
    v_amounts    numeric[];
    v_narratives text[];
    v_outcomes   text[];
BEGIN
    SELECT count(*), array_agg(x.id), array_agg(x.completed_at), array_agg(x.reference), array_agg(x.type),
           array_agg(CASE WHEN x.withdrawn > 0 THEN x.other ELSE 'MPESA-FLOAT' END),
           array_agg(CASE WHEN x.withdrawn > 0 THEN 'MPESA-FLOAT' ELSE x.other END),
           array_agg(x.withdrawn + x.paid_in), array_agg(x.narrative)
      INTO n, v_ids, v_times, v_references, v_types, v_debits, v_credits, v_amounts, v_narratives
      FROM (
        SELECT l.id, l.completed_at, l.withdrawn, l.paid_in,
               CASE l.kind WHEN 'charge' THEN 'MC-' ELSE 'MS-' END || upper(replace(l.id::text, '-', '')) AS reference,
               CASE l.kind WHEN 'charge' THEN 'FEE' ELSE 'TRANSFER' END AS type,
               CASE l.kind WHEN 'charge' THEN 'CHARGES' ELSE 'BANK' END AS other,
               'M-PESA ' || l.kind || ' ' || l.receipt AS narrative
          FROM services.mpesa_statement_lines l
         WHERE l.short_code = p_short_code AND l.completed_at >= greatest(p_from, p_after_at) AND l.completed_at < p_to
           AND (p_after_at IS NULL OR (l.completed_at, l.id) > (p_after_at, p_after_id))
           AND l.kind IN ('charge', 'sweep') AND l.is_completed AND l.account_key = '' AND l.paid_in + l.withdrawn > 0
           AND NOT EXISTS (SELECT FROM services.mpesa_matches m WHERE m.line_id = l.id)
           -- A file without balances may show what another file shows with them: that is one charge, and two lines. They are
           -- found by the receipt: || keeps the planner, who knows nothing of the table right after an import, from reading
           -- all lines of the short code for each.
           AND NOT EXISTS (
               SELECT FROM services.mpesa_statement_lines o
                WHERE o.receipt = l.receipt AND o.short_code || '' = l.short_code AND o.account_key = '' AND o.kind = l.kind
                  AND o.is_completed AND o.paid_in = l.paid_in AND o.withdrawn = l.withdrawn
                  AND (o.balance IS NULL) <> (l.balance IS NULL)
                  AND (l.balance IS NULL OR EXISTS (SELECT FROM services.mpesa_matches m WHERE m.line_id = o.id))
           )
         ORDER BY l.completed_at, l.id
         LIMIT p_limit
      ) x;
    posted := 0;
    IF n = 0 THEN
        RETURN;
    END IF;
    IF n = p_limit THEN
        last_at := v_times[n];
        last_id := v_ids[n];
    END IF;

    SELECT p.outcomes INTO v_outcomes
      FROM core.post_transactions(
          p_references => v_references, p_types => v_types, p_debits => v_debits, p_credits => v_credits,
          p_fallbacks => NULL, p_amounts => v_amounts, p_currencies => array_fill('KES'::text, ARRAY[n]),
          p_narratives => v_narratives
      ) AS p;
    posted := cardinality(array_positions(v_outcomes, 'created'));
    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO services.mpesa_matches (line_id, transaction_id)
    SELECT x.line, t.id
      FROM unnest(v_ids, v_references) AS x (line, reference)
      JOIN core.transactions t ON t.reference = x.reference AND t.reference = ANY (v_references)
     ORDER BY x.line
    ON CONFLICT DO NOTHING;
    PERFORM set_config('daftari.door', '', true);
END
$function$;

-- ==== function: services.post_mpesa_reversal ====
CREATE OR REPLACE FUNCTION services.post_mpesa_reversal(p_line uuid, OUT outcome text, OUT recovered numeric, OUT owed numeric)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    l           services.mpesa_statement_lines;
    t           core.transactions;
    v_wallet    text;
    v_reference text;
    v_first     integer; -- of the two legs: 1 when something is recovered
    v_last      integer;
    v_post      record;
BEGIN
    outcome := 'left';
    recovered := 0;
    owed := 0;
    SELECT * INTO l FROM services.mpesa_statement_lines x WHERE x.id = p_line;
    SELECT d.* INTO t
      FROM core.transactions d
      JOIN services.mpesa_logs g ON g.mpesa_receipt = d.reference AND g.short_code = l.short_code
     WHERE d.reference = l.linked_receipt AND d.type = 'DEPOSIT';
    IF t.id IS NULL OR l.kind <> 'reversal' OR NOT l.is_completed OR l.withdrawn = 0 OR l.account_key <> '' THEN
        RETURN;
    END IF;

    SELECT coalesce(a.credit_wallet_id, t.credit_wallet_id) INTO v_wallet
      FROM core.current_assignment(t.reference) c
      LEFT JOIN core.transactions a ON a.reference = c.reference;
    PERFORM core.lock_wallets(ARRAY[v_wallet, t.debit_wallet_id::text, 'RECEIVABLES']);
    IF v_wallet IS DISTINCT FROM (
        SELECT coalesce(a.credit_wallet_id, t.credit_wallet_id)
          FROM core.current_assignment(t.reference) c
          LEFT JOIN core.transactions a ON a.reference = c.reference
    ) THEN
        RAISE EXCEPTION 'the payment was assigned meanwhile' USING ERRCODE = '40001';
    END IF;
    IF EXISTS (SELECT FROM services.mpesa_matches m WHERE m.line_id = p_line) THEN
        outcome := 'known';
        RETURN;
    END IF;
    IF core.remaining_of(t.id) < l.withdrawn THEN
        RETURN;
    END IF;

    SELECT CASE WHEN w.status = 'ACTIVE' THEN greatest(least(w.balance - w.held - w.min_balance, l.withdrawn), 0) ELSE 0 END
      INTO recovered
      FROM core.wallets w
     WHERE w.id = v_wallet;
    owed := l.withdrawn - recovered;
    v_first := CASE WHEN recovered > 0 THEN 1 ELSE 2 END;
    v_last := CASE WHEN owed > 0 THEN 2 ELSE 1 END;
    v_reference := 'RV-' || upper(replace(l.id::text, '-', ''));
    SELECT * INTO v_post FROM core.post_transactions(
        p_references => (ARRAY[v_reference, v_reference || '-R'])[v_first:v_last],
        p_types => (ARRAY['REVERSAL', 'REVERSAL'])[v_first:v_last],
        p_debits => (ARRAY[v_wallet, 'RECEIVABLES'])[v_first:v_last],
        p_credits => (ARRAY[t.debit_wallet_id::text, t.debit_wallet_id::text])[v_first:v_last],
        p_fallbacks => NULL, p_amounts => (ARRAY[recovered, owed])[v_first:v_last],
        p_currencies => (ARRAY[t.currency::text, t.currency::text])[v_first:v_last],
        p_reverses => (ARRAY[t.id, t.id])[v_first:v_last], p_groups => (ARRAY[1, 1])[v_first:v_last],
        p_narratives => (ARRAY['Reversed at M-PESA: ' || l.receipt, 'Reversed at M-PESA: ' || l.receipt])[v_first:v_last]
    );
    IF v_post.outcomes[1] <> 'created' THEN
        recovered := 0;
        owed := 0;
        RETURN;
    END IF;
    outcome := 'posted';
    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO services.mpesa_matches (line_id, transaction_id) VALUES (p_line, v_post.ids[1]);
    PERFORM set_config('daftari.door', '', true);
END
$function$;

-- ==== function: services.queue_change_webhook ====
CREATE OR REPLACE FUNCTION services.queue_change_webhook(p_receipt text, p_outcome text, p_amount numeric, p_currency text, p_wallet text, p_from text, p_reference text, p_reason text, p_at timestamp without time zone)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
DECLARE
    v_data jsonb;
BEGIN
    SELECT jsonb_build_object(
               'receipt', p_receipt, 'outcome', p_outcome, 'amount', round(p_amount, 2)::text, 'currency', p_currency,
               'wallet', p_wallet, 'from', p_from, 'reference', p_reference, 'reason', p_reason,
               -- What a correction added can be sent back, too.
               'remaining', (
                   SELECT round(sum(core.remaining_of(t.id)), 2)::text
                     FROM core.transactions t
                    WHERE t.reference IN (p_receipt, 'CR-' || p_receipt) AND t.type = 'DEPOSIT'
               ),
               'shortCode', l.short_code, 'paidAt', services.webhook_time(l.paid_at),
               'recordedAt', services.webhook_time(p_at)
           )
      INTO v_data
      -- A payment from before the ledger has no log.
      FROM (SELECT) AS one
      LEFT JOIN services.mpesa_logs l ON l.mpesa_receipt = p_receipt;
    PERFORM services.queue_webhooks(p_types => ARRAY['deposit.' || p_outcome], p_data => ARRAY[v_data]);
END
$function$;

-- ==== function: services.queue_deposit_sms ====
CREATE OR REPLACE FUNCTION services.queue_deposit_sms(p_now timestamp without time zone, p_ids uuid[], p_receipts text[], p_amounts numeric[], p_payer_phones text[], p_phone_hashes text[], p_payer_names text[], p_holder_phones text[], p_languages text[], p_credited text[], p_balances numeric[], p_lanes smallint[])
 RETURNS void
 LANGUAGE plpgsql
AS $function$
BEGIN
    INSERT INTO services.sms_logs (
        id, recipient, recipient_hash, message, status, phase, error_code, error_message, created_at, next_attempt_at,
        transaction_reference, template, language, lane
    )
    SELECT t.id, CASE WHEN t.is_number THEN t.recipient END, CASE WHEN t.is_hash THEN t.phone_hash END,
           services.sms_text(
               p_formats => m.formats, p_language => t.language, p_reference => t.receipt, p_amount => t.amount,
               p_currency => 'KES', p_wallet => t.credited, p_name => services.sms_name(t.payer_name),
               p_balance => CASE WHEN t.template = 'deposit' THEN t.balance END
           ),
           CASE WHEN t.is_number OR t.is_hash THEN 'PENDING' ELSE 'FAILED' END,
           CASE WHEN t.is_number OR t.is_hash THEN 'QUEUED' ELSE 'DONE' END,
           CASE WHEN t.is_number OR t.is_hash THEN NULL ELSE 'masked_number' END,
           CASE
               WHEN t.is_number OR t.is_hash THEN NULL
               ELSE 'M-PESA masked the payer''s number, so we cannot notify them. The money stays in suspense until they contact us.'
           END,
           p_now, p_now, t.receipt, t.template, t.language, t.lane
      FROM (
        SELECT r.*,
               -- A holder's number was checked when it was written.
               r.template = 'deposit' AND r.recipient IS NOT NULL
                   OR coalesce(r.recipient ~ '^[0-9]{9,15}$', false) AS is_number,
               r.recipient IS NULL AND length(r.phone_hash) = 64 AS is_hash
          FROM (
            SELECT p_ids[i] AS id, p_receipts[i] AS receipt, p_amounts[i] AS amount, p_credited[i] AS credited,
                   p_balances[i] AS balance, p_phone_hashes[i] AS phone_hash, p_payer_names[i] AS payer_name,
                   p_lanes[i] AS lane,
                   CASE WHEN p_credited[i] = 'SUSPENSE' THEN 'deposit_suspense' ELSE 'deposit' END AS template,
                   CASE WHEN p_credited[i] = 'SUSPENSE' THEN 'en' ELSE p_languages[i] END AS language,
                   CASE
                       WHEN p_credited[i] <> 'SUSPENSE' THEN p_holder_phones[i]
                       WHEN p_payer_phones[i] IS NULL AND p_phone_hashes[i] IS NOT NULL
                           THEN core.phone_of_hash(p_phone_hashes[i])
                       ELSE p_payer_phones[i]
                   END AS recipient
              FROM generate_series(1, cardinality(p_ids)) AS i
             WHERE p_ids[i] IS NOT NULL
             OFFSET 0 -- Each expression is worked out once a message.
          ) r
      ) t
      LEFT JOIN services.sms_templates m
        ON m.key = t.template AND m.language = t.language AND m.key IN ('deposit', 'deposit_suspense')
     WHERE t.recipient IS NOT NULL OR t.phone_hash IS NOT NULL;
END
$function$;

-- ==== function: services.queue_deposit_webhooks ====
CREATE OR REPLACE FUNCTION services.queue_deposit_webhooks(p_receipts text[], p_amounts numeric[], p_short_codes text[], p_paid_at timestamp without time zone[], p_outcomes text[], p_wallets text[], p_door_reasons text[], p_reasons text[], p_now timestamp without time zone)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
DECLARE
    v_types text[];
    v_data  jsonb[];
BEGIN
    SELECT array_agg('deposit.' || d.outcome ORDER BY d.ord),
           array_agg(jsonb_build_object(
               'receipt', d.receipt, 'outcome', d.outcome, 'amount', d.amount, 'currency', 'KES',
               'wallet', CASE WHEN d.outcome = 'credited' THEN d.wallet END,
               'reference', CASE WHEN d.outcome IN ('credited', 'suspense') THEN d.receipt END,
               'reason', CASE
                   WHEN d.outcome = 'held' THEN 'above_limit'
                   WHEN d.outcome = 'refused' AND d.receipt IS NULL THEN 'invalid_receipt'
                   WHEN d.outcome IN ('refused', 'suspense') THEN d.reason
               END,
               'shortCode', d.short_code, 'paidAt', services.webhook_time(d.paid_at),
               'recordedAt', services.webhook_time(p_now)
           ) ORDER BY d.ord)
      INTO v_types, v_data
      FROM (
        SELECT t.*, coalesce(t.door_reason, t.route_reason) AS reason,
               CASE WHEN round(t.sum, 2) = t.sum THEN round(t.sum, 2) ELSE t.sum END::text AS amount,
               CASE
                   WHEN t.became = 'created' AND t.wallet = 'SUSPENSE' THEN 'suspense'
                   WHEN t.became = 'created' THEN 'credited'
                   ELSE t.became
               END AS outcome
          FROM unnest(
            p_receipts, p_amounts, p_short_codes, p_paid_at, p_outcomes, p_wallets, p_door_reasons, p_reasons
          ) WITH ORDINALITY AS t (receipt, sum, short_code, paid_at, became, wallet, door_reason, route_reason, ord)
         WHERE t.became <> 'duplicate'
      ) d;
    PERFORM services.queue_webhooks(p_types => v_types, p_data => v_data);
END
$function$;

-- ==== function: services.queue_movement_sms ====
CREATE OR REPLACE FUNCTION services.queue_movement_sms(p_templates text[], p_wallets text[], p_references text[], p_amounts numeric[], p_currencies text[], p_others text[], p_balances numeric[], p_reasons text[] DEFAULT NULL::text[], p_priorities smallint[] DEFAULT NULL::smallint[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
 SET enable_nestloop TO 'off'
 SET jit TO 'off'
AS $function$
DECLARE
    v_now   constant timestamp := date_trunc('milliseconds', clock_timestamp() AT TIME ZONE 'UTC');
    v_ms    constant bigint := (extract(epoch FROM v_now) * 1000)::bigint;
    v_all   constant text[] := p_wallets || p_others;
    v_told  bigint[]; -- which elements are refusals that are told
    v_door  text;
BEGIN
    IF 'transfer_refused' = ANY (p_templates) THEN
        -- A caller that has opened the door has more to write.
        v_door := coalesce(current_setting('daftari.door', true), '');
        PERFORM set_config('daftari.door', 'open', true);
        -- The first batch locks the row of a wallet; the next one sees what it wrote. In order of wallets, so that
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
        PERFORM set_config('daftari.door', v_door, true);
    END IF;

    WITH party AS MATERIALIZED (
        SELECT w.id::text, w.kind, w.phone, w.holder_name, w.language::text, w.status, w.lane
          FROM core.wallets w
         WHERE w.id = ANY (v_all)
    ), wording AS MATERIALIZED (
        SELECT m.key::text, m.language::text, m.formats FROM services.sms_templates m WHERE m.key = ANY (p_templates)
    )
    INSERT INTO services.sms_logs (
        id, recipient, message, status, created_at, next_attempt_at, transaction_reference, template, language, priority,
        lane
    )
    SELECT core.uuid_v7(p_milliseconds => v_ms, p_sequence => t.ord::integer & 4095), p.phone,
           services.sms_text(
               p_formats => m.formats, p_language => p.language, p_reference => t.reference, p_amount => t.amount,
               p_currency => t.currency, p_wallet => t.wallet,
               p_name => CASE
                   WHEN t.reason IS NULL AND o.kind = 'CUSTOMER' THEN services.sms_name(o.holder_name)
                   ELSE core.account_of(t.other)
               END,
               p_balance => t.balance,
               p_reason => CASE WHEN t.reason LIKE 'wallet\_%' AND p.status <> 'ACTIVE' THEN 'own_wallet' ELSE t.reason END
           ),
           'PENDING', v_now, v_now, t.reference, t.template, p.language, coalesce(t.priority, 0), p.lane
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
$function$;

-- ==== function: services.queue_payment_webhook ====
CREATE OR REPLACE FUNCTION services.queue_payment_webhook(p_id uuid)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
DECLARE
    v_type text;
    v_data jsonb;
BEGIN
    IF NOT EXISTS (SELECT FROM services.webhooks w WHERE w.status = 'ACTIVE') THEN
        RETURN;
    END IF;
    SELECT 'payment.' || lower(p.status), jsonb_build_object(
               'payment', p.id, 'outcome', lower(p.status), 'amount', p.amount::text, 'currency', 'KES',
               'wallet', p.wallet_id, 'reference', p.reference, 'receipt', p.receipt, 'reason', p.reason,
               'shortCode', p.short_code, 'requestedAt', services.webhook_time(p.created_at),
               'recordedAt', services.webhook_time(p.updated_at)
           )
      INTO v_type, v_data
      FROM services.mpesa_payments p
     WHERE p.id = p_id;
    PERFORM services.queue_webhooks(p_types => ARRAY[v_type], p_data => ARRAY[v_data]);
END
$function$;

-- ==== function: services.queue_webhooks ====
CREATE OR REPLACE FUNCTION services.queue_webhooks(p_types text[], p_data jsonb[])
 RETURNS void
 LANGUAGE plpgsql
AS $function$
DECLARE
    v_now  constant timestamp := date_trunc('milliseconds', clock_timestamp() AT TIME ZONE 'UTC');
    v_ms   constant bigint := (extract(epoch FROM v_now) * 1000)::bigint;
    v_door constant text := coalesce(current_setting('daftari.door', true), '');
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    WITH wanted AS (
        SELECT core.uuid_v7(p_milliseconds => v_ms, p_sequence => (t.ord & 4095)::integer) AS id, t.type, t.data, w.ids
          FROM unnest(p_types, p_data) WITH ORDINALITY AS t (type, data, ord)
         CROSS JOIN LATERAL (
            SELECT array_agg(x.id) AS ids FROM services.webhooks x WHERE x.status = 'ACTIVE' AND t.type = ANY (x.events)
         ) w
         WHERE w.ids IS NOT NULL
    ), event AS (
        INSERT INTO services.webhook_events (id, type, data, created_at)
        SELECT x.id, x.type, x.data, v_now FROM wanted x
    )
    INSERT INTO services.webhook_deliveries (event_id, webhook_id, due_at, created_at)
    SELECT x.id, w.id, v_now, v_now FROM wanted x CROSS JOIN LATERAL unnest(x.ids) AS w (id);
    PERFORM set_config('daftari.door', v_door, true);
END
$function$;

-- ==== function: services.receipt_of_payment ====
CREATE OR REPLACE FUNCTION services.receipt_of_payment(p_id uuid)
 RETURNS text
 LANGUAGE sql
 STABLE
AS $function$
    SELECT min(l.mpesa_receipt)
      FROM services.mpesa_payments p
      JOIN core.transactions t
        ON t.credit_wallet_id = p.wallet_id AND t.type = 'DEPOSIT' AND t.amount = p.amount
       AND t.created_at >= p.created_at
      JOIN services.mpesa_logs l ON l.mpesa_receipt = t.reference
     WHERE p.id = p_id
       AND l.short_code = p.short_code
       AND l.paid_at BETWEEN p.created_at - interval '2 minutes' AND p.created_at + interval '1 hour'
       AND services.may_be_phone(p_phone => p.phone, p_told => l.phone, p_hash => l.phone_hash)
       AND NOT EXISTS (SELECT FROM services.mpesa_payments o WHERE o.receipt = l.mpesa_receipt)
       AND NOT EXISTS (
           SELECT FROM services.mpesa_payments o
            WHERE o.wallet_id = p.wallet_id AND o.amount = p.amount AND o.id <> p.id AND o.receipt IS NULL
              AND o.status IN ('REQUESTED', 'PENDING', 'UNKNOWN')
              AND o.created_at BETWEEN p.created_at - interval '1 hour' AND p.created_at + interval '1 hour'
       )
    HAVING count(*) = 1
$function$;

-- ==== function: services.record_delivery_report ====
CREATE OR REPLACE FUNCTION services.record_delivery_report(p_provider text, p_message_id text, p_state text, p_status text, p_reason text, p_explanation text, p_network text, p_retry_count integer, p_phone text, p_body bytea)
 RETURNS TABLE(id uuid, outcome text, sms_id uuid)
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
 SET jit TO 'off'
AS $function$
#variable_conflict use_column
DECLARE
    v_message_id constant text := nullif(left(btrim(p_message_id), 255), '');
    v_status     constant text := nullif(left(btrim(p_status), 50), '');
    v_reason     constant text := nullif(left(btrim(p_reason), 100), '');
    v_digits     constant text := regexp_replace(p_phone, '[[:space:]-]', '', 'g');
    -- A masked number says nothing.
    v_phone      constant text := coalesce(core.normalize_phone(v_digits), substring(v_digits FROM '^\+?([0-9]{3,15})$'));
    v_ids        uuid[];
    v_candidates bigint;
    l            services.sms_logs;
BEGIN
    id := core.new_id();
    IF v_message_id IS NULL OR v_status IS NULL OR p_state IS NULL THEN
        outcome := 'QUARANTINED';
    ELSE
        PERFORM services.lock_message_ids(p_message_ids => ARRAY[v_message_id], p_exclusive => true);
        SELECT count(*),
               array_agg(s.id) FILTER (WHERE v_phone IS NULL OR s.recipient IS NULL OR s.recipient = v_phone)
          INTO v_candidates, v_ids
          FROM services.sms_logs s
         WHERE s.provider_message_id = v_message_id AND s.provider = p_provider;
        IF array_length(v_ids, 1) = 1 THEN
            SELECT s.* INTO l
              FROM services.sms_logs s
             WHERE s.id = v_ids[1] AND s.provider_message_id = v_message_id
               FOR NO KEY UPDATE;
        END IF;
        sms_id := l.id;
        outcome := CASE
            WHEN l.id IS NULL AND v_candidates = 0 THEN 'PARKED'
            WHEN v_ids IS NULL THEN 'MISMATCHED'
            WHEN array_length(v_ids, 1) > 1 THEN 'AMBIGUOUS'
            -- It has gone out again under another id while we waited for it.
            WHEN l.id IS NULL THEN 'PARKED'
            WHEN l.delivery_state IS NULL
                 OR (services.delivery_rank(p_state), v_status COLLATE "C", coalesce(v_reason, '') COLLATE "C")
                    > (
                        services.delivery_rank(l.delivery_state), l.delivery_status COLLATE "C",
                        coalesce(l.delivery_reason, '') COLLATE "C"
                    )
                THEN 'APPLIED'
            ELSE 'STALE'
        END;
    END IF;

    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO services.sms_delivery_reports (
        id, provider, provider_message_id, state, status, reason, explanation, network, retry_count, phone, sms_id,
        outcome, body, received_at
    )
    VALUES (
        id, p_provider, v_message_id, p_state, v_status, v_reason, nullif(left(btrim(p_explanation), 200), ''),
        nullif(left(btrim(p_network), 20), ''), p_retry_count, v_phone, sms_id, outcome, p_body,
        clock_timestamp() AT TIME ZONE 'UTC'
    );
    PERFORM set_config('daftari.door', '', true);
    -- A report that changes nothing else may still name the network.
    IF outcome IN ('APPLIED', 'STALE') THEN
        PERFORM services.fold_delivery(ARRAY[l.id]);
    END IF;
    RETURN NEXT;
END
$function$;

-- ==== function: services.record_deposits ====
CREATE OR REPLACE FUNCTION services.record_deposits(p_receipts text[], p_amounts numeric[], p_short_codes text[], p_accounts text[], p_paid_at timestamp without time zone[], p_phones text[], p_phone_hashes text[], p_names text[], p_payloads text[], p_kinds text[], p_sources text[], p_body_starts integer[], p_body_lengths integer[], p_bodies bytea, p_max_amount numeric DEFAULT NULL::numeric, p_is_release boolean DEFAULT false)
 RETURNS TABLE(ord integer, outcome text, original text, reason text, suggestions text, wallet text, transaction_id uuid, amount numeric, balance_after numeric, created_at timestamp without time zone, verification_hash text, recorded_short_code text)
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
 SET enable_nestloop TO 'off'
 SET jit TO 'off'
AS $function$
#variable_conflict use_column
DECLARE
    n             constant integer := coalesce(array_length(p_receipts, 1), 0);
    c_suspense    constant text := 'SUSPENSE';
    v_max         constant numeric := least(
        CASE WHEN NOT p_is_release THEN coalesce(p_max_amount, 10000000) END, 1000000000000
    );
    v_now         timestamp;
    v_ms          bigint;
    v_targets     text[];
    v_reasons     text[];
    v_suggestions text[]; -- wallet numbers joined by commas, NULL for none
    v_phones      text[]; -- of the wallets' holders
    v_languages   text[];
    v_lanes       smallint[];
    v_floats      text[];
    v_suspenses   text[];
    v_receipts    text[]; -- and what follows: see services.screen_deposits
    v_amounts     numeric[];
    v_logged      text[];
    v_is_plain    boolean;
    v_ids         uuid[]; -- and what follows: what the door answered
    v_accounts    text[]; -- whom the money was credited to
    v_balances    numeric[];
    v_hashes      text[];
    v_door_reasons text[];
    v_held        uuid[]; -- for what is held, the id of its rows
    v_outcomes    text[];
BEGIN
    -- ---- 1. Routing: the wallet that each account means ----

    -- Nearly all accounts are a wallet's number exactly; only for a batch with another one are the other ways tried. The
    -- float pays from the stripe of the lane that the payment goes to.
    SELECT array_agg(w.id::text ORDER BY t.ord), array_agg(w.phone::text ORDER BY t.ord),
           array_agg(w.language::text ORDER BY t.ord), array_agg(w.lane ORDER BY t.ord),
           array_agg(core.stripe_of(p_account => 'MPESA-FLOAT', p_lane => w.lane) ORDER BY t.ord),
           array_agg(core.stripe_of(p_account => c_suspense, p_lane => w.lane) ORDER BY t.ord)
      INTO v_targets, v_phones, v_languages, v_lanes, v_floats, v_suspenses
      FROM unnest(p_accounts) WITH ORDINALITY AS t (account, ord)
      LEFT JOIN core.wallets w ON w.id = t.account AND w.kind = 'CUSTOMER' AND w.id = ANY (p_accounts);
    IF array_position(v_targets, NULL) IS NOT NULL THEN
        SELECT r.wallets, r.phones, r.reasons, r.suggestions
          INTO v_targets, v_phones, v_reasons, v_suggestions
          FROM core.route_accounts(p_accounts => p_accounts, p_payers => p_phones, p_hashes => p_phone_hashes) AS r;
        -- What finds no wallet waits in suspense, in the lane of the account that was typed.
        SELECT array_agg(coalesce(t.wallet, core.stripe_of(p_account => c_suspense, p_lane => t.lane)) ORDER BY t.ord),
               array_agg(t.language ORDER BY t.ord), array_agg(t.lane ORDER BY t.ord),
               array_agg(core.stripe_of(p_account => 'MPESA-FLOAT', p_lane => t.lane) ORDER BY t.ord),
               array_agg(core.stripe_of(p_account => c_suspense, p_lane => t.lane) ORDER BY t.ord)
          INTO v_targets, v_languages, v_lanes, v_floats, v_suspenses
          FROM (
            SELECT i.wallet, w.language::text AS language, coalesce(w.lane, core.lane_of(coalesce(i.account, ''))) AS lane,
                   i.ord
              FROM unnest(v_targets, p_accounts) WITH ORDINALITY AS i (wallet, account, ord)
              LEFT JOIN core.wallets w ON w.id = i.wallet AND w.id = ANY (v_targets)
          ) t;
    END IF;

    -- ---- 2. Posting: what may be posted goes through the door ----

    SELECT s.receipts, s.amounts, s.logged, s.is_plain
      INTO v_receipts, v_amounts, v_logged, v_is_plain
      FROM services.screen_deposits(
        p_receipts => p_receipts, p_amounts => p_amounts, p_max => v_max, p_is_release => p_is_release
      ) AS s;
    SELECT d.ids, d.outcomes, d.reasons, d.credited, d.credit_balances, d.hashes, d.posted_at
      INTO v_ids, v_outcomes, v_door_reasons, v_accounts, v_balances, v_hashes, v_now
      FROM core.post_transactions(
        p_references => p_receipts, p_types => array_fill('DEPOSIT'::text, ARRAY[n]),
        p_debits => v_floats, p_credits => v_targets,
        p_fallbacks => v_suspenses, p_amounts => v_amounts,
        p_currencies => array_fill('KES'::text, ARRAY[n])
      ) AS d;
    -- Money in suspense has a reason to be there.
    IF v_reasons IS NOT NULL OR array_remove(v_door_reasons, NULL) <> '{}' THEN
        SELECT array_agg(core.account_of(t.wallet) ORDER BY t.ord)
          INTO v_accounts
          FROM unnest(v_accounts) WITH ORDINALITY AS t (wallet, ord);
    END IF;
    v_ms := (extract(epoch FROM v_now) * 1000)::bigint;
    IF NOT v_is_plain THEN
        -- The first of a receipt that is nowhere, if its amount is one that the column holds.
        SELECT array_agg(
                   CASE
                       WHEN t.outcome = 'refused' AND t.amount > v_max AND t.amount < 100000000000000000
                            AND t.amount = round(t.amount, 2) AND t.is_first AND t.receipt IS NOT NULL
                            AND (t.receipt = ANY (v_logged)) IS NOT TRUE AND NOT p_is_release
                           THEN core.uuid_v7(p_milliseconds => v_ms, p_sequence => (t.ord & 4095)::integer)
                   END ORDER BY t.ord
               )
          INTO v_held
          FROM (
            SELECT i.*, row_number() OVER (PARTITION BY i.receipt ORDER BY i.ord) = 1 AS is_first
              FROM unnest(v_receipts, p_amounts, v_outcomes) WITH ORDINALITY AS i (receipt, amount, outcome, ord)
          ) t;
    END IF;

    -- ---- 3. The log, and the messages ----

    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO services.mpesa_logs (
        id, mpesa_receipt, phone, amount, raw_payload, created_at,
        short_code, account, paid_at, phone_hash, payer_name, outcome, reason, suggestions, wallet_id, lane
    )
    SELECT coalesce(v_ids[i], v_held[i]), p_receipts[i],
           CASE
               WHEN p_phones[i] IS NULL AND p_phone_hashes[i] IS NOT NULL THEN core.phone_of_hash(p_phone_hashes[i])
               ELSE p_phones[i]
           END,
           p_amounts[i],
           coalesce(p_payloads[i], convert_from(substr(p_bodies, p_body_starts[i], p_body_lengths[i]), 'UTF8'))::jsonb,
           v_now, p_short_codes[i], p_accounts[i], p_paid_at[i], p_phone_hashes[i], p_names[i],
           CASE
               WHEN v_held[i] IS NOT NULL THEN 'HELD'
               WHEN v_accounts[i] = c_suspense THEN 'SUSPENSE'
               ELSE 'CREDITED'
           END,
           CASE
               WHEN v_held[i] IS NOT NULL THEN 'above_limit'
               WHEN v_accounts[i] = c_suspense THEN coalesce(v_door_reasons[i], v_reasons[i])
           END,
           CASE WHEN v_suggestions[i] IS NULL THEN '{}' ELSE string_to_array(v_suggestions[i], ',') END,
           v_accounts[i], v_lanes[i]
      FROM generate_series(1, n) AS i
     WHERE (v_ids[i] IS NOT NULL OR v_held[i] IS NOT NULL) AND NOT p_is_release;

    PERFORM services.queue_deposit_sms(
        p_now => v_now, p_ids => v_ids, p_receipts => p_receipts, p_amounts => p_amounts,
        p_payer_phones => p_phones, p_phone_hashes => p_phone_hashes, p_payer_names => p_names,
        p_holder_phones => v_phones, p_languages => v_languages,
        p_credited => v_accounts, p_balances => v_balances, p_lanes => v_lanes
    );

    -- ---- 4. The inbox: what each payment became ----

    IF 'exists' = ANY (v_outcomes) OR 'exists_different' = ANY (v_outcomes) OR NOT v_is_plain THEN
        v_outcomes := services.compare_deposits(
            p_receipts => v_receipts, p_amounts => p_amounts, p_short_codes => p_short_codes,
            p_outcomes => v_outcomes, p_held => v_held, p_logged => v_logged
        );
    END IF;
    INSERT INTO services.mpesa_callbacks (
        id, kind, receipt, outcome, error, source, body, received_at, amount, short_code, lane
    )
    SELECT coalesce(v_ids[i], v_held[i], core.uuid_v7(p_milliseconds => v_ms, p_sequence => i & 4095)),
           p_kinds[i], v_receipts[i],
           CASE
               WHEN v_outcomes[i] = 'created' AND v_accounts[i] = c_suspense THEN 'SUSPENSE'
               WHEN v_outcomes[i] = 'created' THEN 'CREDITED'
               WHEN v_outcomes[i] = 'refused' THEN 'FAILED'
               ELSE upper(v_outcomes[i])
           END,
           CASE
               WHEN v_held[i] IS NOT NULL THEN 'above_limit'
               WHEN v_outcomes[i] = 'refused' AND v_receipts[i] IS NULL THEN 'invalid_receipt'
               WHEN v_outcomes[i] = 'refused' THEN v_door_reasons[i]
               WHEN v_accounts[i] = c_suspense THEN coalesce(v_door_reasons[i], v_reasons[i])
           END,
           p_sources[i], substr(p_bodies, p_body_starts[i], p_body_lengths[i]), v_now,
           -- What is recorded of the receipt is not what this message said.
           CASE WHEN v_outcomes[i] = 'conflict' THEN p_amounts[i] END,
           CASE WHEN v_outcomes[i] = 'conflict' THEN p_short_codes[i] END,
           v_lanes[i]
      FROM generate_series(1, n) AS i;
    PERFORM services.follow_deposits(
        p_receipts => v_receipts, p_ids => v_ids, p_outcomes => v_outcomes, p_kinds => p_kinds, p_amounts => p_amounts,
        p_short_codes => p_short_codes, p_accounts => p_accounts, p_paid_at => p_paid_at, p_phones => p_phones,
        p_phone_hashes => p_phone_hashes, p_names => p_names, p_wallets => v_accounts,
        p_door_reasons => v_door_reasons, p_reasons => v_reasons, p_now => v_now
    );
    PERFORM set_config('daftari.door', '', true);

    -- ---- 5. The answer ----

    RETURN QUERY
    SELECT i,
           CASE
               WHEN v_ids[i] IS NULL THEN v_outcomes[i]
               WHEN v_accounts[i] = c_suspense THEN 'suspense'
               ELSE 'credited'
           END,
           NULL,
           CASE
               WHEN v_outcomes[i] = 'held' THEN 'above_limit'
               WHEN v_outcomes[i] = 'refused' AND v_receipts[i] IS NULL THEN 'invalid_receipt'
               ELSE coalesce(v_door_reasons[i], v_reasons[i])
           END,
           v_suggestions[i], v_accounts[i], v_ids[i], p_amounts[i], v_balances[i], v_now, v_hashes[i], p_short_codes[i]
      FROM generate_series(1, n) AS i
     WHERE v_outcomes[i] IN ('created', 'refused', 'held');

    IF 'duplicate' = ANY (v_outcomes) OR 'conflict' = ANY (v_outcomes) THEN
        RETURN QUERY
        SELECT t.ord::integer, t.outcome,
               CASE
                   WHEN x.id IS NULL THEN lower(l.outcome)
                   WHEN core.account_of(x.credit_wallet_id) = c_suspense THEN 'suspense'
                   ELSE 'credited'
               END,
               l.reason::text, array_to_string(l.suggestions, ','),
               core.account_of(x.credit_wallet_id), x.id, coalesce(x.amount, l.amount), x.credit_balance_after,
               x.created_at::timestamp, x.verification_hash::text, l.short_code::text
          FROM unnest(p_receipts, v_outcomes) WITH ORDINALITY AS t (receipt, outcome, ord)
          LEFT JOIN core.transactions x ON x.reference = t.receipt AND x.reference = ANY (p_receipts)
          LEFT JOIN services.mpesa_logs l ON l.mpesa_receipt = t.receipt AND l.mpesa_receipt = ANY (p_receipts)
         WHERE t.outcome IN ('duplicate', 'conflict');
    END IF;
END
$function$;

-- ==== function: services.record_mpesa_reconciliation ====
CREATE OR REPLACE FUNCTION services.record_mpesa_reconciliation(p_id uuid, p_short_code text, p_from timestamp without time zone, p_to timestamp without time zone, p_report text, p_healed integer, p_by text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO services.mpesa_reconciliations (id, short_code, from_at, to_at, report)
    VALUES (p_id, p_short_code, p_from, p_to, p_report)
    ON CONFLICT (id) DO NOTHING;
    INSERT INTO services.mpesa_reconciliation_runs (reconciliation_id, healed, run_by)
    VALUES (p_id, p_healed, coalesce(p_by, session_user));
    PERFORM set_config('daftari.door', '', true);
END
$function$;

-- ==== function: services.record_opt_out ====
CREATE OR REPLACE FUNCTION services.record_opt_out(p_number text, p_sender_id text DEFAULT ''::text)
 RETURNS boolean
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    v_number constant text := coalesce(core.normalize_phone(p_number), ltrim(p_number, '+'));
    v_is_new boolean;
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO services.sms_opt_outs (number, sender_id, number_hash)
    VALUES (v_number, p_sender_id, encode(sha256(v_number::bytea), 'hex'))
    ON CONFLICT DO NOTHING;
    v_is_new := FOUND;
    PERFORM set_config('daftari.door', '', true);
    RETURN v_is_new;
END
$function$;

-- ==== function: services.record_payment_failure ====
CREATE OR REPLACE FUNCTION services.record_payment_failure(p_id uuid, p_kind text, p_source text, p_body bytea, p_reason text, p_result_code text, p_merchant_request_id text, p_checkout_request_id text)
 RETURNS text
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    v_status text;
BEGIN
    PERFORM FROM services.mpesa_payments x WHERE x.id = p_id FOR UPDATE;
    PERFORM services.store_callback(
        p_kind => p_kind, p_receipt => NULL, p_outcome => 'NOTED', p_error => p_reason, p_source => p_source, p_body => p_body
    );
    PERFORM services.name_payment(
        p_id => p_id, p_merchant_request_id => p_merchant_request_id, p_checkout_request_id => p_checkout_request_id
    );
    IF services.change_payment(
        p_id => p_id, p_status => 'FAILED', p_reason => p_reason, p_result_code => p_result_code
    ) THEN
        PERFORM services.note_payment(
            p_id => p_id, p_kind => 'FAILED', p_reason => p_reason, p_result_code => p_result_code
        );
    END IF;
    SELECT x.status INTO v_status FROM services.mpesa_payments x WHERE x.id = p_id;
    RETURN v_status;
END
$function$;

-- ==== function: services.record_payments ====
CREATE OR REPLACE FUNCTION services.record_payments(p_payments uuid[], p_merchants text[], p_checkouts text[], p_receipts text[], p_amounts numeric[], p_short_codes text[], p_accounts text[], p_paid_at timestamp without time zone[], p_phones text[], p_phone_hashes text[], p_names text[], p_payloads text[], p_kinds text[], p_sources text[], p_body_starts integer[], p_body_lengths integer[], p_bodies bytea, p_max_amount numeric DEFAULT NULL::numeric)
 RETURNS TABLE(ord integer, outcome text, original text, reason text, suggestions text, wallet text, transaction_id uuid, amount numeric, balance_after numeric, created_at timestamp without time zone, verification_hash text, recorded_short_code text)
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    r record;
BEGIN
    FOR r IN
        SELECT d.* FROM services.record_deposits(
            p_receipts => p_receipts, p_amounts => p_amounts, p_short_codes => p_short_codes, p_accounts => p_accounts,
            p_paid_at => p_paid_at, p_phones => p_phones, p_phone_hashes => p_phone_hashes, p_names => p_names,
            p_payloads => p_payloads, p_kinds => p_kinds, p_sources => p_sources, p_body_starts => p_body_starts,
            p_body_lengths => p_body_lengths, p_bodies => p_bodies, p_max_amount => p_max_amount
        ) AS d
         ORDER BY d.ord
    LOOP
        IF p_payments[r.ord] IS NOT NULL THEN
            PERFORM services.settle_payment(
                p_id => p_payments[r.ord], p_receipt => p_receipts[r.ord], p_outcome => r.outcome,
                p_original => r.original, p_merchant_request_id => p_merchants[r.ord],
                p_checkout_request_id => p_checkouts[r.ord]
            );
        END IF;
        PERFORM services.close_inquiry(p_receipt => p_receipts[r.ord], p_status => 'PROVED', p_reason => r.outcome);
        ord := r.ord; outcome := r.outcome; original := r.original; reason := r.reason; suggestions := r.suggestions;
        wallet := r.wallet; transaction_id := r.transaction_id; amount := r.amount; balance_after := r.balance_after;
        created_at := r.created_at; verification_hash := r.verification_hash;
        recorded_short_code := r.recorded_short_code;
        RETURN NEXT;
    END LOOP;
END
$function$;

-- ==== function: services.record_transfers ====
CREATE OR REPLACE FUNCTION services.record_transfers(p_keys text[], p_digests text[], p_references text[], p_debits text[], p_credits text[], p_amounts numeric[], p_currencies text[], p_narratives text[], p_notify boolean[])
 RETURNS TABLE(ord integer, outcome text, reason text, reference text, transaction_id uuid, amount numeric, fee numeric, balance_after numeric, created_at timestamp without time zone, verification_hash text)
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET jit TO 'off'
AS $function$
#variable_conflict use_column
DECLARE
    v_done record;
    v_news record;
BEGIN
    SELECT *
      INTO v_done
      FROM core.record_transfers(
          p_keys => p_keys, p_digests => p_digests, p_references => p_references, p_debits => p_debits,
          p_credits => p_credits, p_amounts => p_amounts, p_currencies => p_currencies, p_narratives => p_narratives
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
                p_templates => v_news.templates, p_wallets => v_news.wallets, p_references => v_news.refs,
                p_amounts => v_news.amounts, p_currencies => v_news.currencies, p_others => v_news.others,
                p_balances => v_news.balances, p_reasons => v_news.reasons, p_priorities => v_news.priorities
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
$function$;

-- ==== function: services.record_unproven ====
CREATE OR REPLACE FUNCTION services.record_unproven(p_payment uuid, p_kind text, p_receipt text, p_reason text, p_phone text, p_source text, p_body bytea, p_due_ms integer)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
    PERFORM FROM services.mpesa_payments x WHERE x.id = p_payment FOR UPDATE;
    PERFORM services.store_callback(
        p_kind => p_kind, p_receipt => p_receipt, p_outcome => 'QUARANTINED', p_error => p_reason, p_source => p_source,
        p_body => p_body
    );
    IF p_payment IS NOT NULL THEN
        PERFORM services.flag_payment(
            p_id => p_payment, p_kind => 'UNPROVEN', p_reason => p_reason, p_receipt => p_receipt
        );
    END IF;
    IF p_receipt IS NOT NULL AND NOT EXISTS (SELECT FROM core.transactions t WHERE t.reference = p_receipt) THEN
        PERFORM set_config('daftari.door', 'open', true);
        INSERT INTO services.mpesa_inquiries (receipt, payment_id, phone, due_at)
        VALUES (
            p_receipt, p_payment, p_phone,
            (clock_timestamp() AT TIME ZONE 'UTC') + p_due_ms * interval '1 millisecond'
        )
        ON CONFLICT (receipt) DO NOTHING;
        PERFORM set_config('daftari.door', '', true);
    END IF;
END
$function$;

-- ==== function: services.refresh_flags ====
CREATE OR REPLACE FUNCTION services.refresh_flags(p_ids uuid[])
 RETURNS void
 LANGUAGE plpgsql
AS $function$
DECLARE
    v_door constant text := coalesce(current_setting('daftari.door', true), '');
BEGIN
    PERFORM FROM services.mpesa_payments p WHERE p.id = ANY (p_ids) ORDER BY p.id FOR UPDATE;
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE services.mpesa_payments p
       SET is_flagged = EXISTS (
               SELECT FROM services.mpesa_payment_events e
                WHERE e.payment_id = p.id AND (
                    e.kind IN ('SECOND_RECEIPT', 'OTHER_PAYMENT', 'OTHER_WALLET', 'NOT_ASSIGNED') AND NOT EXISTS (
                        SELECT FROM services.mpesa_payment_events c
                         WHERE c.payment_id = p.id AND c.receipt = e.receipt
                           AND (
                               c.kind = 'REVIEWED' AND c.place > e.place
                               OR c.kind = 'CORRECTED' AND e.kind = 'OTHER_WALLET'
                           )
                    )
                    OR e.kind IN ('CONFLICT', 'UNPROVEN') AND EXISTS (
                        SELECT FROM services.mpesa_callbacks c
                         WHERE c.receipt = e.receipt AND c.outcome IN ('CONFLICT', 'QUARANTINED')
                           AND NOT EXISTS (SELECT FROM services.mpesa_decisions d WHERE d.callback_id = c.id)
                    )
                )
           ),
           updated_at = clock_timestamp() AT TIME ZONE 'UTC'
     WHERE p.id = ANY (p_ids);
    PERFORM set_config('daftari.door', v_door, true);
END
$function$;

-- ==== function: services.register_webhook ====
CREATE OR REPLACE FUNCTION services.register_webhook(p_url text, p_events text[], p_description text, p_secret bytea, p_by text)
 RETURNS uuid
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    v_id uuid;
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO services.webhooks (url, events, description, secret, created_by)
    VALUES (p_url, p_events, p_description, p_secret, p_by)
        ON CONFLICT (url) WHERE status = 'ACTIVE' DO NOTHING
    RETURNING id INTO v_id;
    PERFORM set_config('daftari.door', '', true);
    RETURN v_id;
END
$function$;

-- ==== function: services.release_deposit ====
CREATE OR REPLACE FUNCTION services.release_deposit(p_receipt text, p_decision text, p_by text, p_reason text, p_key text, p_digest text, OUT outcome text, OUT reason text)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    l        services.mpesa_logs;
    v_last   text;
    v_id     uuid;
    v_result text;
BEGIN
    -- Two people who decide about one payment decide one after the other.
    PERFORM pg_advisory_xact_lock(hashtextextended('services.mpesa_decisions ' || p_receipt, 0));
    outcome := core.find_request(p_key => p_key, p_digest => p_digest);
    IF outcome = 'replayed' THEN
        SELECT q.reason INTO reason FROM core.requests q WHERE q.idempotency_key = p_key;
    END IF;
    IF outcome IS NOT NULL THEN
        RETURN;
    END IF;

    SELECT * INTO l FROM services.mpesa_logs x WHERE x.mpesa_receipt = p_receipt;
    SELECT d.decision INTO v_last
      FROM services.mpesa_decisions d
     WHERE d.receipt = p_receipt AND d.decision IN ('RELEASED', 'REJECTED')
     ORDER BY d.id DESC
     LIMIT 1;
    outcome := CASE WHEN v_last = p_decision THEN 'replayed' END;
    reason := CASE
        WHEN outcome IS NOT NULL THEN NULL
        WHEN l.id IS NULL THEN 'unknown_transaction'
        WHEN EXISTS (SELECT FROM core.transactions t WHERE t.reference = p_receipt) THEN 'already_posted'
        WHEN p_decision = 'RELEASED' AND l.amount > 1000000000000 THEN 'invalid_amount'
    END;
    IF reason IS NOT NULL THEN
        outcome := 'refused';
        PERFORM core.refuse_request(p_key => p_key, p_digest => p_digest, p_reason => reason);
        RETURN;
    END IF;

    IF outcome IS NULL THEN
        outcome := CASE WHEN p_decision = 'RELEASED' THEN 'posted' ELSE 'noted' END;
        IF p_decision = 'RELEASED' THEN
            SELECT r.outcome INTO v_result
              FROM services.record_deposits(
                  p_receipts => ARRAY[l.mpesa_receipt::text], p_amounts => ARRAY[l.amount],
                  p_short_codes => ARRAY[coalesce(l.short_code, '')::text],
                  p_accounts => ARRAY[coalesce(l.account, '')], p_paid_at => ARRAY[l.paid_at],
                  p_phones => ARRAY[l.phone::text], p_phone_hashes => ARRAY[l.phone_hash::text],
                  p_names => ARRAY[l.payer_name], p_payloads => ARRAY['{}'], p_kinds => ARRAY['RELEASE'],
                  p_sources => ARRAY[NULL]::text[], p_body_starts => ARRAY[1],
                  p_body_lengths => ARRAY[octet_length(convert_to(p_by, 'UTF8'))],
                  p_bodies => convert_to(p_by, 'UTF8'), p_is_release => true
              ) AS r;
            IF v_result NOT IN ('credited', 'suspense') THEN
                RAISE EXCEPTION 'the payment was not posted: %', v_result USING ERRCODE = '40001';
            END IF;
            -- A payment that we asked for was settled by it before anybody was credited.
            PERFORM services.flag_other_wallets(ARRAY[p_receipt]);
            IF v_result = 'suspense' THEN
                PERFORM set_config('daftari.door', 'open', true);
                UPDATE services.mpesa_payments p SET due_at = clock_timestamp() AT TIME ZONE 'UTC' WHERE p.receipt = p_receipt;
            END IF;
        END IF;
        SELECT c.id INTO v_id
          FROM services.mpesa_callbacks c
         WHERE c.receipt = p_receipt AND c.outcome = 'HELD';
        PERFORM set_config('daftari.door', 'open', true);
        INSERT INTO services.mpesa_decisions (callback_id, receipt, decision, reason, decided_by)
        VALUES (v_id, p_receipt, p_decision, p_reason, p_by);
    END IF;
    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO core.requests (idempotency_key, digest, outcome, reference)
    VALUES (p_key, p_digest, 'POSTED', p_receipt);
    PERFORM set_config('daftari.door', '', true);
END
$function$;

-- ==== function: services.reopen_mpesa_period ====
CREATE OR REPLACE FUNCTION services.reopen_mpesa_period(p_id uuid, p_by text, p_reason text, OUT outcome text, OUT reason text)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    v_period services.mpesa_periods;
BEGIN
    SELECT * INTO v_period FROM services.mpesa_periods p WHERE p.id = p_id;
    PERFORM pg_advisory_xact_lock(hashtextextended('services.mpesa_periods ' || coalesce(v_period.short_code, ''), 0));
    SELECT * INTO v_period FROM services.mpesa_periods p WHERE p.id = p_id;
    outcome := 'refused';
    reason := CASE
        WHEN v_period.id IS NULL THEN 'unknown_period'
        WHEN v_period.status <> 'CLOSED' THEN 'period_not_closed'
        WHEN EXISTS (
            SELECT FROM services.mpesa_periods p
             WHERE p.short_code = v_period.short_code AND p.status IN ('CLOSED', 'CLOSING') AND p.to_at > v_period.to_at
        ) THEN 'later_period_closed'
    END;
    IF reason IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE services.mpesa_periods p
       SET status = 'REOPENED', reopened_at = clock_timestamp() AT TIME ZONE 'UTC', reopened_by = coalesce(p_by, session_user),
           reopened_for = p_reason
     WHERE p.id = p_id;
    PERFORM set_config('daftari.door', '', true);
    outcome := 'reopened';
END
$function$;

-- ==== function: services.replay_callback ====
CREATE OR REPLACE FUNCTION services.replay_callback(p_id uuid, p_by text, p_reason text, p_key text, p_digest text, p_receipt text, p_amount numeric, p_short_code text, p_account text, p_paid_at timestamp without time zone, p_phone text, p_phone_hash text, p_name text, p_payload text, p_body bytea, p_max_amount numeric DEFAULT NULL::numeric, p_payment uuid DEFAULT NULL::uuid, p_merchant text DEFAULT NULL::text, p_checkout text DEFAULT NULL::text, OUT outcome text, OUT reason text, OUT receipt text, OUT result text)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
#variable_conflict use_column
DECLARE
    c      services.mpesa_callbacks;
    v_last services.mpesa_decisions;
    r      record;
BEGIN
    SELECT * INTO c FROM services.mpesa_callbacks x WHERE x.id = p_id;
    -- Two people who decide about one message decide one after the other.
    PERFORM pg_advisory_xact_lock(hashtextextended('services.mpesa_decisions ' || coalesce(c.receipt, p_id::text), 0));
    outcome := core.find_request(p_key => p_key, p_digest => p_digest);
    IF outcome = 'replayed' THEN
        SELECT q.reason, q.reference INTO reason, receipt FROM core.requests q WHERE q.idempotency_key = p_key;
    END IF;
    IF outcome IS NOT NULL THEN
        RETURN;
    END IF;

    SELECT * INTO v_last FROM services.mpesa_decisions d WHERE d.callback_id = p_id;
    reason := CASE
        WHEN c.id IS NULL THEN 'unknown_callback'
        WHEN c.outcome NOT IN ('QUARANTINED', 'FAILED') OR c.kind = 'C2B_VALIDATION' THEN 'nothing_to_resolve'
        WHEN v_last.decision <> 'REPLAYED' THEN 'already_resolved'
    END;
    IF reason IS NULL AND v_last.id IS NOT NULL THEN
        outcome := 'replayed';
        receipt := v_last.receipt;
    ELSIF reason IS NULL THEN
        SELECT d.outcome, d.reason INTO r
          FROM services.record_payments(
              p_payments => ARRAY[p_payment], p_merchants => ARRAY[p_merchant], p_checkouts => ARRAY[p_checkout],
              p_receipts => ARRAY[p_receipt], p_amounts => ARRAY[p_amount], p_short_codes => ARRAY[p_short_code],
              p_accounts => ARRAY[p_account], p_paid_at => ARRAY[p_paid_at], p_phones => ARRAY[p_phone],
              p_phone_hashes => ARRAY[p_phone_hash], p_names => ARRAY[p_name], p_payloads => ARRAY[p_payload],
              p_kinds => ARRAY[CASE WHEN p_payment IS NULL THEN 'REPLAY' ELSE 'STK_REPLAY' END],
              p_sources => ARRAY[NULL]::text[], p_body_starts => ARRAY[1],
              p_body_lengths => ARRAY[octet_length(p_body)], p_bodies => p_body, p_max_amount => p_max_amount
          ) AS d;
        outcome := 'posted';
        receipt := p_receipt;
        result := r.outcome;
        reason := CASE WHEN r.outcome = 'refused' THEN coalesce(r.reason, 'invalid_amount') END;
    END IF;
    IF reason IS NOT NULL THEN
        outcome := 'refused';
        PERFORM core.refuse_request(p_key => p_key, p_digest => p_digest, p_reason => reason);
        RETURN;
    END IF;

    PERFORM set_config('daftari.door', 'open', true);
    IF outcome = 'posted' THEN
        INSERT INTO services.mpesa_decisions (callback_id, receipt, decision, reason, decided_by, reference)
        VALUES (p_id, p_receipt, 'REPLAYED', p_reason, p_by, CASE WHEN result IN ('credited', 'suspense') THEN p_receipt END);
        PERFORM services.refresh_flags(services.contradicted_payments(c.receipt));
    END IF;
    INSERT INTO core.requests (idempotency_key, digest, outcome, reference)
    VALUES (p_key, p_digest, 'POSTED', receipt);
    PERFORM set_config('daftari.door', '', true);
END
$function$;

-- ==== function: services.request_payment ====
CREATE OR REPLACE FUNCTION services.request_payment(p_wallet text, p_amount numeric, p_phone text, p_reference text, p_description text, p_short_code text, p_lease_ms integer, p_key text, p_digest text, OUT outcome text, OUT reason text, OUT id uuid)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    w core.wallets;
BEGIN
    outcome := core.find_request(p_key => p_key, p_digest => p_digest);
    IF outcome = 'replayed' THEN
        SELECT q.reason, CASE WHEN q.outcome = 'POSTED' THEN q.reference END::uuid INTO reason, id
          FROM core.requests q WHERE q.idempotency_key = p_key;
    END IF;
    IF outcome IS NOT NULL THEN
        RETURN;
    END IF;
    SELECT * INTO w FROM core.wallets x WHERE x.id = p_wallet AND x.kind = 'CUSTOMER';
    reason := CASE
        WHEN w.id IS NULL THEN 'unknown_wallet'
        WHEN w.status = 'FROZEN' THEN 'wallet_frozen'
        WHEN w.status = 'CLOSED' THEN 'wallet_closed'
        WHEN w.currency <> 'KES' THEN 'currency_mismatch'
    END;
    IF reason IS NOT NULL THEN
        outcome := 'refused';
        PERFORM core.refuse_request(p_key => p_key, p_digest => p_digest, p_reason => reason);
        RETURN;
    END IF;
    outcome := 'requested';
    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO services.mpesa_payments AS p (wallet_id, amount, phone, reference, description, short_code, due_at, lane)
    VALUES (
        p_wallet, p_amount, p_phone, p_reference, p_description, p_short_code,
        (clock_timestamp() AT TIME ZONE 'UTC') + p_lease_ms * interval '1 millisecond', w.lane
    )
    RETURNING p.id INTO id;
    INSERT INTO core.requests (idempotency_key, digest, outcome, reference)
    VALUES (p_key, p_digest, 'POSTED', id::text);
    PERFORM set_config('daftari.door', '', true);
    PERFORM services.note_payment(p_id => id, p_kind => 'REQUESTED');
END
$function$;

-- ==== function: services.resend_webhook ====
CREATE OR REPLACE FUNCTION services.resend_webhook(p_id uuid, p_by text, OUT outcome text, OUT reason text)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    d     services.webhook_deliveries;
    v_now constant timestamp := clock_timestamp() AT TIME ZONE 'UTC';
BEGIN
    SELECT * INTO d FROM services.webhook_deliveries x WHERE x.id = p_id FOR UPDATE;
    reason := CASE
        WHEN d.id IS NULL THEN 'unknown_delivery'
        WHEN NOT EXISTS (SELECT FROM services.webhooks w WHERE w.id = d.webhook_id AND w.status = 'ACTIVE')
            THEN 'webhook_disabled'
    END;
    outcome := CASE WHEN reason IS NULL THEN 'queued' ELSE 'refused' END;
    IF reason IS NULL THEN
        PERFORM set_config('daftari.door', 'open', true);
        UPDATE services.webhook_deliveries x
           SET status = 'PENDING', attempts = 0, due_at = v_now, resent_by = p_by, resent_at = v_now, updated_at = v_now
         WHERE x.id = p_id;
        PERFORM set_config('daftari.door', '', true);
    END IF;
END
$function$;

-- ==== function: services.resolve_callback ====
CREATE OR REPLACE FUNCTION services.resolve_callback(p_id uuid, p_decision text, p_by text, p_reason text, p_key text, p_digest text, OUT outcome text, OUT reason text, OUT reference text)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    c      services.mpesa_callbacks;
    t      core.transactions;
    v_last services.mpesa_decisions;
    v_more numeric;
    v_post record;
BEGIN
    SELECT * INTO c FROM services.mpesa_callbacks x WHERE x.id = p_id;
    -- Two people who decide about one payment decide one after the other.
    PERFORM pg_advisory_xact_lock(hashtextextended('services.mpesa_decisions ' || coalesce(c.receipt, p_id::text), 0));
    SELECT * INTO t FROM core.transactions x WHERE x.reference = c.receipt AND x.type = 'DEPOSIT';
    PERFORM core.lock_wallets(ARRAY[t.credit_wallet_id, t.debit_wallet_id]);
    outcome := core.find_request(p_key => p_key, p_digest => p_digest);
    IF outcome = 'replayed' THEN
        SELECT q.reason, nullif(q.reference, p_id::text) INTO reason, reference
          FROM core.requests q WHERE q.idempotency_key = p_key;
    END IF;
    IF outcome IS NOT NULL THEN
        RETURN;
    END IF;

    SELECT * INTO v_last FROM services.mpesa_decisions d WHERE d.callback_id = p_id;
    v_more := c.amount - t.amount;
    reason := CASE
        WHEN c.id IS NULL THEN 'unknown_callback'
        WHEN c.outcome NOT IN ('CONFLICT', 'QUARANTINED', 'FAILED') THEN 'nothing_to_resolve'
        WHEN v_last.decision <> p_decision THEN 'already_resolved'
        WHEN v_last.id IS NULL AND p_decision = 'CORRECTED' AND (
            c.outcome <> 'CONFLICT' OR v_more IS NULL OR core.account_of(t.credit_wallet_id) = 'SUSPENSE'
            OR core.remaining_of(t.id) < t.amount OR (core.current_assignment(c.receipt)).reference IS NOT NULL
            OR EXISTS (SELECT FROM core.transactions x WHERE x.reference = 'CR-' || c.receipt)
        ) THEN 'not_correctable'
        WHEN p_decision = 'CORRECTED' AND v_more > 1000000000000 THEN 'invalid_amount'
    END;
    IF reason IS NULL AND v_last.id IS NOT NULL THEN
        outcome := 'replayed';
        reference := v_last.reference;
    ELSIF reason IS NULL AND p_decision = 'CORRECTED' AND v_more <> 0 THEN
        reference := 'CR-' || c.receipt;
        SELECT * INTO v_post FROM core.post_transactions(
            p_references => ARRAY[reference],
            p_types => ARRAY[CASE WHEN v_more > 0 THEN 'DEPOSIT' ELSE 'REVERSAL' END],
            p_debits => ARRAY[CASE WHEN v_more > 0 THEN t.debit_wallet_id ELSE t.credit_wallet_id END]::text[],
            p_credits => ARRAY[CASE WHEN v_more > 0 THEN t.credit_wallet_id ELSE t.debit_wallet_id END]::text[],
            p_fallbacks => NULL, p_amounts => ARRAY[abs(v_more)],
            p_currencies => ARRAY[t.currency::text], p_reverses => ARRAY[CASE WHEN v_more < 0 THEN t.id END],
            p_narratives => ARRAY['Correction of ' || c.receipt]
        );
        IF v_post.outcomes[1] = 'created' THEN
            outcome := 'posted';
            IF v_more > 0 THEN
                PERFORM services.queue_movement_sms(
                    p_templates => ARRAY['deposit'], p_wallets => ARRAY[t.credit_wallet_id]::text[],
                    p_references => ARRAY[reference], p_amounts => ARRAY[v_more],
                    p_currencies => ARRAY[t.currency]::text[], p_others => ARRAY[t.debit_wallet_id]::text[],
                    p_balances => v_post.credit_balances
                );
                -- One that takes something away is a reversal, and told as that.
                IF EXISTS (SELECT FROM services.webhooks w WHERE w.status = 'ACTIVE') THEN
                    PERFORM services.queue_change_webhook(
                        p_receipt => c.receipt, p_outcome => 'corrected', p_amount => v_more, p_currency => t.currency,
                        p_wallet => t.credit_wallet_id, p_from => NULL, p_reference => reference, p_reason => NULL,
                        p_at => v_post.posted_at
                    );
                END IF;
            END IF;
        ELSE
            reason := coalesce(v_post.reasons[1], 'not_correctable');
        END IF;
    ELSIF reason IS NULL THEN
        outcome := 'noted';
    END IF;
    IF reason IS NOT NULL THEN
        outcome := 'refused';
        reference := NULL;
        PERFORM core.refuse_request(p_key => p_key, p_digest => p_digest, p_reason => reason);
        RETURN;
    END IF;

    PERFORM set_config('daftari.door', 'open', true);
    IF outcome <> 'replayed' THEN
        INSERT INTO services.mpesa_decisions (callback_id, receipt, decision, reason, decided_by, reference)
        VALUES (p_id, c.receipt, p_decision, p_reason, p_by, reference);
        PERFORM services.refresh_flags(services.contradicted_payments(c.receipt));
    END IF;
    INSERT INTO core.requests (idempotency_key, digest, outcome, reference)
    VALUES (p_key, p_digest, 'POSTED', coalesce(reference, p_id::text));
    PERFORM set_config('daftari.door', '', true);
END
$function$;

-- ==== function: services.review_payment ====
CREATE OR REPLACE FUNCTION services.review_payment(p_id uuid, p_by text, p_reason text, p_key text, p_digest text, OUT outcome text, OUT reason text, OUT receipts text[])
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
#variable_conflict use_column
DECLARE
    v_receipt text;
BEGIN
    PERFORM FROM services.mpesa_payments x WHERE x.id = p_id FOR UPDATE;
    reason := CASE WHEN NOT FOUND THEN 'unknown_payment' END;
    outcome := core.find_request(p_key => p_key, p_digest => p_digest);
    IF outcome = 'replayed' THEN
        SELECT q.reason INTO reason FROM core.requests q WHERE q.idempotency_key = p_key;
    END IF;
    IF outcome IS NOT NULL THEN
        RETURN;
    END IF;

    receipts := ARRAY(
        SELECT DISTINCT e.receipt::text
          FROM services.mpesa_payment_events e
         WHERE e.payment_id = p_id
           AND e.kind IN ('SECOND_RECEIPT', 'OTHER_PAYMENT', 'OTHER_WALLET', 'NOT_ASSIGNED')
           AND NOT EXISTS (
               SELECT FROM services.mpesa_payment_events c
                WHERE c.payment_id = p_id AND c.receipt = e.receipt
                  AND (c.kind = 'REVIEWED' AND c.place > e.place OR c.kind = 'CORRECTED' AND e.kind = 'OTHER_WALLET')
           )
         ORDER BY 1
    );
    IF reason IS NULL AND cardinality(receipts) = 0 THEN
        reason := 'nothing_to_review';
    END IF;
    IF reason IS NOT NULL THEN
        outcome := 'refused';
        PERFORM core.refuse_request(p_key => p_key, p_digest => p_digest, p_reason => reason);
        RETURN;
    END IF;

    outcome := 'reviewed';
    FOREACH v_receipt IN ARRAY receipts LOOP
        PERFORM services.note_payment(p_id => p_id, p_kind => 'REVIEWED', p_receipt => v_receipt);
        PERFORM set_config('daftari.door', 'open', true);
        INSERT INTO services.mpesa_decisions (receipt, decision, reason, decided_by)
        VALUES (v_receipt, 'REVIEWED', p_reason, p_by);
    END LOOP;
    PERFORM services.refresh_flags(ARRAY[p_id]);
    INSERT INTO core.requests (idempotency_key, digest, outcome, reference)
    VALUES (p_key, p_digest, 'POSTED', p_id::text);
    PERFORM set_config('daftari.door', '', true);
END
$function$;

-- ==== function: services.revoke_api_key ====
CREATE OR REPLACE FUNCTION services.revoke_api_key(p_id uuid)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE services.api_keys SET revoked_at = clock_timestamp() AT TIME ZONE 'UTC' WHERE id = p_id AND revoked_at IS NULL;
    PERFORM set_config('daftari.door', '', true);
END
$function$;

-- ==== function: services.sample_sms ====
CREATE OR REPLACE FUNCTION services.sample_sms(p_key text, p_language text, p_text text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
AS $function$
    SELECT services.sms_text(
        p_formats => services.compile_sms_template(p_text), p_language => p_language,
        p_reference => CASE WHEN p_key LIKE 'deposit%' THEN 'QKJ41HARMI' ELSE 'DF-0123456789AB' END,
        p_amount => 9999999.99, p_currency => 'KES', p_wallet => '2048173651', p_name => 'Wamaitha Nyokabi Njoroge',
        p_balance => 99999999.99, p_reason => 'wallet_frozen'
    )
$function$;

-- ==== function: services.screen_deposits ====
CREATE OR REPLACE FUNCTION services.screen_deposits(p_receipts text[], p_amounts numeric[], p_max numeric, p_is_release boolean, OUT receipts text[], OUT amounts numeric[], OUT logged text[], OUT is_plain boolean)
 RETURNS record
 LANGUAGE plpgsql
 STABLE
AS $function$
BEGIN
    receipts := p_receipts;
    amounts := p_amounts;
    -- Amounts above the limit, and rows from before the ledger: a database that logged payments and credited them in
    -- another way. To credit them now could be once too often. A row that somebody else adds after this look makes the
    -- insert into the log fail, and the batch is tried again.
    IF NOT p_is_release THEN
        SELECT array_agg(l.mpesa_receipt::text)
          INTO logged
          FROM services.mpesa_logs l
         WHERE (l.outcome IS NULL OR l.outcome = 'HELD') AND l.mpesa_receipt = ANY (p_receipts);
    END IF;
    IF logged IS NOT NULL THEN
        SELECT array_agg(l.receipt)
          INTO logged
          FROM unnest(logged) AS l (receipt)
          LEFT JOIN core.transactions x ON x.reference = l.receipt AND x.reference = ANY (logged)
         WHERE x.id IS NULL;
    END IF;
    -- One look at the characters of all receipts together: a pattern is prepared anew for each text that it is asked about.
    SELECT logged IS NULL AND NOT p_is_release
           AND coalesce(bool_and(p_amounts[i] <= p_max AND length(p_receipts[i]) BETWEEN 6 AND 20), false)
           AND array_to_string(p_receipts, '') COLLATE "C" ~ '^[A-Z0-9]*$'
      INTO is_plain
      FROM generate_series(1, cardinality(p_receipts)) AS i;
    IF is_plain THEN
        RETURN;
    END IF;
    -- Without an amount the door lets nothing through. After a payment that is held its receipt is taken. Receipts of
    -- older systems, which a person posts, are what they are.
    SELECT array_agg(CASE WHEN t.is_receipt THEN t.receipt END ORDER BY t.ord),
           array_agg(
               CASE
                   WHEN t.is_receipt AND (t.receipt = ANY (logged)) IS NOT TRUE AND t.largest <= p_max THEN t.amount
               END ORDER BY t.ord
           )
      INTO receipts, amounts
      FROM (
        SELECT i.*, p_is_release OR i.receipt COLLATE "C" ~ '^[A-Z0-9]{6,20}$' AS is_receipt,
               max(i.amount) OVER (PARTITION BY i.receipt ORDER BY i.ord) AS largest
          FROM unnest(p_receipts, p_amounts) WITH ORDINALITY AS i (receipt, amount, ord)
      ) t;
END
$function$;

-- ==== function: services.set_sms_template ====
CREATE OR REPLACE FUNCTION services.set_sms_template(p_key text, p_language text, p_text text, p_by text, p_reason text, OUT fault text, OUT detail text)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    v_at timestamp;
BEGIN
    IF coalesce(btrim(p_by), '') = '' OR coalesce(btrim(p_reason), '') = '' THEN
        RAISE EXCEPTION 'who changes a text, and why, must be named' USING ERRCODE = '22023';
    END IF;
    SELECT f.fault, f.detail INTO fault, detail FROM services.sms_template_fault(
        p_key => p_key, p_language => p_language, p_text => p_text
    ) AS f;
    IF fault IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO services.sms_templates AS t (key, language, text, formats, changed_at)
    VALUES (p_key, p_language, p_text, services.compile_sms_template(p_text), clock_timestamp() AT TIME ZONE 'UTC')
        ON CONFLICT (key, language) DO UPDATE
       SET text = EXCLUDED.text, formats = EXCLUDED.formats,
           changed_at = greatest(t.changed_at + interval '1 millisecond', clock_timestamp() AT TIME ZONE 'UTC')
    RETURNING t.changed_at INTO v_at;
    -- Of two people who change one text, whoever waited for the other is the later in the history, too.
    INSERT INTO services.sms_template_changes (key, language, text, changed_by, reason, created_at)
    VALUES (p_key, p_language, p_text, p_by, p_reason, v_at);
    PERFORM set_config('daftari.door', '', true);
END
$function$;

-- ==== function: services.settle_by_deposits ====
CREATE OR REPLACE FUNCTION services.settle_by_deposits(p_ids uuid[], p_receipts text[], p_kinds text[], p_amounts numeric[], p_short_codes text[], p_accounts text[], p_paid_at timestamp without time zone[], p_phones text[], p_phone_hashes text[], p_wallets text[])
 RETURNS void
 LANGUAGE plpgsql
AS $function$
DECLARE
    v_payments uuid[];
    v_receipts text[];
    v_has_none boolean;
BEGIN
    -- Nearly all deposits are of wallets that were asked for nothing, and this costs less than the question which.
    IF NOT EXISTS (
        SELECT FROM services.mpesa_payments p
         WHERE p.wallet_id = ANY (p_wallets) AND p.receipt IS NULL
           AND p.created_at >= (SELECT min(t.at) FROM unnest(p_paid_at) AS t (at)) - interval '1 hour'
    ) THEN
        RETURN;
    END IF;
    SELECT array_agg(m.payment::uuid ORDER BY m.payment, m.ord), array_agg(m.receipt ORDER BY m.payment, m.ord)
      INTO v_payments, v_receipts
      FROM (
        SELECT t.ord, t.receipt, (
                   SELECT min(p.id::text)
                     FROM services.mpesa_payments p
                    WHERE p.wallet_id = t.wallet
                      AND p.created_at BETWEEN t.paid_at - interval '1 hour' AND t.paid_at + interval '2 minutes'
                      AND p.receipt IS NULL AND p.amount = t.amount AND p.short_code = t.short_code
                      AND (coalesce(t.account, '') = '' OR upper(btrim(t.account)) = upper(p.reference))
                      AND services.may_be_phone(p_phone => p.phone, p_told => t.phone, p_hash => t.phone_hash)
                   HAVING count(*) = 1
               ) AS payment
          FROM unnest(
            p_ids, p_receipts, p_kinds, p_amounts, p_short_codes, p_accounts, p_paid_at, p_phones, p_phone_hashes, p_wallets
          ) WITH ORDINALITY AS t (id, receipt, kind, amount, short_code, account, paid_at, phone, phone_hash, wallet, ord)
         WHERE t.id IS NOT NULL AND t.kind NOT IN ('STK_CALLBACK', 'STATUS_RESULT', 'STK_REPLAY')
           AND (t.phone IS NOT NULL OR t.phone_hash IS NOT NULL)
      ) m
     WHERE m.payment IS NOT NULL;
    FOR i IN 1 .. coalesce(cardinality(v_payments), 0) LOOP
        SELECT p.receipt IS NULL INTO v_has_none FROM services.mpesa_payments p WHERE p.id = v_payments[i] FOR UPDATE;
        -- Two deposits of one batch may fit: the first one is taken.
        IF v_has_none THEN
            PERFORM services.change_payment(
                p_id => v_payments[i], p_status => 'PAID', p_result_code => '0', p_receipt => v_receipts[i]
            );
            PERFORM services.note_payment(
                p_id => v_payments[i], p_kind => 'PAID', p_reason => 'matched', p_receipt => v_receipts[i]
            );
            PERFORM services.flag_other_wallets(ARRAY[v_receipts[i]]);
        END IF;
    END LOOP;
END
$function$;

-- ==== function: services.settle_late_sms ====
CREATE OR REPLACE FUNCTION services.settle_late_sms(p_now timestamp without time zone, p_ids uuid[], p_attempts integer[], p_outcomes text[], p_message_ids text[], p_costs numeric[], p_currencies text[], p_parts integer[])
 RETURNS integer[]
 LANGUAGE plpgsql
AS $function$
DECLARE
    v_late integer[];
    i      integer;
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    -- The unique row is what keeps an answer from being booked twice.
    WITH booked AS (
        INSERT INTO services.sms_events (sms_id, kind, attempt, detail)
        SELECT s.id, 'LATE_ANSWER', t.attempt, concat_ws(', ', 'accepted after the next attempt had begun', t.message_id)
          FROM unnest(p_ids, p_attempts, p_outcomes, p_message_ids) AS t (id, attempt, outcome, message_id)
          JOIN services.sms_logs s ON s.id = t.id AND s.attempts > t.attempt
         WHERE t.outcome = 'accepted'
           AND EXISTS (
               SELECT 1 FROM services.sms_events e
                WHERE e.sms_id = s.id AND e.attempt = t.attempt AND e.kind = 'DECIDED'
           )
        ON CONFLICT (sms_id, attempt) WHERE kind = 'LATE_ANSWER' DO NOTHING
        RETURNING sms_id, attempt
    )
    SELECT array_agg(f.ord)
      INTO v_late
      FROM (
        SELECT min(t.ord)::integer AS ord
          FROM booked b
          JOIN unnest(p_ids, p_attempts, p_outcomes) WITH ORDINALITY AS t (id, attempt, outcome, ord)
            ON t.id = b.sms_id AND t.attempt = b.attempt AND t.outcome = 'accepted'
         GROUP BY b.sms_id, b.attempt
      ) f;
    -- One at a time: two attempts of one message may both be among them.
    FOREACH i IN ARRAY coalesce(v_late, '{}') LOOP
        UPDATE services.sms_logs l
           SET cost = CASE WHEN a.adds_cost THEN coalesce(l.cost, 0) + round(p_costs[i], 4) ELSE l.cost END,
               currency = CASE WHEN a.adds_cost THEN p_currencies[i] ELSE l.currency END,
               parts = coalesce(l.parts + p_parts[i], p_parts[i], l.parts),
               -- The customer has been told: it need not be sent again, and has not failed.
               phase = CASE WHEN a.tells THEN 'DONE' ELSE l.phase END,
               status = CASE WHEN a.tells THEN 'SENT' ELSE l.status END,
               provider_message_id = CASE
                   WHEN a.tells THEN coalesce(p_message_ids[i], l.provider_message_id) ELSE l.provider_message_id
               END,
               sent_at = CASE WHEN a.tells THEN coalesce(l.sent_at, l.claimed_at) ELSE l.sent_at END,
               settled_at = CASE WHEN a.tells THEN coalesce(l.settled_at, p_now) ELSE l.settled_at END,
               error_code = CASE WHEN NOT a.tells THEN l.error_code END,
               error_message = CASE WHEN NOT a.tells THEN l.error_message END
          FROM (
            SELECT p_costs[i] IS NOT NULL
                       AND (coalesce(s.cost, 0) = 0 OR s.currency IS NOT DISTINCT FROM p_currencies[i]) AS adds_cost,
                   s.phase = 'QUEUED' OR s.status = 'FAILED' AND s.delivery_state IS NULL AS tells
              FROM services.sms_logs s
             WHERE s.id = p_ids[i]
          ) a
         WHERE l.id = p_ids[i];
    END LOOP;
    PERFORM set_config('daftari.door', '', true);
    PERFORM services.fold_delivery(array_agg(p_ids[t.ord])) FROM unnest(v_late) AS t (ord);
    RETURN v_late;
END
$function$;

-- ==== function: services.settle_payment ====
CREATE OR REPLACE FUNCTION services.settle_payment(p_id uuid, p_receipt text, p_outcome text, p_original text, p_merchant_request_id text, p_checkout_request_id text)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
DECLARE
    p           services.mpesa_payments;
    v_is_moved  boolean := p_outcome <> 'refused' AND p_outcome <> 'conflict';
    v_must_move boolean := v_is_moved AND p_outcome = 'duplicate' AND p_original = 'suspense';
BEGIN
    -- Receipts before payments, as services.flag_other_wallets takes them.
    PERFORM services.lock_receipts(ARRAY[p_receipt]);
    SELECT * INTO p FROM services.mpesa_payments x WHERE x.id = p_id FOR UPDATE;
    PERFORM services.name_payment(
        p_id => p_id, p_merchant_request_id => p_merchant_request_id, p_checkout_request_id => p_checkout_request_id
    );
    IF p.id IS NULL OR p.receipt = p_receipt THEN
        RETURN;
    END IF;
    IF NOT v_is_moved THEN
        PERFORM services.change_payment(p_id => p_id, p_status => 'UNKNOWN', p_reason => p_outcome);
        PERFORM services.flag_payment(
            p_id => p_id, p_kind => upper(p_outcome), p_reason => NULL, p_receipt => p_receipt
        );
    ELSIF EXISTS (SELECT FROM services.mpesa_payments o WHERE o.receipt = p_receipt) THEN
        PERFORM services.flag_payment(p_id => p_id, p_kind => 'OTHER_PAYMENT', p_reason => NULL, p_receipt => p_receipt);
    ELSIF p.receipt IS NOT NULL THEN
        PERFORM services.flag_payment(p_id => p_id, p_kind => 'SECOND_RECEIPT', p_reason => NULL, p_receipt => p_receipt);
    ELSE
        PERFORM services.change_payment(
            p_id => p_id, p_status => 'PAID', p_result_code => '0', p_receipt => p_receipt,
            p_reason => CASE WHEN 'held' IN (p_outcome, p_original) THEN 'held' END,
            p_due_ms => CASE WHEN v_must_move THEN 0 END
        );
        PERFORM services.note_payment(
            p_id => p_id, p_kind => 'PAID', p_reason => CASE WHEN p.status = 'FAILED' THEN 'late' END,
            p_result_code => '0', p_receipt => p_receipt
        );
    END IF;
    IF v_is_moved THEN
        PERFORM services.flag_other_wallets(ARRAY[p_receipt]);
    END IF;
END
$function$;

-- ==== function: services.settle_sms ====
CREATE OR REPLACE FUNCTION services.settle_sms(p_ids uuid[], p_attempts integer[], p_outcomes text[], p_message_ids text[], p_costs numeric[], p_currencies text[], p_parts integer[], p_expected_parts integer[], p_encodings text[], p_texts text[], p_error_codes text[], p_error_messages text[], p_retry_ms bigint[])
 RETURNS TABLE(ord integer, result text, status text)
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_seqscan TO 'off'
 SET jit TO 'off'
AS $function$
#variable_conflict use_column
DECLARE
    n        constant integer := coalesce(array_length(p_ids, 1), 0);
    v_now    constant timestamp(3) := clock_timestamp() AT TIME ZONE 'UTC';
    v_ords   integer[];
    v_was    text[]; -- the phases before
    v_fold   uuid[];
    v_after  integer[]; -- elements whose answer came after the next attempt began
BEGIN
    -- ---- 1. Locks: the providers' ids, then the messages ----

    IF EXISTS (
        SELECT 1 FROM unnest(p_outcomes) AS t (outcome)
         WHERE t.outcome IS NULL OR t.outcome NOT IN ('accepted', 'refused', 'retry', 'unknown')
    ) THEN
        RAISE EXCEPTION 'an outcome is accepted, refused, retry or unknown' USING ERRCODE = '22023';
    END IF;
    SELECT array_agg(nullif(left(btrim(t.id), 255), '') ORDER BY t.ord)
      INTO p_message_ids
      FROM unnest(p_message_ids) WITH ORDINALITY AS t (id, ord);
    PERFORM services.lock_message_ids(p_message_ids => p_message_ids, p_exclusive => false);
    PERFORM 1 FROM services.sms_logs l WHERE l.id = ANY (p_ids) ORDER BY l.id FOR NO KEY UPDATE;

    -- ---- 2. Answers to attempts that are under way or of unknown outcome ----

    PERFORM set_config('daftari.door', 'open', true);
    WITH answers AS MATERIALIZED (
        SELECT DISTINCT ON (s.id)
               t.ord, t.outcome, t.message_id, round(t.cost, 4) AS cost, t.currency, t.parts, t.expected_parts,
               t.encoding, t.text, left(t.error_code, 40) AS error_code, t.error_message, t.retry_ms,
               s.id, s.phase AS was,
               CASE
                   WHEN t.outcome IN ('accepted', 'refused') THEN 'DONE'
                   WHEN t.outcome = 'unknown' THEN 'UNKNOWN'
                   WHEN s.phase IN ('SENDING', 'UNKNOWN') THEN 'QUEUED'
                   ELSE s.phase
               END AS phase,
               -- Money of two kinds cannot be added up in one column: the day's spending has both.
               t.outcome <> 'unknown' AND t.cost IS NOT NULL
                   AND (coalesce(s.cost, 0) = 0 OR s.currency IS NOT DISTINCT FROM t.currency) AS adds_cost
          FROM unnest(
            p_ids, p_attempts, p_outcomes, p_message_ids, p_costs, p_currencies, p_parts, p_expected_parts, p_encodings,
            p_texts, p_error_codes, p_error_messages, p_retry_ms
          ) WITH ORDINALITY AS t (
            id, attempt, outcome, message_id, cost, currency, parts, expected_parts, encoding,
            text, error_code, error_message, retry_ms, ord
          )
          JOIN services.sms_logs s ON s.id = t.id AND s.attempts = t.attempt
         WHERE s.attempts > 0 AND s.answered_at IS NULL AND (t.outcome <> 'unknown' OR s.phase = 'SENDING')
         ORDER BY s.id, t.ord
    ), changed AS (
        UPDATE services.sms_logs l
           SET phase = a.phase,
               status = CASE
                   WHEN a.outcome = 'accepted' THEN 'SENT'
                   WHEN a.outcome = 'refused' THEN 'FAILED'
                   ELSE l.status
               END,
               answered_at = CASE WHEN a.outcome = 'unknown' THEN NULL ELSE v_now END,
               lease_until = NULL,
               next_attempt_at = CASE
                   WHEN a.phase = 'QUEUED' AND a.was <> 'QUEUED' THEN v_now + a.retry_ms * interval '1 millisecond'
                   ELSE l.next_attempt_at
               END,
               provider_message_id = coalesce(a.message_id, l.provider_message_id),
               cost = CASE WHEN a.adds_cost THEN coalesce(l.cost, 0) + a.cost ELSE l.cost END,
               currency = CASE WHEN a.adds_cost THEN a.currency ELSE l.currency END,
               parts = CASE WHEN a.outcome = 'accepted' THEN coalesce(l.parts + a.parts, a.parts, l.parts) ELSE l.parts END,
               expected_parts = coalesce(a.expected_parts, l.expected_parts),
               encoding = coalesce(left(a.encoding, 10), l.encoding),
               message = coalesce(a.text, l.message),
               -- What is known of the delivery is known of another id.
               delivery_state = CASE WHEN a.message_id <> l.provider_message_id THEN NULL ELSE l.delivery_state END,
               delivery_status = CASE WHEN a.message_id <> l.provider_message_id THEN NULL ELSE l.delivery_status END,
               delivery_reason = CASE WHEN a.message_id <> l.provider_message_id THEN NULL ELSE l.delivery_reason END,
               delivered_at = CASE WHEN a.message_id <> l.provider_message_id THEN NULL ELSE l.delivered_at END,
               sent_at = CASE a.outcome
                   WHEN 'accepted' THEN coalesce(l.sent_at, l.claimed_at)
                   WHEN 'refused' THEN NULL
                   ELSE l.sent_at
               END,
               settled_at = CASE WHEN a.phase = 'DONE' THEN coalesce(l.settled_at, v_now) END,
               error_code = CASE
                   WHEN a.outcome = 'accepted' THEN NULL
                   WHEN a.outcome = 'retry' AND a.phase <> 'QUEUED' THEN l.error_code
                   ELSE coalesce(a.error_code, a.outcome)
               END,
               error_message = CASE
                   WHEN a.outcome = 'accepted' THEN NULL
                   WHEN a.outcome = 'retry' AND a.phase <> 'QUEUED' THEN l.error_message
                   ELSE a.error_message
               END
          FROM answers a
         WHERE l.id = a.id
        RETURNING a.ord, a.was, l.id, l.provider_message_id AS message_id
    )
    SELECT array_agg(c.ord), array_agg(c.was),
           array_agg(c.id) FILTER (
               WHERE EXISTS (SELECT 1 FROM services.sms_delivery_reports r WHERE r.provider_message_id = c.message_id)
           )
      INTO v_ords, v_was, v_fold
      FROM changed c;
    PERFORM set_config('daftari.door', '', true);
    IF v_fold IS NOT NULL THEN
        PERFORM services.fold_delivery(v_fold);
    END IF;

    -- ---- 3. Answers that come after the next attempt has begun ----

    IF coalesce(array_length(v_ords, 1), 0) < n AND 'accepted' = ANY (p_outcomes) THEN
        v_after := services.settle_late_sms(
            p_now => v_now, p_ids => p_ids, p_attempts => p_attempts, p_outcomes => p_outcomes,
            p_message_ids => p_message_ids, p_costs => p_costs, p_currencies => p_currencies, p_parts => p_parts
        );
    END IF;

    -- ---- 4. The record: events for what is out of the ordinary, the answer, the day's spending ----

    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO services.sms_events (sms_id, kind, attempt, detail)
    SELECT p_ids[t.ord],
           CASE WHEN t.was <> 'SENDING' THEN 'LATE_ANSWER' WHEN p_outcomes[t.ord] = 'retry' THEN 'RETRY' ELSE 'UNKNOWN' END,
           p_attempts[t.ord],
           concat_ws(', ', p_outcomes[t.ord], p_error_codes[t.ord], p_error_messages[t.ord])
      FROM unnest(v_ords, v_was) AS t (ord, was)
     WHERE t.was <> 'SENDING' OR p_outcomes[t.ord] IN ('retry', 'unknown')
    ON CONFLICT (sms_id, attempt) WHERE kind = 'LATE_ANSWER' DO NOTHING;
    PERFORM set_config('daftari.door', '', true);

    RETURN QUERY
    SELECT t.ord::integer,
           CASE
               WHEN t.ord = ANY (v_after) THEN 'late'
               WHEN w.was IS NULL THEN 'ignored'
               WHEN w.was = 'SENDING' THEN 'settled'
               ELSE 'late'
           END,
           l.status::text
      FROM unnest(p_ids) WITH ORDINALITY AS t (id, ord)
      LEFT JOIN unnest(v_ords, v_was) AS w (ord, was) ON w.ord = t.ord
      LEFT JOIN services.sms_logs l ON l.id = t.id;

    v_ords := v_ords || v_after;
    PERFORM services.add_sms_spend(
        p_at => v_now, p_currencies => array_agg(p_currencies[t.ord]),
        p_messages => array_agg(CASE WHEN p_outcomes[t.ord] = 'accepted' THEN 1 ELSE 0 END),
        p_parts => array_agg(CASE WHEN p_outcomes[t.ord] = 'accepted' THEN p_parts[t.ord] END),
        p_costs => array_agg(CASE WHEN p_outcomes[t.ord] <> 'unknown' THEN p_costs[t.ord] END)
    )
       FROM unnest(v_ords) AS t (ord);
END
$function$;

-- ==== function: services.sms_cost_report ====
CREATE OR REPLACE FUNCTION services.sms_cost_report(p_from timestamp without time zone, p_to timestamp without time zone, p_by text)
 RETURNS TABLE(is_total boolean, key text, currency text, messages bigint, parts bigint, expected_parts bigint, cost numeric)
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET jit TO 'off'
AS $function$
    SELECT grouping(m.key) = 1, m.key, m.currency, count(*), coalesce(sum(m.parts), 0),
           coalesce(sum(m.expected_parts), 0), coalesce(sum(m.cost), 0)::numeric(19,4)
      FROM (
        SELECT CASE p_by
                   WHEN 'day' THEN services.eat_day(l.created_at)::text
                   WHEN 'status' THEN l.status
                   WHEN 'network' THEN coalesce(l.network, 'unknown')
                   WHEN 'template' THEN l.template
               END AS key,
               CASE WHEN l.cost IS NOT NULL THEN coalesce(l.currency::text, 'XXX') END AS currency,
               l.parts, l.expected_parts, l.cost
          FROM services.sms_logs l
         WHERE l.created_at >= p_from AND l.created_at < p_to
      ) m
     GROUP BY GROUPING SETS ((m.key, m.currency), (m.currency))
$function$;

-- ==== function: services.sms_name ====
CREATE OR REPLACE FUNCTION services.sms_name(p_name text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$
    SELECT CASE
        WHEN p_name !~ '[^A-Za-z ]' THEN rtrim(left(btrim(p_name), 25))
        ELSE rtrim(left(btrim(regexp_replace(
            regexp_replace(translate(normalize(p_name, NFKD), U&'\2018\2019\02BC', ''''''''), '[^A-Za-z .''-]', '', 'g'),
            '\.(?=[A-Za-z]{2})', '. ', 'g'
        ), ' -.'''), 25))
    END
$function$;

-- ==== function: services.sms_placeholders ====
CREATE OR REPLACE FUNCTION services.sms_placeholders(p_key text, OUT needed text[], OUT allowed text[])
 RETURNS record
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$
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
$function$;

-- ==== function: services.sms_reason ====
CREATE OR REPLACE FUNCTION services.sms_reason(p_reason text, p_language text)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$
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
$function$;

-- ==== function: services.sms_template_fault ====
CREATE OR REPLACE FUNCTION services.sms_template_fault(p_key text, p_language text, p_text text, OUT fault text, OUT detail text)
 RETURNS record
 LANGUAGE plpgsql
 IMMUTABLE
AS $function$
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
$function$;

-- ==== function: services.sms_text ====
CREATE OR REPLACE FUNCTION services.sms_text(p_formats text[], p_language text, p_reference text, p_amount numeric, p_currency text, p_wallet text, p_name text, p_balance numeric, p_reason text DEFAULT NULL::text)
 RETURNS text
 LANGUAGE plpgsql
 IMMUTABLE
AS $function$
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
$function$;

-- ==== function: services.statement_line_id ====
CREATE OR REPLACE FUNCTION services.statement_line_id(p_short_code text, p_account_key text, p_receipt text, p_is_completed boolean, p_paid_in numeric, p_withdrawn numeric, p_balance numeric, p_details text)
 RETURNS uuid
 LANGUAGE sql
 STABLE PARALLEL SAFE
AS $function$
    SELECT encode(substr(sha256(convert_to(concat_ws(
        E'\x1f', p_short_code, p_account_key, p_receipt, p_is_completed, p_paid_in, p_withdrawn,
        coalesce(p_balance::text, '-' || lower(p_details))
    ), 'UTF8')), 1, 16), 'hex')::uuid
$function$;

-- ==== function: services.store_callback ====
CREATE OR REPLACE FUNCTION services.store_callback(p_kind text, p_receipt text, p_outcome text, p_error text, p_source text, p_body bytea)
 RETURNS uuid
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    v_id uuid;
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO services.mpesa_callbacks (kind, receipt, outcome, error, source, body)
    VALUES (p_kind, p_receipt, p_outcome, p_error, p_source, p_body)
    RETURNING id INTO v_id;
    PERFORM set_config('daftari.door', '', true);
    RETURN v_id;
END
$function$;

-- ==== function: services.store_daraja_token ====
CREATE OR REPLACE FUNCTION services.store_daraja_token(p_client text, p_token bytea, p_valid_ms integer)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE services.daraja_tokens x
       SET token = coalesce(p_token, x.token), refreshing_till = NULL,
           expires_at = CASE
               WHEN p_token IS NULL THEN x.expires_at
               ELSE (clock_timestamp() AT TIME ZONE 'UTC') + p_valid_ms * interval '1 millisecond'
           END
     WHERE x.client = p_client;
    PERFORM set_config('daftari.door', '', true);
END
$function$;

-- ==== function: services.tell_masked ====
CREATE OR REPLACE FUNCTION services.tell_masked(p_receipt text, p_phone text)
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE services.sms_logs l
       SET recipient = p_phone, recipient_hash = NULL, status = 'PENDING', phase = 'QUEUED', error_code = NULL,
           error_message = NULL, settled_at = NULL, next_attempt_at = clock_timestamp() AT TIME ZONE 'UTC'
     WHERE l.transaction_reference = p_receipt AND l.template = 'deposit_suspense' AND l.error_code = 'masked_number'
       AND l.attempts = 0 AND l.created_at > (clock_timestamp() AT TIME ZONE 'UTC') - interval '1 hour';
    IF FOUND THEN
        PERFORM pg_notify('daftari_sms', '');
    END IF;
    PERFORM set_config('daftari.door', '', true);
END
$function$;

-- ==== function: services.tell_of_capture ====
CREATE OR REPLACE FUNCTION services.tell_of_capture()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    t core.transactions;
BEGIN
    SELECT * INTO t FROM core.transactions x WHERE x.reference = NEW.capture_reference;
    PERFORM services.queue_movement_sms(
        p_templates => ARRAY[CASE t.type WHEN 'WITHDRAWAL' THEN 'withdrawal' ELSE 'transfer_out' END, 'transfer_in'],
        p_wallets => ARRAY[t.debit_wallet_id, t.credit_wallet_id]::text[],
        p_references => ARRAY[t.reference, t.reference]::text[], p_amounts => ARRAY[t.amount, t.amount],
        p_currencies => ARRAY[t.currency, t.currency]::text[],
        p_others => ARRAY[t.credit_wallet_id, t.debit_wallet_id]::text[],
        p_balances => ARRAY[
            (SELECT w.balance FROM core.wallets w WHERE w.id = t.debit_wallet_id),
            (SELECT w.balance FROM core.wallets w WHERE w.id = t.credit_wallet_id)
        ]
    );
    RETURN NULL;
END
$function$;

-- ==== function: services.tell_of_transaction ====
CREATE OR REPLACE FUNCTION services.tell_of_transaction()
 RETURNS trigger
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
BEGIN
    IF NEW.type = 'REVERSAL' THEN
        PERFORM services.queue_movement_sms(
            p_templates => ARRAY['reversal_debit', 'reversal_credit'],
            p_wallets => ARRAY[NEW.debit_wallet_id, NEW.credit_wallet_id]::text[],
            p_references => ARRAY[NEW.reference, NEW.reference]::text[], p_amounts => ARRAY[NEW.amount, NEW.amount],
            p_currencies => ARRAY[NEW.currency, NEW.currency]::text[],
            p_others => ARRAY[NEW.credit_wallet_id, NEW.debit_wallet_id]::text[],
            p_balances => ARRAY[NEW.debit_balance_after, NEW.credit_balance_after]
        );
    ELSIF core.account_of(NEW.debit_wallet_id) <> 'SUSPENSE' THEN
        -- A payment that was credited to the wrong wallet. Whose that was concerns neither.
        PERFORM services.queue_movement_sms(
            p_templates => ARRAY['reversal_debit', 'deposit'],
            p_wallets => ARRAY[NEW.debit_wallet_id, NEW.credit_wallet_id]::text[],
            p_references => ARRAY[NEW.reference, NEW.reference]::text[], p_amounts => ARRAY[NEW.amount, NEW.amount],
            p_currencies => ARRAY[NEW.currency, NEW.currency]::text[], p_others => ARRAY[NULL, NULL]::text[],
            p_balances => ARRAY[NEW.debit_balance_after, NEW.credit_balance_after]
        );
    ELSIF NOT services.retell_masked(p_assignment => NEW) THEN
        PERFORM services.queue_movement_sms(
            p_templates => ARRAY['suspense_assigned'], p_wallets => ARRAY[NEW.credit_wallet_id]::text[],
            p_references => ARRAY[NEW.reference]::text[], p_amounts => ARRAY[NEW.amount],
            p_currencies => ARRAY[NEW.currency]::text[], p_others => ARRAY[NEW.debit_wallet_id]::text[],
            p_balances => ARRAY[NEW.credit_balance_after]
        );
    END IF;
    PERFORM services.queue_movement_webhook(NEW);
    RETURN NULL;
END
$function$;

-- ==== function: services.wallet_of_payment ====
CREATE OR REPLACE FUNCTION services.wallet_of_payment(p_account text, p_phone text, p_phone_hash text)
 RETURNS text
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
    SELECT min(p.wallet_id)
      FROM services.mpesa_payments p
     WHERE p.reference = p_account
       AND coalesce(p_phone, p_phone_hash) IS NOT NULL
       AND p.created_at > (clock_timestamp() AT TIME ZONE 'UTC') - interval '1 day'
       AND services.may_be_phone(p_phone => p.phone, p_told => p_phone, p_hash => p_phone_hash)
    HAVING count(DISTINCT p.wallet_id) = 1
$function$;

-- ==== function: services.webhook_time ====
CREATE OR REPLACE FUNCTION services.webhook_time(p_at timestamp without time zone)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE
AS $function$
    SELECT to_char(p_at, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
$function$;

-- ==== table: core.fee_rule_events ====
CREATE TABLE core.fee_rule_events (
    rule_id uuid NOT NULL,
    version integer NOT NULL,
    kind character varying(10) NOT NULL,
    valid_until timestamp(3) without time zone,
    former_until timestamp(3) without time zone,
    replaced_by uuid,
    actor character varying(100) NOT NULL,
    note text NOT NULL,
    created_at timestamp(3) without time zone DEFAULT (now() AT TIME ZONE 'UTC'::text) NOT NULL
);

-- ==== table: core.fee_rules ====
CREATE TABLE core.fee_rules (
    id uuid DEFAULT core.new_id() NOT NULL,
    transaction_type character varying(20) NOT NULL,
    currency character(3) DEFAULT 'KES'::bpchar NOT NULL,
    min_amount numeric(19,2) DEFAULT 0 NOT NULL,
    flat numeric(19,2) DEFAULT 0 NOT NULL,
    rate numeric(9,6) DEFAULT 0 NOT NULL,
    payer character varying(10) DEFAULT 'SENDER'::character varying NOT NULL,
    valid_from timestamp(3) without time zone DEFAULT (now() AT TIME ZONE 'UTC'::text) NOT NULL,
    valid_until timestamp(3) without time zone
);

-- ==== table: core.holds ====
CREATE TABLE core.holds (
    id uuid DEFAULT core.new_id() NOT NULL,
    wallet_id character varying(20) NOT NULL,
    amount numeric(19,2) NOT NULL,
    fee_held numeric(19,2),
    captured numeric(19,2) DEFAULT 0 NOT NULL,
    capture_reference character varying(50),
    status character varying(20) DEFAULT 'ACTIVE'::character varying NOT NULL,
    expires_at timestamp(3) without time zone,
    narrative character varying(255),
    created_at timestamp(3) without time zone DEFAULT (now() AT TIME ZONE 'UTC'::text) NOT NULL,
    closed_at timestamp(3) without time zone,
    placed_available numeric(19,2),
    closed_available numeric(19,2),
    lane smallint DEFAULT 0 NOT NULL
);

-- ==== table: core.requests ====
CREATE TABLE core.requests (
    idempotency_key character varying(255) NOT NULL,
    digest character varying(64) NOT NULL,
    outcome character varying(20) NOT NULL,
    reason character varying(40),
    reference character varying(50),
    created_at timestamp(3) without time zone DEFAULT (now() AT TIME ZONE 'UTC'::text) NOT NULL
);

-- ==== table: core.transactions ====
CREATE TABLE core.transactions (
    id uuid DEFAULT core.new_id() NOT NULL,
    reference character varying(50) NOT NULL,
    type character varying(20) NOT NULL,
    debit_wallet_id character varying(20) NOT NULL,
    credit_wallet_id character varying(20) NOT NULL,
    amount numeric(19,2) NOT NULL,
    currency character(3) DEFAULT 'KES'::bpchar NOT NULL,
    created_at timestamp(3) without time zone DEFAULT (now() AT TIME ZONE 'UTC'::text) NOT NULL,
    verification_hash character varying(64),
    debit_version bigint NOT NULL,
    debit_balance_after numeric(19,2) NOT NULL,
    credit_version bigint NOT NULL,
    credit_balance_after numeric(19,2) NOT NULL,
    idempotency_key character varying(255),
    request_digest character varying(64),
    reverses_id uuid,
    xact_id bigint NOT NULL,
    narrative character varying(255),
    lane smallint
);

-- ==== table: core.wallet_events ====
CREATE TABLE core.wallet_events (
    id uuid DEFAULT core.new_id() NOT NULL,
    wallet_id character varying(20) NOT NULL,
    changed character varying(20) NOT NULL,
    old_value text,
    new_value text,
    actor character varying(100) NOT NULL,
    reason text NOT NULL,
    created_at timestamp(3) without time zone DEFAULT (now() AT TIME ZONE 'UTC'::text) NOT NULL,
    lane smallint
);

-- ==== table: core.wallets ====
CREATE TABLE core.wallets (
    id character varying(20) NOT NULL,
    holder_name character varying(120) NOT NULL,
    phone character varying(20),
    currency character(3) DEFAULT 'KES'::bpchar NOT NULL,
    balance numeric(19,2) DEFAULT 0 NOT NULL,
    status character varying(20) DEFAULT 'ACTIVE'::character varying NOT NULL,
    created_at timestamp(3) without time zone DEFAULT (now() AT TIME ZONE 'UTC'::text) NOT NULL,
    updated_at timestamp(3) without time zone DEFAULT (now() AT TIME ZONE 'UTC'::text) NOT NULL,
    kind character varying(10) DEFAULT 'CUSTOMER'::character varying NOT NULL,
    held numeric(19,2) DEFAULT 0 NOT NULL,
    min_balance numeric(19,2) DEFAULT 0,
    version bigint DEFAULT 0 NOT NULL,
    language character(2) DEFAULT 'en'::bpchar NOT NULL,
    lane smallint DEFAULT 0 NOT NULL
) WITH (fillfactor=50);

-- ==== table: services.api_keys ====
CREATE TABLE services.api_keys (
    id uuid DEFAULT core.new_id() NOT NULL,
    name character varying(100) NOT NULL,
    key_hash character varying(64) NOT NULL,
    scopes text[] NOT NULL,
    created_at timestamp(3) without time zone DEFAULT (now() AT TIME ZONE 'UTC'::text) NOT NULL,
    revoked_at timestamp(3) without time zone
);

-- ==== table: services.daraja_tokens ====
CREATE TABLE services.daraja_tokens (
    client character varying(64) NOT NULL,
    token bytea,
    expires_at timestamp(3) without time zone,
    refreshing_till timestamp(3) without time zone
);

-- ==== table: services.mpesa_break_events ====
CREATE TABLE services.mpesa_break_events (
    break_id uuid NOT NULL,
    version integer NOT NULL,
    action character varying(10) NOT NULL,
    status character varying(10) NOT NULL,
    actor character varying(100) NOT NULL,
    assignee character varying(100),
    reason character varying(40),
    comment text,
    evidence text,
    created_at timestamp(3) without time zone DEFAULT (now() AT TIME ZONE 'UTC'::text) NOT NULL
);

-- ==== table: services.mpesa_breaks ====
CREATE TABLE services.mpesa_breaks (
    id uuid DEFAULT core.new_id() NOT NULL,
    short_code character varying(20) NOT NULL,
    subject_id uuid NOT NULL,
    side character varying(10) NOT NULL,
    state character varying(20) NOT NULL,
    why character varying(40),
    reference character varying(50) NOT NULL,
    kind character varying(20) NOT NULL,
    amount numeric(19,2) NOT NULL,
    ledger_amount numeric(19,2),
    happened_at timestamp(3) without time zone NOT NULL,
    due_at timestamp(3) without time zone NOT NULL,
    status character varying(10) DEFAULT 'OPEN'::character varying NOT NULL,
    assignee character varying(100),
    proposed_by character varying(100),
    reason character varying(40),
    comment text,
    evidence text,
    is_explained boolean DEFAULT false NOT NULL,
    version integer DEFAULT 1 NOT NULL,
    created_at timestamp(3) without time zone DEFAULT (now() AT TIME ZONE 'UTC'::text) NOT NULL
);

-- ==== table: services.mpesa_callbacks ====
CREATE TABLE services.mpesa_callbacks (
    id uuid DEFAULT core.new_id() NOT NULL,
    kind character varying(20) NOT NULL,
    receipt character varying(50),
    outcome character varying(20) NOT NULL,
    error text,
    source character varying(64),
    body bytea NOT NULL,
    amount numeric(19,2),
    short_code character varying(20),
    received_at timestamp(3) without time zone DEFAULT (now() AT TIME ZONE 'UTC'::text) NOT NULL,
    lane smallint
);

-- ==== table: services.mpesa_decisions ====
CREATE TABLE services.mpesa_decisions (
    id uuid DEFAULT core.new_id() NOT NULL,
    callback_id uuid,
    receipt character varying(50),
    decision character varying(20) NOT NULL,
    reason text,
    decided_by character varying(100) NOT NULL,
    reference character varying(50),
    created_at timestamp(3) without time zone DEFAULT (now() AT TIME ZONE 'UTC'::text) NOT NULL
);

-- ==== table: services.mpesa_inquiries ====
CREATE TABLE services.mpesa_inquiries (
    id uuid DEFAULT core.new_id() NOT NULL,
    receipt character varying(50) NOT NULL,
    payment_id uuid,
    phone character varying(20),
    status character varying(10) DEFAULT 'OPEN'::character varying NOT NULL,
    reason character varying(40),
    attempts smallint DEFAULT 0 NOT NULL,
    due_at timestamp(3) without time zone,
    created_at timestamp(3) without time zone DEFAULT (now() AT TIME ZONE 'UTC'::text) NOT NULL,
    updated_at timestamp(3) without time zone DEFAULT (now() AT TIME ZONE 'UTC'::text) NOT NULL
);

-- ==== table: services.mpesa_logs ====
CREATE TABLE services.mpesa_logs (
    id uuid DEFAULT core.new_id() NOT NULL,
    mpesa_receipt character varying(50) NOT NULL,
    phone character varying(20),
    amount numeric(19,2) NOT NULL,
    raw_payload jsonb,
    created_at timestamp(3) without time zone DEFAULT (now() AT TIME ZONE 'UTC'::text) NOT NULL,
    short_code character varying(20),
    account text,
    paid_at timestamp(3) without time zone,
    phone_hash character varying(100),
    payer_name text,
    outcome character varying(20),
    reason character varying(40),
    suggestions text[] DEFAULT '{}'::text[] NOT NULL,
    wallet_id character varying(20),
    lane smallint
);

-- ==== table: services.mpesa_matches ====
CREATE TABLE services.mpesa_matches (
    line_id uuid NOT NULL,
    transaction_id uuid NOT NULL,
    created_at timestamp(3) without time zone DEFAULT (now() AT TIME ZONE 'UTC'::text) NOT NULL
);

-- ==== table: services.mpesa_payment_events ====
CREATE TABLE services.mpesa_payment_events (
    id uuid DEFAULT core.new_id() NOT NULL,
    payment_id uuid NOT NULL,
    place smallint NOT NULL,
    kind character varying(20) NOT NULL,
    status character varying(10) NOT NULL,
    reason character varying(40),
    result_code character varying(40),
    receipt character varying(50),
    created_at timestamp(3) without time zone DEFAULT (now() AT TIME ZONE 'UTC'::text) NOT NULL
);

-- ==== table: services.mpesa_payments ====
CREATE TABLE services.mpesa_payments (
    id uuid DEFAULT core.new_id() NOT NULL,
    wallet_id character varying(20) NOT NULL,
    amount numeric(19,2) NOT NULL,
    phone character varying(20) NOT NULL,
    reference character varying(12) NOT NULL,
    description character varying(13) NOT NULL,
    short_code character varying(20) NOT NULL,
    status character varying(10) DEFAULT 'REQUESTED'::character varying NOT NULL,
    reason character varying(40),
    result_code character varying(40),
    merchant_request_id character varying(100),
    checkout_request_id character varying(100),
    receipt character varying(50),
    is_flagged boolean DEFAULT false NOT NULL,
    attempts smallint DEFAULT 1 NOT NULL,
    checks smallint DEFAULT 0 NOT NULL,
    is_sending boolean DEFAULT true NOT NULL,
    due_at timestamp(3) without time zone,
    created_at timestamp(3) without time zone DEFAULT (now() AT TIME ZONE 'UTC'::text) NOT NULL,
    updated_at timestamp(3) without time zone DEFAULT (now() AT TIME ZONE 'UTC'::text) NOT NULL,
    lane smallint NOT NULL
);

-- ==== table: services.mpesa_periods ====
CREATE TABLE services.mpesa_periods (
    id uuid DEFAULT core.new_id() NOT NULL,
    short_code character varying(20) NOT NULL,
    from_at timestamp(3) without time zone NOT NULL,
    to_at timestamp(3) without time zone NOT NULL,
    status character varying(10) DEFAULT 'CLOSING'::character varying NOT NULL,
    closed_at timestamp(3) without time zone NOT NULL,
    closed_by character varying(100) NOT NULL,
    report_id uuid,
    closing numeric(19,2),
    "float" numeric(19,2),
    items text,
    reopened_at timestamp(3) without time zone,
    reopened_by character varying(100),
    reopened_for text
);

-- ==== table: services.mpesa_reconciliation_runs ====
CREATE TABLE services.mpesa_reconciliation_runs (
    id uuid DEFAULT core.new_id() NOT NULL,
    reconciliation_id uuid NOT NULL,
    healed integer NOT NULL,
    run_by character varying(100) NOT NULL,
    created_at timestamp(3) without time zone DEFAULT (now() AT TIME ZONE 'UTC'::text) NOT NULL
);

-- ==== table: services.mpesa_reconciliations ====
CREATE TABLE services.mpesa_reconciliations (
    id uuid NOT NULL,
    short_code character varying(20) NOT NULL,
    from_at timestamp(3) without time zone NOT NULL,
    to_at timestamp(3) without time zone NOT NULL,
    report text NOT NULL,
    created_at timestamp(3) without time zone DEFAULT (now() AT TIME ZONE 'UTC'::text) NOT NULL
);

-- ==== table: services.mpesa_statement_lines ====
CREATE TABLE services.mpesa_statement_lines (
    id uuid NOT NULL,
    statement_id uuid NOT NULL,
    form character(1) NOT NULL,
    row_number integer NOT NULL,
    short_code character varying(20) NOT NULL,
    account_key character varying(100) DEFAULT ''::character varying NOT NULL,
    receipt character varying(20) NOT NULL,
    completed_at timestamp(3) without time zone NOT NULL,
    details text NOT NULL,
    status text NOT NULL,
    is_completed boolean NOT NULL,
    kind character varying(20) NOT NULL,
    paid_in numeric(19,2) NOT NULL,
    withdrawn numeric(19,2) NOT NULL,
    balance numeric(19,2),
    reason text NOT NULL,
    account text,
    phone character varying(20),
    payer_name text,
    linked_receipt character varying(20)
);

-- ==== table: services.mpesa_statements ====
CREATE TABLE services.mpesa_statements (
    id uuid NOT NULL,
    sha256 character varying(64) NOT NULL,
    form character(1) NOT NULL,
    short_code character varying(20) NOT NULL,
    account character varying(100),
    from_at timestamp(3) without time zone,
    to_at timestamp(3) without time zone,
    opening numeric(19,2),
    closing numeric(19,2),
    stated_paid_in numeric(19,2),
    stated_withdrawn numeric(19,2),
    paid_in numeric(19,2) DEFAULT 0 NOT NULL,
    withdrawn numeric(19,2) DEFAULT 0 NOT NULL,
    first_balance numeric(19,2),
    last_balance numeric(19,2),
    balance_breaks integer DEFAULT 0 NOT NULL,
    first_break integer,
    rows integer DEFAULT 0 NOT NULL,
    lines integer DEFAULT 0 NOT NULL,
    duplicate_lines integer DEFAULT 0 NOT NULL,
    skipped integer DEFAULT 0 NOT NULL,
    skipped_rows text[] DEFAULT ARRAY[]::text[],
    imported_by character varying(100) NOT NULL,
    created_at timestamp(3) without time zone DEFAULT (now() AT TIME ZONE 'UTC'::text) NOT NULL
);

-- ==== table: services.mpesa_witnesses ====
CREATE TABLE services.mpesa_witnesses (
    receipt character varying(50) NOT NULL,
    kind character varying(20) NOT NULL,
    amount numeric(19,2) NOT NULL,
    short_code character varying(20) NOT NULL,
    account text,
    phone character varying(20),
    phone_hash character varying(100),
    payer_name text,
    wallet_id character varying(20),
    created_at timestamp(3) without time zone DEFAULT (now() AT TIME ZONE 'UTC'::text) NOT NULL
);

-- ==== table: services.sms_delivery_reports ====
CREATE TABLE services.sms_delivery_reports (
    id uuid DEFAULT core.new_id() NOT NULL,
    provider character varying(30) NOT NULL,
    provider_message_id character varying(255),
    state character varying(20),
    status character varying(50),
    reason character varying(100),
    explanation character varying(200),
    network character varying(20),
    retry_count integer,
    phone character varying(20),
    sms_id uuid,
    outcome character varying(20) NOT NULL,
    body bytea NOT NULL,
    received_at timestamp(3) without time zone DEFAULT (now() AT TIME ZONE 'UTC'::text) NOT NULL
);

-- ==== table: services.sms_events ====
CREATE TABLE services.sms_events (
    id uuid DEFAULT core.new_id() NOT NULL,
    sms_id uuid NOT NULL,
    kind character varying(20) NOT NULL,
    attempt smallint NOT NULL,
    actor character varying(100),
    detail text,
    created_at timestamp(3) without time zone DEFAULT (now() AT TIME ZONE 'UTC'::text) NOT NULL
);

-- ==== table: services.sms_last_told ====
CREATE TABLE services.sms_last_told (
    wallet_id character varying(20) NOT NULL,
    template character varying(40) NOT NULL,
    told_at timestamp(3) without time zone NOT NULL
);

-- ==== table: services.sms_logs ====
CREATE TABLE services.sms_logs (
    id uuid DEFAULT core.new_id() NOT NULL,
    recipient character varying(20),
    message text NOT NULL,
    cost numeric(10,4),
    status character varying(20) DEFAULT 'PENDING'::character varying NOT NULL,
    provider_message_id character varying(255),
    error_message text,
    created_at timestamp(3) without time zone DEFAULT (now() AT TIME ZONE 'UTC'::text) NOT NULL,
    transaction_reference character varying(50),
    template character varying(40) DEFAULT 'message'::character varying NOT NULL,
    language character(2) DEFAULT 'en'::bpchar NOT NULL,
    priority smallint DEFAULT 0 NOT NULL,
    recipient_hash character varying(64),
    phase character varying(10) DEFAULT 'QUEUED'::character varying NOT NULL,
    attempts smallint DEFAULT 0 NOT NULL,
    next_attempt_at timestamp(3) without time zone DEFAULT (now() AT TIME ZONE 'UTC'::text) NOT NULL,
    claimed_by character varying(64),
    claimed_at timestamp(3) without time zone,
    lease_until timestamp(3) without time zone,
    provider character varying(30),
    answered_at timestamp(3) without time zone,
    currency character(3),
    expected_parts smallint,
    parts smallint,
    encoding character varying(10),
    network character varying(20),
    error_code character varying(40),
    delivery_state character varying(20),
    delivery_status character varying(50),
    delivery_reason character varying(100),
    delivery_updated_at timestamp(3) without time zone,
    delivered_at timestamp(3) without time zone,
    sent_at timestamp(3) without time zone,
    settled_at timestamp(3) without time zone,
    decided_by character varying(100),
    decided_at timestamp(3) without time zone,
    decision_note text,
    request_digest character varying(64),
    lane smallint
) WITH (autovacuum_vacuum_scale_factor=0.01, autovacuum_vacuum_threshold=10000, autovacuum_analyze_scale_factor=0.02, autovacuum_vacuum_cost_delay=1);

-- ==== table: services.sms_opt_outs ====
CREATE TABLE services.sms_opt_outs (
    number character varying(20) NOT NULL,
    sender_id character varying(20) DEFAULT ''::character varying NOT NULL,
    number_hash character varying(64) NOT NULL,
    opted_out_at timestamp(3) without time zone DEFAULT (now() AT TIME ZONE 'UTC'::text) NOT NULL
);

-- ==== table: services.sms_spend ====
CREATE TABLE services.sms_spend (
    day date NOT NULL,
    currency character(3) NOT NULL,
    messages bigint DEFAULT 0 NOT NULL,
    parts bigint DEFAULT 0 NOT NULL,
    cost numeric(19,4) DEFAULT 0 NOT NULL
) WITH (fillfactor=20, autovacuum_vacuum_scale_factor=0, autovacuum_vacuum_threshold=500);

-- ==== table: services.sms_template_changes ====
CREATE TABLE services.sms_template_changes (
    id uuid DEFAULT core.new_id() NOT NULL,
    key character varying(40) NOT NULL,
    language character(2) NOT NULL,
    text text NOT NULL,
    changed_by character varying(100) NOT NULL,
    reason text NOT NULL,
    created_at timestamp(3) without time zone DEFAULT (now() AT TIME ZONE 'UTC'::text) NOT NULL
);

-- ==== table: services.sms_templates ====
CREATE TABLE services.sms_templates (
    key character varying(40) NOT NULL,
    language character(2) NOT NULL,
    text text NOT NULL,
    formats text[] NOT NULL,
    changed_at timestamp(3) without time zone DEFAULT (now() AT TIME ZONE 'UTC'::text) NOT NULL
);

-- ==== table: services.webhook_deliveries ====
CREATE TABLE services.webhook_deliveries (
    id uuid DEFAULT core.new_id() NOT NULL,
    event_id uuid NOT NULL,
    webhook_id uuid NOT NULL,
    status character varying(10) DEFAULT 'PENDING'::character varying NOT NULL,
    attempts smallint DEFAULT 0 NOT NULL,
    due_at timestamp(3) without time zone,
    status_code smallint,
    reason character varying(40),
    created_at timestamp(3) without time zone NOT NULL,
    updated_at timestamp(3) without time zone DEFAULT (now() AT TIME ZONE 'UTC'::text) NOT NULL,
    resent_by character varying(100),
    resent_at timestamp(3) without time zone
);

-- ==== table: services.webhook_events ====
CREATE TABLE services.webhook_events (
    id uuid DEFAULT core.new_id() NOT NULL,
    type character varying(40) NOT NULL,
    data jsonb NOT NULL,
    created_at timestamp(3) without time zone NOT NULL
);

-- ==== table: services.webhooks ====
CREATE TABLE services.webhooks (
    id uuid DEFAULT core.new_id() NOT NULL,
    url character varying(2000) NOT NULL,
    events text[],
    description character varying(200),
    secret bytea,
    status character varying(10) DEFAULT 'ACTIVE'::character varying NOT NULL,
    created_by character varying(100) NOT NULL,
    created_at timestamp(3) without time zone DEFAULT (now() AT TIME ZONE 'UTC'::text) NOT NULL,
    disabled_by character varying(100),
    disabled_at timestamp(3) without time zone,
    disabled_for character varying(40)
);

-- ==== function: core.open_wallet ====
CREATE OR REPLACE FUNCTION core.open_wallet(p_number text, p_holder_name text, p_phone text, p_currency text DEFAULT 'KES'::text, p_language text DEFAULT 'en'::text, p_key text DEFAULT NULL::text, p_digest text DEFAULT NULL::text, OUT outcome text, OUT reason text, OUT wallet core.wallets)
 RETURNS record
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
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
        INSERT INTO core.wallets AS w (id, holder_name, phone, currency, language, lane)
        VALUES (p_number, p_holder_name, core.normalize_phone(p_phone), p_currency, p_language, core.lane_of(p_number))
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
$function$;

-- ==== function: services.queue_movement_webhook ====
CREATE OR REPLACE FUNCTION services.queue_movement_webhook(p_movement core.transactions)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
DECLARE
    v_from    constant text := core.account_of(p_movement.debit_wallet_id);
    v_to      constant text := core.account_of(p_movement.credit_wallet_id);
    o         core.transactions; -- what it reverses
    v_outcome text;
BEGIN
    IF NOT EXISTS (SELECT FROM services.webhooks w WHERE w.status = 'ACTIVE') THEN
        RETURN;
    END IF;
    SELECT * INTO o FROM core.transactions t WHERE t.id = p_movement.reverses_id;
    v_outcome := CASE
        WHEN p_movement.type = 'ASSIGNMENT' AND v_from = 'SUSPENSE' THEN 'assigned'
        WHEN p_movement.type = 'ASSIGNMENT' THEN 'moved'
        WHEN o.type = 'ASSIGNMENT' AND v_to = 'SUSPENSE' THEN 'suspense'
        WHEN o.type = 'ASSIGNMENT' THEN 'moved'
        WHEN o.type = 'DEPOSIT' AND p_movement.reference = 'CR-' || o.reference THEN 'corrected'
        WHEN o.type = 'DEPOSIT' THEN 'reversed'
    END;
    IF v_outcome IS NULL THEN
        RETURN;
    END IF;
    PERFORM services.queue_change_webhook(
        p_receipt => regexp_replace(coalesce(o.reference, p_movement.reference), '^(AS[0-9]*|CR)-', ''),
        p_outcome => v_outcome, p_amount => p_movement.amount, p_currency => p_movement.currency,
        p_wallet => (SELECT w.id FROM core.wallets w WHERE w.id = v_to AND w.kind = 'CUSTOMER'),
        p_from => (SELECT w.id FROM core.wallets w WHERE w.id = v_from AND w.kind = 'CUSTOMER'),
        p_reference => p_movement.reference,
        p_reason => CASE WHEN o.type = 'ASSIGNMENT' THEN 'assignment_reversed' WHEN v_from = 'RECEIVABLES' THEN 'owed' END,
        p_at => p_movement.created_at
    );
END
$function$;

-- ==== function: services.retell_masked ====
CREATE OR REPLACE FUNCTION services.retell_masked(p_assignment core.transactions)
 RETURNS boolean
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
AS $function$
DECLARE
    v_now  constant timestamp(3) := clock_timestamp() AT TIME ZONE 'UTC';
    v_id   uuid;
    v_door text;
    v_done boolean;
BEGIN
    SELECT l.id INTO v_id
      FROM services.sms_logs l
     WHERE l.transaction_reference = regexp_replace(p_assignment.reference, '^AS[0-9]*-', '')
       AND l.template = 'deposit_suspense' AND l.error_code = 'masked_number' AND l.attempts = 0
       AND l.created_at > v_now - interval '1 hour';
    IF v_id IS NULL THEN
        RETURN false;
    END IF;
    v_door := coalesce(current_setting('daftari.door', true), '');
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE services.sms_logs l
       SET recipient = w.phone, recipient_hash = NULL, template = 'suspense_assigned', language = w.language, lane = w.lane,
           transaction_reference = p_assignment.reference, status = 'PENDING', phase = 'QUEUED',
           error_code = NULL, error_message = NULL, settled_at = NULL, next_attempt_at = v_now,
           message = services.sms_text(
               p_formats => m.formats, p_language => w.language, p_reference => p_assignment.reference,
               p_amount => p_assignment.amount, p_currency => p_assignment.currency, p_wallet => w.id,
               p_name => core.account_of(p_assignment.debit_wallet_id), p_balance => p_assignment.credit_balance_after
           )
      FROM core.wallets w
      LEFT JOIN services.sms_templates m ON m.key = 'suspense_assigned' AND m.language = w.language
     WHERE l.id = v_id AND w.id = p_assignment.credit_wallet_id AND w.phone IS NOT NULL;
    v_done := FOUND;
    PERFORM set_config('daftari.door', v_door, true);
    RETURN v_done;
END
$function$;

-- ==== constraint: api_keys_pkey on services.api_keys ====
ALTER TABLE services.api_keys
    ADD CONSTRAINT api_keys_pkey PRIMARY KEY (id);

-- ==== constraint: api_keys_scopes_check on services.api_keys ====
ALTER TABLE services.api_keys
    ADD CONSTRAINT api_keys_scopes_check CHECK (((scopes <@ ARRAY['read'::text, 'transact'::text, 'admin'::text]) AND (cardinality(scopes) > 0)));

-- ==== constraint: daraja_tokens_pkey on services.daraja_tokens ====
ALTER TABLE services.daraja_tokens
    ADD CONSTRAINT daraja_tokens_pkey PRIMARY KEY (client);

-- ==== constraint: fee_rule_events_kind_check on core.fee_rule_events ====
ALTER TABLE core.fee_rule_events
    ADD CONSTRAINT fee_rule_events_kind_check CHECK (((kind)::text = ANY (ARRAY[('SET'::character varying)::text, ('REPLACED'::character varying)::text, ('ENDED'::character varying)::text, ('RESTORED'::character varying)::text])));

-- ==== constraint: fee_rule_events_pkey on core.fee_rule_events ====
ALTER TABLE core.fee_rule_events
    ADD CONSTRAINT fee_rule_events_pkey PRIMARY KEY (rule_id, version);

-- ==== constraint: fee_rules_amounts_check on core.fee_rules ====
ALTER TABLE core.fee_rules
    ADD CONSTRAINT fee_rules_amounts_check CHECK (((flat >= (0)::numeric) AND (rate >= (0)::numeric) AND (rate < (1)::numeric)));

-- ==== constraint: fee_rules_min_amount_check on core.fee_rules ====
ALTER TABLE core.fee_rules
    ADD CONSTRAINT fee_rules_min_amount_check CHECK ((min_amount >= (0)::numeric));

-- ==== constraint: fee_rules_payer_check on core.fee_rules ====
ALTER TABLE core.fee_rules
    ADD CONSTRAINT fee_rules_payer_check CHECK (((payer)::text = ANY (ARRAY[('SENDER'::character varying)::text, ('RECEIVER'::character varying)::text])));

-- ==== constraint: fee_rules_period_check on core.fee_rules ====
ALTER TABLE core.fee_rules
    ADD CONSTRAINT fee_rules_period_check CHECK ((valid_until >= valid_from));

-- ==== constraint: fee_rules_pkey on core.fee_rules ====
ALTER TABLE core.fee_rules
    ADD CONSTRAINT fee_rules_pkey PRIMARY KEY (id);

-- ==== constraint: fee_rules_type_check on core.fee_rules ====
ALTER TABLE core.fee_rules
    ADD CONSTRAINT fee_rules_type_check CHECK (((transaction_type)::text = ANY (ARRAY[('TRANSFER'::character varying)::text, ('WITHDRAWAL'::character varying)::text])));

-- ==== constraint: holds_amount_check on core.holds ====
ALTER TABLE core.holds
    ADD CONSTRAINT holds_amount_check CHECK ((amount > (0)::numeric));

-- ==== constraint: holds_capture_check on core.holds ====
ALTER TABLE core.holds
    ADD CONSTRAINT holds_capture_check CHECK (((capture_reference IS NULL) OR ((status)::text = 'CAPTURED'::text)));

-- ==== constraint: holds_captured_check on core.holds ====
ALTER TABLE core.holds
    ADD CONSTRAINT holds_captured_check CHECK (((captured >= (0)::numeric) AND (captured <= amount)));

-- ==== constraint: holds_closed_check on core.holds ====
ALTER TABLE core.holds
    ADD CONSTRAINT holds_closed_check CHECK ((((status)::text = 'ACTIVE'::text) = (closed_at IS NULL)));

-- ==== constraint: holds_fee_held_check on core.holds ====
ALTER TABLE core.holds
    ADD CONSTRAINT holds_fee_held_check CHECK ((fee_held >= (0)::numeric));

-- ==== constraint: holds_lane_check on core.holds ====
ALTER TABLE core.holds
    ADD CONSTRAINT holds_lane_check CHECK (((lane >= 0) AND (lane <= 15)));

-- ==== constraint: holds_pkey on core.holds ====
ALTER TABLE core.holds
    ADD CONSTRAINT holds_pkey PRIMARY KEY (id);

-- ==== constraint: holds_status_check on core.holds ====
ALTER TABLE core.holds
    ADD CONSTRAINT holds_status_check CHECK (((status)::text = ANY (ARRAY[('ACTIVE'::character varying)::text, ('CAPTURED'::character varying)::text, ('RELEASED'::character varying)::text, ('EXPIRED'::character varying)::text])));

-- ==== constraint: mpesa_break_events_pkey on services.mpesa_break_events ====
ALTER TABLE services.mpesa_break_events
    ADD CONSTRAINT mpesa_break_events_pkey PRIMARY KEY (break_id, version);

-- ==== constraint: mpesa_breaks_assignee_check on services.mpesa_breaks ====
ALTER TABLE services.mpesa_breaks
    ADD CONSTRAINT mpesa_breaks_assignee_check CHECK ((((status)::text <> 'ASSIGNED'::text) OR (assignee IS NOT NULL)));

-- ==== constraint: mpesa_breaks_pkey on services.mpesa_breaks ====
ALTER TABLE services.mpesa_breaks
    ADD CONSTRAINT mpesa_breaks_pkey PRIMARY KEY (id);

-- ==== constraint: mpesa_breaks_proposal_check on services.mpesa_breaks ====
ALTER TABLE services.mpesa_breaks
    ADD CONSTRAINT mpesa_breaks_proposal_check CHECK ((((status)::text <> ALL (ARRAY[('PROPOSED'::character varying)::text, ('APPROVED'::character varying)::text])) OR ((proposed_by IS NOT NULL) AND (reason IS NOT NULL))));

-- ==== constraint: mpesa_breaks_side_check on services.mpesa_breaks ====
ALTER TABLE services.mpesa_breaks
    ADD CONSTRAINT mpesa_breaks_side_check CHECK (((side)::text = ANY (ARRAY[('statement'::character varying)::text, ('ledger'::character varying)::text])));

-- ==== constraint: mpesa_breaks_status_check on services.mpesa_breaks ====
ALTER TABLE services.mpesa_breaks
    ADD CONSTRAINT mpesa_breaks_status_check CHECK (((status)::text = ANY (ARRAY[('OPEN'::character varying)::text, ('ASSIGNED'::character varying)::text, ('PROPOSED'::character varying)::text, ('APPROVED'::character varying)::text, ('RESOLVED'::character varying)::text])));

-- ==== constraint: mpesa_callbacks_outcome_check on services.mpesa_callbacks ====
ALTER TABLE services.mpesa_callbacks
    ADD CONSTRAINT mpesa_callbacks_outcome_check CHECK (((outcome)::text = ANY (ARRAY[('CREDITED'::character varying)::text, ('DUPLICATE'::character varying)::text, ('SUSPENSE'::character varying)::text, ('HELD'::character varying)::text, ('CONFLICT'::character varying)::text, ('QUARANTINED'::character varying)::text, ('VALIDATED'::character varying)::text, ('NOTED'::character varying)::text, ('FAILED'::character varying)::text])));

-- ==== constraint: mpesa_callbacks_pkey on services.mpesa_callbacks ====
ALTER TABLE services.mpesa_callbacks
    ADD CONSTRAINT mpesa_callbacks_pkey PRIMARY KEY (id);

-- ==== constraint: mpesa_decisions_decision_check on services.mpesa_decisions ====
ALTER TABLE services.mpesa_decisions
    ADD CONSTRAINT mpesa_decisions_decision_check CHECK (((decision)::text = ANY (ARRAY[('KEPT'::character varying)::text, ('CORRECTED'::character varying)::text, ('REPLAYED'::character varying)::text, ('RELEASED'::character varying)::text, ('REJECTED'::character varying)::text, ('REFUND'::character varying)::text, ('NO_REFUND'::character varying)::text, ('ASSIGNED'::character varying)::text, ('MOVED'::character varying)::text, ('REVIEWED'::character varying)::text])));

-- ==== constraint: mpesa_decisions_pkey on services.mpesa_decisions ====
ALTER TABLE services.mpesa_decisions
    ADD CONSTRAINT mpesa_decisions_pkey PRIMARY KEY (id);

-- ==== constraint: mpesa_decisions_reason_check on services.mpesa_decisions ====
ALTER TABLE services.mpesa_decisions
    ADD CONSTRAINT mpesa_decisions_reason_check CHECK (((reason IS NOT NULL) OR ((decision)::text = 'ASSIGNED'::text)));

-- ==== constraint: mpesa_decisions_subject_check on services.mpesa_decisions ====
ALTER TABLE services.mpesa_decisions
    ADD CONSTRAINT mpesa_decisions_subject_check CHECK (((callback_id IS NOT NULL) OR (receipt IS NOT NULL)));

-- ==== constraint: mpesa_inquiries_pkey on services.mpesa_inquiries ====
ALTER TABLE services.mpesa_inquiries
    ADD CONSTRAINT mpesa_inquiries_pkey PRIMARY KEY (id);

-- ==== constraint: mpesa_inquiries_status_check on services.mpesa_inquiries ====
ALTER TABLE services.mpesa_inquiries
    ADD CONSTRAINT mpesa_inquiries_status_check CHECK (((status)::text = ANY (ARRAY[('OPEN'::character varying)::text, ('PROVED'::character varying)::text, ('REFUTED'::character varying)::text, ('ENDED'::character varying)::text])));

-- ==== constraint: mpesa_logs_amount_check on services.mpesa_logs ====
ALTER TABLE services.mpesa_logs
    ADD CONSTRAINT mpesa_logs_amount_check CHECK ((amount > (0)::numeric));

-- ==== constraint: mpesa_logs_outcome_check on services.mpesa_logs ====
ALTER TABLE services.mpesa_logs
    ADD CONSTRAINT mpesa_logs_outcome_check CHECK (((outcome)::text = ANY (ARRAY[('CREDITED'::character varying)::text, ('SUSPENSE'::character varying)::text, ('HELD'::character varying)::text])));

-- ==== constraint: mpesa_logs_pkey on services.mpesa_logs ====
ALTER TABLE services.mpesa_logs
    ADD CONSTRAINT mpesa_logs_pkey PRIMARY KEY (id);

-- ==== constraint: mpesa_matches_pkey on services.mpesa_matches ====
ALTER TABLE services.mpesa_matches
    ADD CONSTRAINT mpesa_matches_pkey PRIMARY KEY (line_id);

-- ==== constraint: mpesa_payment_events_pkey on services.mpesa_payment_events ====
ALTER TABLE services.mpesa_payment_events
    ADD CONSTRAINT mpesa_payment_events_pkey PRIMARY KEY (id);

-- ==== constraint: mpesa_payments_amount_check on services.mpesa_payments ====
ALTER TABLE services.mpesa_payments
    ADD CONSTRAINT mpesa_payments_amount_check CHECK (((amount >= (1)::numeric) AND (amount = trunc(amount))));

-- ==== constraint: mpesa_payments_lane_check on services.mpesa_payments ====
ALTER TABLE services.mpesa_payments
    ADD CONSTRAINT mpesa_payments_lane_check CHECK (((lane >= 0) AND (lane <= 15)));

-- ==== constraint: mpesa_payments_pkey on services.mpesa_payments ====
ALTER TABLE services.mpesa_payments
    ADD CONSTRAINT mpesa_payments_pkey PRIMARY KEY (id);

-- ==== constraint: mpesa_payments_receipt_check on services.mpesa_payments ====
ALTER TABLE services.mpesa_payments
    ADD CONSTRAINT mpesa_payments_receipt_check CHECK ((((status)::text = 'PAID'::text) = (receipt IS NOT NULL)));

-- ==== constraint: mpesa_payments_status_check on services.mpesa_payments ====
ALTER TABLE services.mpesa_payments
    ADD CONSTRAINT mpesa_payments_status_check CHECK (((status)::text = ANY (ARRAY[('REQUESTED'::character varying)::text, ('PENDING'::character varying)::text, ('PAID'::character varying)::text, ('FAILED'::character varying)::text, ('UNKNOWN'::character varying)::text])));

-- ==== constraint: mpesa_periods_closed_check on services.mpesa_periods ====
ALTER TABLE services.mpesa_periods
    ADD CONSTRAINT mpesa_periods_closed_check CHECK ((((status)::text <> ALL (ARRAY[('CLOSED'::character varying)::text, ('REOPENED'::character varying)::text])) OR (report_id IS NOT NULL)));

-- ==== constraint: mpesa_periods_pkey on services.mpesa_periods ====
ALTER TABLE services.mpesa_periods
    ADD CONSTRAINT mpesa_periods_pkey PRIMARY KEY (id);

-- ==== constraint: mpesa_periods_reopened_check on services.mpesa_periods ====
ALTER TABLE services.mpesa_periods
    ADD CONSTRAINT mpesa_periods_reopened_check CHECK ((((status)::text = 'REOPENED'::text) = ((reopened_at IS NOT NULL) AND (reopened_by IS NOT NULL) AND (reopened_for IS NOT NULL))));

-- ==== constraint: mpesa_periods_span_check on services.mpesa_periods ====
ALTER TABLE services.mpesa_periods
    ADD CONSTRAINT mpesa_periods_span_check CHECK ((from_at < to_at));

-- ==== constraint: mpesa_periods_status_check on services.mpesa_periods ====
ALTER TABLE services.mpesa_periods
    ADD CONSTRAINT mpesa_periods_status_check CHECK (((status)::text = ANY (ARRAY[('CLOSING'::character varying)::text, ('CLOSED'::character varying)::text, ('REFUSED'::character varying)::text, ('REOPENED'::character varying)::text])));

-- ==== constraint: mpesa_reconciliation_runs_healed_check on services.mpesa_reconciliation_runs ====
ALTER TABLE services.mpesa_reconciliation_runs
    ADD CONSTRAINT mpesa_reconciliation_runs_healed_check CHECK ((healed >= 0));

-- ==== constraint: mpesa_reconciliation_runs_pkey on services.mpesa_reconciliation_runs ====
ALTER TABLE services.mpesa_reconciliation_runs
    ADD CONSTRAINT mpesa_reconciliation_runs_pkey PRIMARY KEY (id);

-- ==== constraint: mpesa_reconciliations_pkey on services.mpesa_reconciliations ====
ALTER TABLE services.mpesa_reconciliations
    ADD CONSTRAINT mpesa_reconciliations_pkey PRIMARY KEY (id);

-- ==== constraint: mpesa_statement_lines_form_check on services.mpesa_statement_lines ====
ALTER TABLE services.mpesa_statement_lines
    ADD CONSTRAINT mpesa_statement_lines_form_check CHECK ((form = ANY (ARRAY['A'::bpchar, 'B'::bpchar, 'C'::bpchar])));

-- ==== constraint: mpesa_statement_lines_kind_check on services.mpesa_statement_lines ====
ALTER TABLE services.mpesa_statement_lines
    ADD CONSTRAINT mpesa_statement_lines_kind_check CHECK (((kind)::text = ANY (ARRAY[('payment'::character varying)::text, ('charge'::character varying)::text, ('sweep'::character varying)::text, ('reversal'::character varying)::text, ('payout'::character varying)::text, ('other'::character varying)::text])));

-- ==== constraint: mpesa_statement_lines_pkey on services.mpesa_statement_lines ====
ALTER TABLE services.mpesa_statement_lines
    ADD CONSTRAINT mpesa_statement_lines_pkey PRIMARY KEY (id);

-- ==== constraint: mpesa_statement_lines_receipt_check on services.mpesa_statement_lines ====
ALTER TABLE services.mpesa_statement_lines
    ADD CONSTRAINT mpesa_statement_lines_receipt_check CHECK (((receipt)::text ~ '^[A-Z0-9]{1,20}$'::text));

-- ==== constraint: mpesa_statement_lines_sides_check on services.mpesa_statement_lines ====
ALTER TABLE services.mpesa_statement_lines
    ADD CONSTRAINT mpesa_statement_lines_sides_check CHECK (((paid_in >= (0)::numeric) AND (withdrawn >= (0)::numeric) AND ((paid_in = (0)::numeric) OR (withdrawn = (0)::numeric))));

-- ==== constraint: mpesa_statements_form_check on services.mpesa_statements ====
ALTER TABLE services.mpesa_statements
    ADD CONSTRAINT mpesa_statements_form_check CHECK ((form = ANY (ARRAY['A'::bpchar, 'B'::bpchar, 'C'::bpchar])));

-- ==== constraint: mpesa_statements_pkey on services.mpesa_statements ====
ALTER TABLE services.mpesa_statements
    ADD CONSTRAINT mpesa_statements_pkey PRIMARY KEY (id);

-- ==== constraint: mpesa_statements_rows_check on services.mpesa_statements ====
ALTER TABLE services.mpesa_statements
    ADD CONSTRAINT mpesa_statements_rows_check CHECK (((rows = ((lines + duplicate_lines) + skipped)) AND (lines >= 0) AND (duplicate_lines >= 0) AND (skipped >= 0)));

-- ==== constraint: mpesa_witnesses_pkey on services.mpesa_witnesses ====
ALTER TABLE services.mpesa_witnesses
    ADD CONSTRAINT mpesa_witnesses_pkey PRIMARY KEY (receipt, kind);

-- ==== constraint: requests_answer_check on core.requests ====
ALTER TABLE core.requests
    ADD CONSTRAINT requests_answer_check CHECK (
CASE outcome
    WHEN 'POSTED'::text THEN (reference IS NOT NULL)
    ELSE (reason IS NOT NULL)
END);

-- ==== constraint: requests_outcome_check on core.requests ====
ALTER TABLE core.requests
    ADD CONSTRAINT requests_outcome_check CHECK (((outcome)::text = ANY (ARRAY[('POSTED'::character varying)::text, ('REFUSED'::character varying)::text])));

-- ==== constraint: requests_pkey on core.requests ====
ALTER TABLE core.requests
    ADD CONSTRAINT requests_pkey PRIMARY KEY (idempotency_key);

-- ==== constraint: sms_delivery_reports_outcome_check on services.sms_delivery_reports ====
ALTER TABLE services.sms_delivery_reports
    ADD CONSTRAINT sms_delivery_reports_outcome_check CHECK (((outcome)::text = ANY (ARRAY[('APPLIED'::character varying)::text, ('STALE'::character varying)::text, ('PARKED'::character varying)::text, ('MISMATCHED'::character varying)::text, ('AMBIGUOUS'::character varying)::text, ('QUARANTINED'::character varying)::text])));

-- ==== constraint: sms_delivery_reports_pkey on services.sms_delivery_reports ====
ALTER TABLE services.sms_delivery_reports
    ADD CONSTRAINT sms_delivery_reports_pkey PRIMARY KEY (id);

-- ==== constraint: sms_delivery_reports_state_check on services.sms_delivery_reports ====
ALTER TABLE services.sms_delivery_reports
    ADD CONSTRAINT sms_delivery_reports_state_check CHECK (((state)::text = ANY (ARRAY[('unknown'::character varying)::text, ('accepted'::character varying)::text, ('submitted'::character varying)::text, ('buffered'::character varying)::text, ('absent'::character varying)::text, ('rejected'::character varying)::text, ('failed'::character varying)::text, ('expired'::character varying)::text, ('delivered'::character varying)::text])));

-- ==== constraint: sms_events_kind_check on services.sms_events ====
ALTER TABLE services.sms_events
    ADD CONSTRAINT sms_events_kind_check CHECK (((kind)::text = ANY (ARRAY[('RETRY'::character varying)::text, ('UNKNOWN'::character varying)::text, ('DECIDED'::character varying)::text, ('LATE_ANSWER'::character varying)::text])));

-- ==== constraint: sms_events_pkey on services.sms_events ====
ALTER TABLE services.sms_events
    ADD CONSTRAINT sms_events_pkey PRIMARY KEY (id);

-- ==== constraint: sms_last_told_pkey on services.sms_last_told ====
ALTER TABLE services.sms_last_told
    ADD CONSTRAINT sms_last_told_pkey PRIMARY KEY (wallet_id, template);

-- ==== constraint: sms_logs_attempt_check on services.sms_logs ====
ALTER TABLE services.sms_logs
    ADD CONSTRAINT sms_logs_attempt_check CHECK ((((phase)::text <> ALL (ARRAY[('SENDING'::character varying)::text, ('UNKNOWN'::character varying)::text])) OR ((attempts > 0) AND (provider IS NOT NULL) AND (claimed_at IS NOT NULL))));

-- ==== constraint: sms_logs_language_check on services.sms_logs ====
ALTER TABLE services.sms_logs
    ADD CONSTRAINT sms_logs_language_check CHECK ((language = ANY (ARRAY['en'::bpchar, 'sw'::bpchar])));

-- ==== constraint: sms_logs_lease_check on services.sms_logs ====
ALTER TABLE services.sms_logs
    ADD CONSTRAINT sms_logs_lease_check CHECK ((((phase)::text = 'SENDING'::text) = (lease_until IS NOT NULL)));

-- ==== constraint: sms_logs_phase_check on services.sms_logs ====
ALTER TABLE services.sms_logs
    ADD CONSTRAINT sms_logs_phase_check CHECK (
CASE phase
    WHEN 'QUEUED'::text THEN ((status)::text = 'PENDING'::text)
    WHEN 'SENDING'::text THEN ((status)::text = 'PENDING'::text)
    WHEN 'UNKNOWN'::text THEN ((status)::text = 'PENDING'::text)
    WHEN 'DONE'::text THEN ((status)::text <> 'PENDING'::text)
    ELSE false
END);

-- ==== constraint: sms_logs_pkey on services.sms_logs ====
ALTER TABLE services.sms_logs
    ADD CONSTRAINT sms_logs_pkey PRIMARY KEY (id);

-- ==== constraint: sms_logs_priority_check on services.sms_logs ====
ALTER TABLE services.sms_logs
    ADD CONSTRAINT sms_logs_priority_check CHECK ((priority = ANY (ARRAY[0, 1])));

-- ==== constraint: sms_logs_status_check on services.sms_logs ====
ALTER TABLE services.sms_logs
    ADD CONSTRAINT sms_logs_status_check CHECK (((status)::text = ANY (ARRAY[('SENT'::character varying)::text, ('FAILED'::character varying)::text, ('PENDING'::character varying)::text])));

-- ==== constraint: sms_opt_outs_pkey on services.sms_opt_outs ====
ALTER TABLE services.sms_opt_outs
    ADD CONSTRAINT sms_opt_outs_pkey PRIMARY KEY (number, sender_id);

-- ==== constraint: sms_spend_pkey on services.sms_spend ====
ALTER TABLE services.sms_spend
    ADD CONSTRAINT sms_spend_pkey PRIMARY KEY (day, currency);

-- ==== constraint: sms_template_changes_pkey on services.sms_template_changes ====
ALTER TABLE services.sms_template_changes
    ADD CONSTRAINT sms_template_changes_pkey PRIMARY KEY (id);

-- ==== constraint: sms_templates_formats_check on services.sms_templates ====
ALTER TABLE services.sms_templates
    ADD CONSTRAINT sms_templates_formats_check CHECK ((cardinality(formats) = 4));

-- ==== constraint: sms_templates_language_check on services.sms_templates ====
ALTER TABLE services.sms_templates
    ADD CONSTRAINT sms_templates_language_check CHECK ((language = ANY (ARRAY['en'::bpchar, 'sw'::bpchar])));

-- ==== constraint: sms_templates_pkey on services.sms_templates ====
ALTER TABLE services.sms_templates
    ADD CONSTRAINT sms_templates_pkey PRIMARY KEY (key, language);

-- ==== constraint: transactions_amount_check on core.transactions ====
ALTER TABLE core.transactions
    ADD CONSTRAINT transactions_amount_check CHECK ((amount > (0)::numeric));

-- ==== constraint: transactions_pkey on core.transactions ====
ALTER TABLE core.transactions
    ADD CONSTRAINT transactions_pkey PRIMARY KEY (id);

-- ==== constraint: transactions_request_check on core.transactions ====
ALTER TABLE core.transactions
    ADD CONSTRAINT transactions_request_check CHECK (((idempotency_key IS NULL) = (request_digest IS NULL)));

-- ==== constraint: transactions_reverses_check on core.transactions ====
ALTER TABLE core.transactions
    ADD CONSTRAINT transactions_reverses_check CHECK ((((type)::text = 'REVERSAL'::text) = (reverses_id IS NOT NULL)));

-- ==== constraint: transactions_type_check on core.transactions ====
ALTER TABLE core.transactions
    ADD CONSTRAINT transactions_type_check CHECK (((type)::text = ANY (ARRAY[('DEPOSIT'::character varying)::text, ('TRANSFER'::character varying)::text, ('WITHDRAWAL'::character varying)::text, ('FEE'::character varying)::text, ('REVERSAL'::character varying)::text, ('ASSIGNMENT'::character varying)::text])));

-- ==== constraint: transactions_wallets_check on core.transactions ====
ALTER TABLE core.transactions
    ADD CONSTRAINT transactions_wallets_check CHECK (((debit_wallet_id)::text <> (credit_wallet_id)::text));

-- ==== constraint: wallet_events_pkey on core.wallet_events ====
ALTER TABLE core.wallet_events
    ADD CONSTRAINT wallet_events_pkey PRIMARY KEY (id);

-- ==== constraint: wallets_currency_check on core.wallets ====
ALTER TABLE core.wallets
    ADD CONSTRAINT wallets_currency_check CHECK (((currency = 'KES'::bpchar) OR (currency ~ '^[A-Z]{3}$'::text)));

-- ==== constraint: wallets_funds_check on core.wallets ====
ALTER TABLE core.wallets
    ADD CONSTRAINT wallets_funds_check CHECK (((balance - held) >= min_balance));

-- ==== constraint: wallets_held_check on core.wallets ====
ALTER TABLE core.wallets
    ADD CONSTRAINT wallets_held_check CHECK ((held >= (0)::numeric));

-- ==== constraint: wallets_kind_check on core.wallets ====
ALTER TABLE core.wallets
    ADD CONSTRAINT wallets_kind_check CHECK (((kind)::text = ANY (ARRAY[('CUSTOMER'::character varying)::text, ('SYSTEM'::character varying)::text])));

-- ==== constraint: wallets_lane_check on core.wallets ====
ALTER TABLE core.wallets
    ADD CONSTRAINT wallets_lane_check CHECK (((lane >= 0) AND (lane <= 15)));

-- ==== constraint: wallets_language_check on core.wallets ====
ALTER TABLE core.wallets
    ADD CONSTRAINT wallets_language_check CHECK ((language = ANY (ARRAY['en'::bpchar, 'sw'::bpchar])));

-- ==== constraint: wallets_phone_check on core.wallets ====
ALTER TABLE core.wallets
    ADD CONSTRAINT wallets_phone_check CHECK (((length((phone)::text) >= 9) AND (length((phone)::text) <= 15) AND ((phone)::text !~ '[^0-9]'::text)));

-- ==== constraint: wallets_pkey on core.wallets ====
ALTER TABLE core.wallets
    ADD CONSTRAINT wallets_pkey PRIMARY KEY (id);

-- ==== constraint: wallets_status_check on core.wallets ====
ALTER TABLE core.wallets
    ADD CONSTRAINT wallets_status_check CHECK (((status)::text = ANY (ARRAY[('ACTIVE'::character varying)::text, ('FROZEN'::character varying)::text, ('CLOSED'::character varying)::text])));

-- ==== constraint: wallets_version_check on core.wallets ====
ALTER TABLE core.wallets
    ADD CONSTRAINT wallets_version_check CHECK ((version >= 0));

-- ==== constraint: webhook_deliveries_due_check on services.webhook_deliveries ====
ALTER TABLE services.webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_due_check CHECK ((((status)::text = 'PENDING'::text) = (due_at IS NOT NULL)));

-- ==== constraint: webhook_deliveries_pkey on services.webhook_deliveries ====
ALTER TABLE services.webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_pkey PRIMARY KEY (id);

-- ==== constraint: webhook_deliveries_reason_check on services.webhook_deliveries ====
ALTER TABLE services.webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_reason_check CHECK ((((status)::text <> 'FAILED'::text) OR (reason IS NOT NULL)));

-- ==== constraint: webhook_deliveries_status_check on services.webhook_deliveries ====
ALTER TABLE services.webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_status_check CHECK (((status)::text = ANY (ARRAY[('PENDING'::character varying)::text, ('DELIVERED'::character varying)::text, ('FAILED'::character varying)::text])));

-- ==== constraint: webhook_events_pkey on services.webhook_events ====
ALTER TABLE services.webhook_events
    ADD CONSTRAINT webhook_events_pkey PRIMARY KEY (id);

-- ==== constraint: webhooks_disabled_check on services.webhooks ====
ALTER TABLE services.webhooks
    ADD CONSTRAINT webhooks_disabled_check CHECK ((((status)::text = 'DISABLED'::text) = ((disabled_by IS NOT NULL) AND (disabled_at IS NOT NULL) AND (disabled_for IS NOT NULL))));

-- ==== constraint: webhooks_events_check on services.webhooks ====
ALTER TABLE services.webhooks
    ADD CONSTRAINT webhooks_events_check CHECK ((events <> '{}'::text[]));

-- ==== constraint: webhooks_pkey on services.webhooks ====
ALTER TABLE services.webhooks
    ADD CONSTRAINT webhooks_pkey PRIMARY KEY (id);

-- ==== constraint: webhooks_secret_check on services.webhooks ====
ALTER TABLE services.webhooks
    ADD CONSTRAINT webhooks_secret_check CHECK ((((status)::text = 'ACTIVE'::text) = (secret IS NOT NULL)));

-- ==== constraint: webhooks_status_check on services.webhooks ====
ALTER TABLE services.webhooks
    ADD CONSTRAINT webhooks_status_check CHECK (((status)::text = ANY (ARRAY[('ACTIVE'::character varying)::text, ('DISABLED'::character varying)::text])));

-- ==== index: api_keys_key_hash_key on services.api_keys ====
CREATE UNIQUE INDEX api_keys_key_hash_key ON services.api_keys USING btree (key_hash);

-- ==== index: holds_capture_reference_key on core.holds ====
CREATE UNIQUE INDEX holds_capture_reference_key ON core.holds USING btree (capture_reference);

-- ==== index: holds_due_idx on core.holds ====
CREATE INDEX holds_due_idx ON core.holds USING btree (expires_at) WHERE ((status)::text = 'ACTIVE'::text);

-- ==== index: holds_wallet_id_idx on core.holds ====
CREATE INDEX holds_wallet_id_idx ON core.holds USING btree (wallet_id);

-- ==== index: idx_mpesa_callbacks_attention on services.mpesa_callbacks ====
CREATE INDEX idx_mpesa_callbacks_attention ON services.mpesa_callbacks USING btree (outcome, id) WHERE ((outcome)::text = ANY (ARRAY[('HELD'::character varying)::text, ('CONFLICT'::character varying)::text, ('QUARANTINED'::character varying)::text, ('FAILED'::character varying)::text]));

-- ==== index: idx_mpesa_callbacks_receipt on services.mpesa_callbacks ====
CREATE INDEX idx_mpesa_callbacks_receipt ON services.mpesa_callbacks USING btree (receipt) WHERE (receipt IS NOT NULL);

-- ==== index: idx_mpesa_logs_created on services.mpesa_logs ====
CREATE INDEX idx_mpesa_logs_created ON services.mpesa_logs USING btree (created_at, id);

-- ==== index: idx_mpesa_logs_phone on services.mpesa_logs ====
CREATE INDEX idx_mpesa_logs_phone ON services.mpesa_logs USING btree (phone);

-- ==== index: idx_mpesa_logs_receipt on services.mpesa_logs ====
CREATE UNIQUE INDEX idx_mpesa_logs_receipt ON services.mpesa_logs USING btree (mpesa_receipt);

-- ==== index: idx_mpesa_logs_unposted on services.mpesa_logs ====
CREATE INDEX idx_mpesa_logs_unposted ON services.mpesa_logs USING btree (mpesa_receipt) WHERE ((outcome IS NULL) OR ((outcome)::text = 'HELD'::text));

-- ==== index: idx_sms_logs_created on services.sms_logs ====
CREATE INDEX idx_sms_logs_created ON services.sms_logs USING brin (created_at) WITH (autosummarize='on');

-- ==== index: idx_sms_logs_recipient on services.sms_logs ====
CREATE INDEX idx_sms_logs_recipient ON services.sms_logs USING btree (recipient);

-- ==== index: idx_wallets_number on core.wallets ====
CREATE INDEX idx_wallets_number ON core.wallets USING btree (id varchar_pattern_ops);

-- ==== index: idx_wallets_phone on core.wallets ====
CREATE INDEX idx_wallets_phone ON core.wallets USING btree (phone);

-- ==== index: idx_wallets_phone_sha256 on core.wallets ====
CREATE INDEX idx_wallets_phone_sha256 ON core.wallets USING btree (encode(sha256((phone)::bytea), 'hex'::text) COLLATE "C");

-- ==== index: mpesa_breaks_short_code_idx on services.mpesa_breaks ====
CREATE INDEX mpesa_breaks_short_code_idx ON services.mpesa_breaks USING btree (short_code, happened_at);

-- ==== index: mpesa_breaks_subject_key on services.mpesa_breaks ====
CREATE UNIQUE INDEX mpesa_breaks_subject_key ON services.mpesa_breaks USING btree (short_code, subject_id);

-- ==== index: mpesa_decisions_callback_id_idx on services.mpesa_decisions ====
CREATE INDEX mpesa_decisions_callback_id_idx ON services.mpesa_decisions USING btree (callback_id);

-- ==== index: mpesa_decisions_receipt_idx on services.mpesa_decisions ====
CREATE INDEX mpesa_decisions_receipt_idx ON services.mpesa_decisions USING btree (receipt);

-- ==== index: mpesa_inquiries_due_idx on services.mpesa_inquiries ====
CREATE INDEX mpesa_inquiries_due_idx ON services.mpesa_inquiries USING btree (due_at) WHERE (due_at IS NOT NULL);

-- ==== index: mpesa_inquiries_receipt_key on services.mpesa_inquiries ====
CREATE UNIQUE INDEX mpesa_inquiries_receipt_key ON services.mpesa_inquiries USING btree (receipt);

-- ==== index: mpesa_matches_transaction_id_key on services.mpesa_matches ====
CREATE UNIQUE INDEX mpesa_matches_transaction_id_key ON services.mpesa_matches USING btree (transaction_id);

-- ==== index: mpesa_payment_events_place_key on services.mpesa_payment_events ====
CREATE UNIQUE INDEX mpesa_payment_events_place_key ON services.mpesa_payment_events USING btree (payment_id, place);

-- ==== index: mpesa_payment_events_receipt_idx on services.mpesa_payment_events ====
CREATE INDEX mpesa_payment_events_receipt_idx ON services.mpesa_payment_events USING btree (receipt) WHERE ((kind)::text = ANY (ARRAY[('SECOND_RECEIPT'::character varying)::text, ('OTHER_PAYMENT'::character varying)::text, ('CONFLICT'::character varying)::text, ('UNPROVEN'::character varying)::text]));

-- ==== index: mpesa_payments_checkout_idx on services.mpesa_payments ====
CREATE INDEX mpesa_payments_checkout_idx ON services.mpesa_payments USING btree (checkout_request_id) WHERE (checkout_request_id IS NOT NULL);

-- ==== index: mpesa_payments_due_idx on services.mpesa_payments ====
CREATE INDEX mpesa_payments_due_idx ON services.mpesa_payments USING btree (due_at) WHERE (due_at IS NOT NULL);

-- ==== index: mpesa_payments_receipt_idx on services.mpesa_payments ====
CREATE INDEX mpesa_payments_receipt_idx ON services.mpesa_payments USING btree (receipt) WHERE (receipt IS NOT NULL);

-- ==== index: mpesa_payments_reference_idx on services.mpesa_payments ====
CREATE INDEX mpesa_payments_reference_idx ON services.mpesa_payments USING btree (reference, created_at);

-- ==== index: mpesa_payments_wallet_idx on services.mpesa_payments ====
CREATE INDEX mpesa_payments_wallet_idx ON services.mpesa_payments USING btree (wallet_id, created_at);

-- ==== index: mpesa_periods_short_code_idx on services.mpesa_periods ====
CREATE INDEX mpesa_periods_short_code_idx ON services.mpesa_periods USING btree (short_code, to_at);

-- ==== index: mpesa_reconciliation_runs_reconciliation_id_idx on services.mpesa_reconciliation_runs ====
CREATE INDEX mpesa_reconciliation_runs_reconciliation_id_idx ON services.mpesa_reconciliation_runs USING btree (reconciliation_id);

-- ==== index: mpesa_reconciliations_short_code_idx on services.mpesa_reconciliations ====
CREATE INDEX mpesa_reconciliations_short_code_idx ON services.mpesa_reconciliations USING btree (short_code, from_at);

-- ==== index: mpesa_statement_lines_linked_idx on services.mpesa_statement_lines ====
CREATE INDEX mpesa_statement_lines_linked_idx ON services.mpesa_statement_lines USING btree (linked_receipt) WHERE (linked_receipt IS NOT NULL);

-- ==== index: mpesa_statement_lines_period_idx on services.mpesa_statement_lines ====
CREATE INDEX mpesa_statement_lines_period_idx ON services.mpesa_statement_lines USING btree (short_code, completed_at);

-- ==== index: mpesa_statement_lines_receipt_idx on services.mpesa_statement_lines ====
CREATE INDEX mpesa_statement_lines_receipt_idx ON services.mpesa_statement_lines USING btree (receipt);

-- ==== index: mpesa_statements_short_code_idx on services.mpesa_statements ====
CREATE INDEX mpesa_statements_short_code_idx ON services.mpesa_statements USING btree (short_code, from_at);

-- ==== index: sms_delivery_reports_message_idx on services.sms_delivery_reports ====
CREATE INDEX sms_delivery_reports_message_idx ON services.sms_delivery_reports USING btree (provider_message_id) WHERE (provider_message_id IS NOT NULL);

-- ==== index: sms_delivery_reports_parked_idx on services.sms_delivery_reports ====
CREATE INDEX sms_delivery_reports_parked_idx ON services.sms_delivery_reports USING btree (phone, received_at) WHERE ((outcome)::text = 'PARKED'::text);

-- ==== index: sms_events_late_answer_key on services.sms_events ====
CREATE UNIQUE INDEX sms_events_late_answer_key ON services.sms_events USING btree (sms_id, attempt) WHERE ((kind)::text = 'LATE_ANSWER'::text);

-- ==== index: sms_events_sms_id_idx on services.sms_events ====
CREATE INDEX sms_events_sms_id_idx ON services.sms_events USING btree (sms_id);

-- ==== index: sms_logs_claim_idx on services.sms_logs ====
CREATE INDEX sms_logs_claim_idx ON services.sms_logs USING btree (priority, next_attempt_at) WHERE ((phase)::text = 'QUEUED'::text);

-- ==== index: sms_logs_lease_idx on services.sms_logs ====
CREATE INDEX sms_logs_lease_idx ON services.sms_logs USING btree (lease_until) WHERE ((phase)::text = 'SENDING'::text);

-- ==== index: sms_logs_provider_message_id_idx on services.sms_logs ====
CREATE INDEX sms_logs_provider_message_id_idx ON services.sms_logs USING btree (provider_message_id) WHERE (provider_message_id IS NOT NULL);

-- ==== index: sms_logs_reference_idx on services.sms_logs ====
CREATE INDEX sms_logs_reference_idx ON services.sms_logs USING btree (transaction_reference);

-- ==== index: sms_logs_unknown_idx on services.sms_logs ====
CREATE INDEX sms_logs_unknown_idx ON services.sms_logs USING btree (claimed_at) WHERE ((phase)::text = 'UNKNOWN'::text);

-- ==== index: sms_opt_outs_number_hash_idx on services.sms_opt_outs ====
CREATE INDEX sms_opt_outs_number_hash_idx ON services.sms_opt_outs USING btree (number_hash);

-- ==== index: sms_template_changes_key_idx on services.sms_template_changes ====
CREATE INDEX sms_template_changes_key_idx ON services.sms_template_changes USING btree (key, language, created_at);

-- ==== index: transactions_credit_posting_key on core.transactions ====
CREATE UNIQUE INDEX transactions_credit_posting_key ON core.transactions USING btree (credit_wallet_id, credit_version);

-- ==== index: transactions_debit_posting_key on core.transactions ====
CREATE UNIQUE INDEX transactions_debit_posting_key ON core.transactions USING btree (debit_wallet_id, debit_version);

-- ==== index: transactions_reference_key on core.transactions ====
CREATE UNIQUE INDEX transactions_reference_key ON core.transactions USING btree (reference);

-- ==== index: transactions_reverses_id_idx on core.transactions ====
CREATE INDEX transactions_reverses_id_idx ON core.transactions USING btree (reverses_id) WHERE (reverses_id IS NOT NULL);

-- ==== index: transactions_suspense_idx on core.transactions ====
CREATE INDEX transactions_suspense_idx ON core.transactions USING btree (created_at, credit_version, id) WHERE ((credit_wallet_id)::text ~~ 'SUSPENSE%'::text);

-- ==== index: transactions_unhashed_idx on core.transactions ====
CREATE INDEX transactions_unhashed_idx ON core.transactions USING btree (id) WHERE (verification_hash IS NULL);

-- ==== index: wallet_events_wallet_id_idx on core.wallet_events ====
CREATE INDEX wallet_events_wallet_id_idx ON core.wallet_events USING btree (wallet_id, created_at);

-- ==== index: wallets_mask_idx on core.wallets ====
CREATE INDEX wallets_mask_idx ON core.wallets USING gin (core.mask_words((phone)::text, (holder_name)::text)) WHERE ((kind)::text = 'CUSTOMER'::text);

-- ==== index: wallets_name_idx on core.wallets ====
CREATE INDEX wallets_name_idx ON core.wallets USING gin (core.name_vector((holder_name)::text)) WHERE ((kind)::text = 'CUSTOMER'::text);

-- ==== index: webhook_deliveries_due_idx on services.webhook_deliveries ====
CREATE INDEX webhook_deliveries_due_idx ON services.webhook_deliveries USING btree (webhook_id, due_at) WHERE (due_at IS NOT NULL);

-- ==== index: webhook_deliveries_failed_idx on services.webhook_deliveries ====
CREATE INDEX webhook_deliveries_failed_idx ON services.webhook_deliveries USING btree (id) WHERE ((status)::text = 'FAILED'::text);

-- ==== index: webhooks_url_key on services.webhooks ====
CREATE UNIQUE INDEX webhooks_url_key ON services.webhooks USING btree (url) WHERE ((status)::text = 'ACTIVE'::text);

-- ==== foreign key: fee_rule_events_rule_id_fkey on core.fee_rule_events ====
ALTER TABLE core.fee_rule_events
    ADD CONSTRAINT fee_rule_events_rule_id_fkey FOREIGN KEY (rule_id) REFERENCES core.fee_rules(id) ON UPDATE RESTRICT ON DELETE RESTRICT;

-- ==== foreign key: holds_wallet_id_fkey on core.holds ====
ALTER TABLE core.holds
    ADD CONSTRAINT holds_wallet_id_fkey FOREIGN KEY (wallet_id) REFERENCES core.wallets(id) ON UPDATE RESTRICT ON DELETE RESTRICT;

-- ==== foreign key: mpesa_break_events_break_id_fkey on services.mpesa_break_events ====
ALTER TABLE services.mpesa_break_events
    ADD CONSTRAINT mpesa_break_events_break_id_fkey FOREIGN KEY (break_id) REFERENCES services.mpesa_breaks(id) ON UPDATE RESTRICT ON DELETE RESTRICT;

-- ==== foreign key: mpesa_decisions_callback_id_fkey on services.mpesa_decisions ====
ALTER TABLE services.mpesa_decisions
    ADD CONSTRAINT mpesa_decisions_callback_id_fkey FOREIGN KEY (callback_id) REFERENCES services.mpesa_callbacks(id) ON UPDATE RESTRICT ON DELETE RESTRICT;

-- ==== foreign key: mpesa_matches_line_id_fkey on services.mpesa_matches ====
ALTER TABLE services.mpesa_matches
    ADD CONSTRAINT mpesa_matches_line_id_fkey FOREIGN KEY (line_id) REFERENCES services.mpesa_statement_lines(id) ON UPDATE RESTRICT ON DELETE RESTRICT;

-- ==== foreign key: mpesa_payment_events_payment_id_fkey on services.mpesa_payment_events ====
ALTER TABLE services.mpesa_payment_events
    ADD CONSTRAINT mpesa_payment_events_payment_id_fkey FOREIGN KEY (payment_id) REFERENCES services.mpesa_payments(id) ON UPDATE RESTRICT ON DELETE RESTRICT;

-- ==== foreign key: mpesa_reconciliation_runs_reconciliation_id_fkey on services.mpesa_reconciliation_runs ====
ALTER TABLE services.mpesa_reconciliation_runs
    ADD CONSTRAINT mpesa_reconciliation_runs_reconciliation_id_fkey FOREIGN KEY (reconciliation_id) REFERENCES services.mpesa_reconciliations(id) ON UPDATE RESTRICT ON DELETE RESTRICT;

-- ==== foreign key: mpesa_statement_lines_statement_id_fkey on services.mpesa_statement_lines ====
ALTER TABLE services.mpesa_statement_lines
    ADD CONSTRAINT mpesa_statement_lines_statement_id_fkey FOREIGN KEY (statement_id) REFERENCES services.mpesa_statements(id) ON UPDATE RESTRICT ON DELETE RESTRICT;

-- ==== foreign key: transactions_credit_wallet_id_fkey on core.transactions ====
ALTER TABLE core.transactions
    ADD CONSTRAINT transactions_credit_wallet_id_fkey FOREIGN KEY (credit_wallet_id) REFERENCES core.wallets(id) ON UPDATE RESTRICT ON DELETE RESTRICT;

-- ==== foreign key: transactions_debit_wallet_id_fkey on core.transactions ====
ALTER TABLE core.transactions
    ADD CONSTRAINT transactions_debit_wallet_id_fkey FOREIGN KEY (debit_wallet_id) REFERENCES core.wallets(id) ON UPDATE RESTRICT ON DELETE RESTRICT;

-- ==== foreign key: transactions_reverses_id_fkey on core.transactions ====
ALTER TABLE core.transactions
    ADD CONSTRAINT transactions_reverses_id_fkey FOREIGN KEY (reverses_id) REFERENCES core.transactions(id) ON UPDATE RESTRICT ON DELETE RESTRICT;

-- ==== foreign key: wallet_events_wallet_id_fkey on core.wallet_events ====
ALTER TABLE core.wallet_events
    ADD CONSTRAINT wallet_events_wallet_id_fkey FOREIGN KEY (wallet_id) REFERENCES core.wallets(id) ON UPDATE RESTRICT ON DELETE RESTRICT;

-- ==== trigger: api_keys_never_deleted on services.api_keys ====
CREATE TRIGGER api_keys_never_deleted BEFORE DELETE OR TRUNCATE ON services.api_keys FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('Revoke it with services.revoke_api_key: who had which key is to be found later.');

-- ==== trigger: api_keys_through_the_door on services.api_keys ====
CREATE TRIGGER api_keys_through_the_door BEFORE INSERT OR UPDATE ON services.api_keys FOR EACH STATEMENT WHEN ((current_setting('daftari.door'::text, true) IS DISTINCT FROM 'open'::text)) EXECUTE FUNCTION core.refuse_write('Call services.create_api_key or services.revoke_api_key, or createApiKey and revokeApiKey in @repo/db.');

-- ==== trigger: daraja_tokens_through_the_door on services.daraja_tokens ====
CREATE TRIGGER daraja_tokens_through_the_door BEFORE INSERT OR UPDATE ON services.daraja_tokens FOR EACH STATEMENT WHEN ((current_setting('daftari.door'::text, true) IS DISTINCT FROM 'open'::text)) EXECUTE FUNCTION core.refuse_write('Call services.store_daraja_token, or storeDarajaToken in @repo/db.');

-- ==== trigger: fee_rule_events_append_only on core.fee_rule_events ====
CREATE TRIGGER fee_rule_events_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON core.fee_rule_events FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is the record of who changed what is charged.');

-- ==== trigger: fee_rule_events_through_the_door on core.fee_rule_events ====
CREATE TRIGGER fee_rule_events_through_the_door BEFORE INSERT ON core.fee_rule_events FOR EACH ROW WHEN ((current_setting('daftari.door'::text, true) IS DISTINCT FROM 'open'::text)) EXECUTE FUNCTION core.guard_fee_rules();

-- ==== trigger: fee_rules_never_truncated on core.fee_rules ====
CREATE TRIGGER fee_rules_never_truncated BEFORE TRUNCATE ON core.fee_rules FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('End rules instead; use a fresh database for trials.');

-- ==== trigger: fee_rules_through_the_door on core.fee_rules ====
CREATE TRIGGER fee_rules_through_the_door BEFORE INSERT OR DELETE OR UPDATE ON core.fee_rules FOR EACH ROW WHEN ((current_setting('daftari.door'::text, true) IS DISTINCT FROM 'open'::text)) EXECUTE FUNCTION core.guard_fee_rules();

-- ==== trigger: holds_never_truncated on core.holds ====
CREATE TRIGGER holds_never_truncated BEFORE TRUNCATE ON core.holds FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('Release holds instead; use a fresh database for trials.');

-- ==== trigger: holds_through_the_door on core.holds ====
CREATE TRIGGER holds_through_the_door BEFORE INSERT OR DELETE OR UPDATE ON core.holds FOR EACH ROW WHEN ((current_setting('daftari.door'::text, true) IS DISTINCT FROM 'open'::text)) EXECUTE FUNCTION core.guard_holds();

-- ==== trigger: holds_told on core.holds ====
CREATE TRIGGER holds_told AFTER UPDATE ON core.holds FOR EACH ROW WHEN ((((old.status)::text = 'ACTIVE'::text) AND ((new.status)::text = 'CAPTURED'::text))) EXECUTE FUNCTION services.tell_of_capture();

-- ==== trigger: mpesa_break_events_append_only on services.mpesa_break_events ====
CREATE TRIGGER mpesa_break_events_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON services.mpesa_break_events FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is the record of who did what about a break.');

-- ==== trigger: mpesa_break_events_through_the_door on services.mpesa_break_events ====
CREATE TRIGGER mpesa_break_events_through_the_door BEFORE INSERT ON services.mpesa_break_events FOR EACH STATEMENT WHEN ((current_setting('daftari.door'::text, true) IS DISTINCT FROM 'open'::text)) EXECUTE FUNCTION core.refuse_write('services.change_mpesa_breaks writes it, or changeBreaks in @repo/db.');

-- ==== trigger: mpesa_breaks_never_deleted on services.mpesa_breaks ====
CREATE TRIGGER mpesa_breaks_never_deleted BEFORE DELETE OR TRUNCATE ON services.mpesa_breaks FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is the record of what was open; use a fresh database for trials.');

-- ==== trigger: mpesa_breaks_through_the_door on services.mpesa_breaks ====
CREATE TRIGGER mpesa_breaks_through_the_door BEFORE INSERT OR UPDATE ON services.mpesa_breaks FOR EACH STATEMENT WHEN ((current_setting('daftari.door'::text, true) IS DISTINCT FROM 'open'::text)) EXECUTE FUNCTION core.refuse_write('services.change_mpesa_breaks writes it, or changeBreaks in @repo/db.');

-- ==== trigger: mpesa_callbacks_append_only on services.mpesa_callbacks ====
CREATE TRIGGER mpesa_callbacks_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON services.mpesa_callbacks FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is the record of what reached us; use a fresh database for trials.');

-- ==== trigger: mpesa_callbacks_through_the_door on services.mpesa_callbacks ====
CREATE TRIGGER mpesa_callbacks_through_the_door BEFORE INSERT ON services.mpesa_callbacks FOR EACH STATEMENT WHEN ((current_setting('daftari.door'::text, true) IS DISTINCT FROM 'open'::text)) EXECUTE FUNCTION core.refuse_write('Call services.store_callback, or storeCallback in @repo/db.');

-- ==== trigger: mpesa_decisions_append_only on services.mpesa_decisions ====
CREATE TRIGGER mpesa_decisions_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON services.mpesa_decisions FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is the record of who decided about a payment, and why.');

-- ==== trigger: mpesa_decisions_through_the_door on services.mpesa_decisions ====
CREATE TRIGGER mpesa_decisions_through_the_door BEFORE INSERT ON services.mpesa_decisions FOR EACH STATEMENT WHEN ((current_setting('daftari.door'::text, true) IS DISTINCT FROM 'open'::text)) EXECUTE FUNCTION core.refuse_write('Call services.release_deposit or services.resolve_callback, or releaseDeposit and resolveCallback in @repo/db.');

-- ==== trigger: mpesa_inquiries_are_kept on services.mpesa_inquiries ====
CREATE TRIGGER mpesa_inquiries_are_kept BEFORE DELETE OR TRUNCATE ON services.mpesa_inquiries FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is the record of what M-PESA was asked; use a fresh database for trials.');

-- ==== trigger: mpesa_inquiries_through_the_door on services.mpesa_inquiries ====
CREATE TRIGGER mpesa_inquiries_through_the_door BEFORE INSERT OR UPDATE ON services.mpesa_inquiries FOR EACH STATEMENT WHEN ((current_setting('daftari.door'::text, true) IS DISTINCT FROM 'open'::text)) EXECUTE FUNCTION core.refuse_write('Call services.record_unproven, or recordUnproven in @repo/db.');

-- ==== trigger: mpesa_logs_append_only on services.mpesa_logs ====
CREATE TRIGGER mpesa_logs_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON services.mpesa_logs FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is the record of what M-PESA reported; use a fresh database for trials.');

-- ==== trigger: mpesa_logs_through_the_door on services.mpesa_logs ====
CREATE TRIGGER mpesa_logs_through_the_door BEFORE INSERT ON services.mpesa_logs FOR EACH STATEMENT WHEN ((current_setting('daftari.door'::text, true) IS DISTINCT FROM 'open'::text)) EXECUTE FUNCTION core.refuse_write('Call services.record_deposits, or recordDeposit in @repo/db: a receipt that is logged by hand is never credited.');

-- ==== trigger: mpesa_matches_append_only on services.mpesa_matches ====
CREATE TRIGGER mpesa_matches_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON services.mpesa_matches FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is the record of which movement a line explains.');

-- ==== trigger: mpesa_matches_through_the_door on services.mpesa_matches ====
CREATE TRIGGER mpesa_matches_through_the_door BEFORE INSERT ON services.mpesa_matches FOR EACH STATEMENT WHEN ((current_setting('daftari.door'::text, true) IS DISTINCT FROM 'open'::text)) EXECUTE FUNCTION core.refuse_write('services.match_mpesa_lines writes it, or reconcile in @repo/db.');

-- ==== trigger: mpesa_payment_events_append_only on services.mpesa_payment_events ====
CREATE TRIGGER mpesa_payment_events_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON services.mpesa_payment_events FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is the record of what happened to a payment; use a fresh database for trials.');

-- ==== trigger: mpesa_payment_events_through_the_door on services.mpesa_payment_events ====
CREATE TRIGGER mpesa_payment_events_through_the_door BEFORE INSERT ON services.mpesa_payment_events FOR EACH STATEMENT WHEN ((current_setting('daftari.door'::text, true) IS DISTINCT FROM 'open'::text)) EXECUTE FUNCTION core.refuse_write('Call services.request_payment or another function about payments, or requestPayment and its like in @repo/db.');

-- ==== trigger: mpesa_payments_are_kept on services.mpesa_payments ====
CREATE TRIGGER mpesa_payments_are_kept BEFORE DELETE OR TRUNCATE ON services.mpesa_payments FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is the record of what was asked for; use a fresh database for trials.');

-- ==== trigger: mpesa_payments_through_the_door on services.mpesa_payments ====
CREATE TRIGGER mpesa_payments_through_the_door BEFORE INSERT OR UPDATE ON services.mpesa_payments FOR EACH STATEMENT WHEN ((current_setting('daftari.door'::text, true) IS DISTINCT FROM 'open'::text)) EXECUTE FUNCTION core.refuse_write('Call services.request_payment or another function about payments, or requestPayment and its like in @repo/db.');

-- ==== trigger: mpesa_periods_never_deleted on services.mpesa_periods ====
CREATE TRIGGER mpesa_periods_never_deleted BEFORE DELETE OR TRUNCATE ON services.mpesa_periods FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is the record of which periods were closed; reopen one with services.reopen_mpesa_period.');

-- ==== trigger: mpesa_periods_through_the_door on services.mpesa_periods ====
CREATE TRIGGER mpesa_periods_through_the_door BEFORE INSERT OR UPDATE ON services.mpesa_periods FOR EACH STATEMENT WHEN ((current_setting('daftari.door'::text, true) IS DISTINCT FROM 'open'::text)) EXECUTE FUNCTION core.refuse_write('services.begin_mpesa_period and its like write it, or closePeriod in @repo/db.');

-- ==== trigger: mpesa_reconciliation_runs_append_only on services.mpesa_reconciliation_runs ====
CREATE TRIGGER mpesa_reconciliation_runs_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON services.mpesa_reconciliation_runs FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is the record of who reconciled, and when.');

-- ==== trigger: mpesa_reconciliation_runs_through_the_door on services.mpesa_reconciliation_runs ====
CREATE TRIGGER mpesa_reconciliation_runs_through_the_door BEFORE INSERT ON services.mpesa_reconciliation_runs FOR EACH STATEMENT WHEN ((current_setting('daftari.door'::text, true) IS DISTINCT FROM 'open'::text)) EXECUTE FUNCTION core.refuse_write('services.record_mpesa_reconciliation writes it, or reconcile in @repo/db.');

-- ==== trigger: mpesa_reconciliations_append_only on services.mpesa_reconciliations ====
CREATE TRIGGER mpesa_reconciliations_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON services.mpesa_reconciliations FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is the record of what was reconciled.');

-- ==== trigger: mpesa_reconciliations_through_the_door on services.mpesa_reconciliations ====
CREATE TRIGGER mpesa_reconciliations_through_the_door BEFORE INSERT ON services.mpesa_reconciliations FOR EACH STATEMENT WHEN ((current_setting('daftari.door'::text, true) IS DISTINCT FROM 'open'::text)) EXECUTE FUNCTION core.refuse_write('services.record_mpesa_reconciliation writes it, or reconcile in @repo/db.');

-- ==== trigger: mpesa_statement_lines_never_deleted on services.mpesa_statement_lines ====
CREATE TRIGGER mpesa_statement_lines_never_deleted BEFORE DELETE OR TRUNCATE ON services.mpesa_statement_lines FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is the record of what M-PESA stated; use a fresh database for trials.');

-- ==== trigger: mpesa_statement_lines_through_the_door on services.mpesa_statement_lines ====
CREATE TRIGGER mpesa_statement_lines_through_the_door BEFORE INSERT OR UPDATE ON services.mpesa_statement_lines FOR EACH STATEMENT WHEN ((current_setting('daftari.door'::text, true) IS DISTINCT FROM 'open'::text)) EXECUTE FUNCTION core.refuse_write('services.add_mpesa_statement_lines writes it, or importStatement in @repo/db.');

-- ==== trigger: mpesa_statements_never_deleted on services.mpesa_statements ====
CREATE TRIGGER mpesa_statements_never_deleted BEFORE DELETE OR TRUNCATE ON services.mpesa_statements FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is the record of which statements were imported; use a fresh database for trials.');

-- ==== trigger: mpesa_statements_through_the_door on services.mpesa_statements ====
CREATE TRIGGER mpesa_statements_through_the_door BEFORE INSERT OR UPDATE ON services.mpesa_statements FOR EACH STATEMENT WHEN ((current_setting('daftari.door'::text, true) IS DISTINCT FROM 'open'::text)) EXECUTE FUNCTION core.refuse_write('services.begin_mpesa_statement and its like write it, or importStatement in @repo/db.');

-- ==== trigger: mpesa_witnesses_append_only on services.mpesa_witnesses ====
CREATE TRIGGER mpesa_witnesses_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON services.mpesa_witnesses FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is the record of what M-PESA reported; use a fresh database for trials.');

-- ==== trigger: mpesa_witnesses_through_the_door on services.mpesa_witnesses ====
CREATE TRIGGER mpesa_witnesses_through_the_door BEFORE INSERT ON services.mpesa_witnesses FOR EACH STATEMENT WHEN ((current_setting('daftari.door'::text, true) IS DISTINCT FROM 'open'::text)) EXECUTE FUNCTION core.refuse_write('Call services.record_deposits, or recordDeposit in @repo/db.');

-- ==== trigger: requests_append_only on core.requests ====
CREATE TRIGGER requests_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON core.requests FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is what keeps a request from being done twice.');

-- ==== trigger: requests_through_the_door on core.requests ====
CREATE TRIGGER requests_through_the_door BEFORE INSERT ON core.requests FOR EACH STATEMENT WHEN ((current_setting('daftari.door'::text, true) IS DISTINCT FROM 'open'::text)) EXECUTE FUNCTION core.refuse_write('Send the request itself with its key: transfer and its like in @repo/db remember it.');

-- ==== trigger: sms_delivery_reports_append_only on services.sms_delivery_reports ====
CREATE TRIGGER sms_delivery_reports_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON services.sms_delivery_reports FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is the record of what the provider reported; use a fresh database for trials.');

-- ==== trigger: sms_delivery_reports_through_the_door on services.sms_delivery_reports ====
CREATE TRIGGER sms_delivery_reports_through_the_door BEFORE INSERT ON services.sms_delivery_reports FOR EACH STATEMENT WHEN ((current_setting('daftari.door'::text, true) IS DISTINCT FROM 'open'::text)) EXECUTE FUNCTION core.refuse_write('Call services.record_delivery_report, or recordDeliveryReport in @repo/db.');

-- ==== trigger: sms_events_append_only on services.sms_events ====
CREATE TRIGGER sms_events_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON services.sms_events FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is the record of who decided on a message, and why.');

-- ==== trigger: sms_events_through_the_door on services.sms_events ====
CREATE TRIGGER sms_events_through_the_door BEFORE INSERT ON services.sms_events FOR EACH STATEMENT WHEN ((current_setting('daftari.door'::text, true) IS DISTINCT FROM 'open'::text)) EXECUTE FUNCTION core.refuse_write('Call services.decide_sms, or decideSms in @repo/db.');

-- ==== trigger: sms_last_told_through_the_door on services.sms_last_told ====
CREATE TRIGGER sms_last_told_through_the_door BEFORE INSERT OR DELETE OR UPDATE OR TRUNCATE ON services.sms_last_told FOR EACH STATEMENT WHEN ((current_setting('daftari.door'::text, true) IS DISTINCT FROM 'open'::text)) EXECUTE FUNCTION core.refuse_write('services.record_transfers remembers there whom it told.');

-- ==== trigger: sms_logs_follow_status on services.sms_logs ====
CREATE TRIGGER sms_logs_follow_status BEFORE INSERT OR UPDATE ON services.sms_logs FOR EACH ROW WHEN ((((new.status)::text <> 'PENDING'::text) AND ((new.phase)::text <> 'DONE'::text))) EXECUTE FUNCTION services.follow_sms_status();

-- ==== trigger: sms_logs_never_deleted on services.sms_logs ====
CREATE TRIGGER sms_logs_never_deleted BEFORE DELETE OR TRUNCATE ON services.sms_logs FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is the record of what was sent and paid for; use a fresh database for trials.');

-- ==== trigger: sms_logs_through_the_door on services.sms_logs ====
CREATE TRIGGER sms_logs_through_the_door BEFORE UPDATE ON services.sms_logs FOR EACH STATEMENT WHEN ((current_setting('daftari.door'::text, true) IS DISTINCT FROM 'open'::text)) EXECUTE FUNCTION core.refuse_write('Call services.decide_sms, or decideSms in @repo/db; what is to be sent again is queued again, with queueSms.');

-- ==== trigger: sms_opt_outs_never_truncated on services.sms_opt_outs ====
CREATE TRIGGER sms_opt_outs_never_truncated BEFORE TRUNCATE ON services.sms_opt_outs FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('Who asked for no messages would get them again; call services.forget_opt_out for single numbers.');

-- ==== trigger: sms_opt_outs_through_the_door on services.sms_opt_outs ====
CREATE TRIGGER sms_opt_outs_through_the_door BEFORE INSERT OR DELETE OR UPDATE ON services.sms_opt_outs FOR EACH STATEMENT WHEN ((current_setting('daftari.door'::text, true) IS DISTINCT FROM 'open'::text)) EXECUTE FUNCTION core.refuse_write('Call services.record_opt_out or services.forget_opt_out, or recordOptOut in @repo/db.');

-- ==== trigger: sms_spend_never_deleted on services.sms_spend ====
CREATE TRIGGER sms_spend_never_deleted BEFORE DELETE OR TRUNCATE ON services.sms_spend FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is the record of what was paid for; use a fresh database for trials.');

-- ==== trigger: sms_spend_through_the_door on services.sms_spend ====
CREATE TRIGGER sms_spend_through_the_door BEFORE INSERT OR UPDATE ON services.sms_spend FOR EACH STATEMENT WHEN ((current_setting('daftari.door'::text, true) IS DISTINCT FROM 'open'::text)) EXECUTE FUNCTION core.refuse_write('services.settle_sms and services.decide_sms book what was charged.');

-- ==== trigger: sms_template_changes_append_only on services.sms_template_changes ====
CREATE TRIGGER sms_template_changes_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON services.sms_template_changes FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is the record of who changed a text, and why.');

-- ==== trigger: sms_template_changes_through_the_door on services.sms_template_changes ====
CREATE TRIGGER sms_template_changes_through_the_door BEFORE INSERT ON services.sms_template_changes FOR EACH STATEMENT WHEN ((current_setting('daftari.door'::text, true) IS DISTINCT FROM 'open'::text)) EXECUTE FUNCTION core.refuse_write('services.set_sms_template writes it with the change.');

-- ==== trigger: sms_templates_never_truncated on services.sms_templates ====
CREATE TRIGGER sms_templates_never_truncated BEFORE TRUNCATE ON services.sms_templates FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('Messages would have no text; change a text with services.set_sms_template.');

-- ==== trigger: sms_templates_through_the_door on services.sms_templates ====
CREATE TRIGGER sms_templates_through_the_door BEFORE INSERT OR DELETE OR UPDATE ON services.sms_templates FOR EACH ROW WHEN ((current_setting('daftari.door'::text, true) IS DISTINCT FROM 'open'::text)) EXECUTE FUNCTION services.guard_sms_templates();

-- ==== trigger: transactions_append_only on core.transactions ====
CREATE TRIGGER transactions_append_only BEFORE DELETE OR TRUNCATE ON core.transactions FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('Correct a mistake with a REVERSAL through core.post_transactions.');

-- ==== trigger: transactions_backfilled on core.transactions ====
CREATE TRIGGER transactions_backfilled BEFORE UPDATE ON core.transactions FOR EACH ROW EXECUTE FUNCTION core.guard_backfill();

-- ==== trigger: transactions_through_the_door on core.transactions ====
CREATE TRIGGER transactions_through_the_door BEFORE INSERT ON core.transactions FOR EACH STATEMENT EXECUTE FUNCTION core.guard_transactions();

-- ==== trigger: transactions_told on core.transactions ====
CREATE TRIGGER transactions_told AFTER INSERT ON core.transactions FOR EACH ROW WHEN (((new.type)::text = ANY (ARRAY[('REVERSAL'::character varying)::text, ('ASSIGNMENT'::character varying)::text]))) EXECUTE FUNCTION services.tell_of_transaction();

-- ==== trigger: transactions_unchangeable on core.transactions ====
CREATE TRIGGER transactions_unchangeable BEFORE UPDATE ON core.transactions FOR EACH STATEMENT WHEN ((current_setting('daftari.door'::text, true) IS DISTINCT FROM 'backfill'::text)) EXECUTE FUNCTION core.refuse_change('Correct a mistake with a REVERSAL through core.post_transactions.');

-- ==== trigger: wallet_events_append_only on core.wallet_events ====
CREATE TRIGGER wallet_events_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON core.wallet_events FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is the record of who changed a wallet, and why.');

-- ==== trigger: wallet_events_through_the_door on core.wallet_events ====
CREATE TRIGGER wallet_events_through_the_door BEFORE INSERT ON core.wallet_events FOR EACH STATEMENT WHEN ((current_setting('daftari.door'::text, true) IS DISTINCT FROM 'open'::text)) EXECUTE FUNCTION core.refuse_write('core.change_wallet and its like write it with the change.');

-- ==== trigger: wallets_holder_name on core.wallets ====
CREATE TRIGGER wallets_holder_name BEFORE INSERT ON core.wallets FOR EACH ROW WHEN (((new.kind)::text = 'CUSTOMER'::text)) EXECUTE FUNCTION core.check_holder_name();

-- ==== trigger: wallets_holder_rename on core.wallets ====
CREATE TRIGGER wallets_holder_rename BEFORE UPDATE OF holder_name ON core.wallets FOR EACH ROW WHEN ((((new.kind)::text = 'CUSTOMER'::text) AND ((new.holder_name)::text IS DISTINCT FROM (old.holder_name)::text))) EXECUTE FUNCTION core.check_holder_name();

-- ==== trigger: wallets_never_deleted on core.wallets ====
CREATE TRIGGER wallets_never_deleted BEFORE DELETE ON core.wallets FOR EACH ROW EXECUTE FUNCTION core.guard_wallets();

-- ==== trigger: wallets_never_truncated on core.wallets ====
CREATE TRIGGER wallets_never_truncated BEFORE TRUNCATE ON core.wallets FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('Close wallets by their status; use a fresh database for trials.');

-- ==== trigger: wallets_open_empty on core.wallets ====
CREATE TRIGGER wallets_open_empty BEFORE INSERT ON core.wallets FOR EACH ROW WHEN (((new.balance <> (0)::numeric) OR (new.held <> (0)::numeric) OR (new.version <> 0))) EXECUTE FUNCTION core.guard_wallets();

-- ==== trigger: wallets_through_the_door on core.wallets ====
CREATE TRIGGER wallets_through_the_door BEFORE INSERT OR UPDATE ON core.wallets FOR EACH STATEMENT WHEN ((current_setting('daftari.door'::text, true) IS DISTINCT FROM 'open'::text)) EXECUTE FUNCTION core.guard_wallets();

-- ==== trigger: webhook_deliveries_never_deleted on services.webhook_deliveries ====
CREATE TRIGGER webhook_deliveries_never_deleted BEFORE DELETE OR TRUNCATE ON services.webhook_deliveries FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is the record of what was delivered to whom.');

-- ==== trigger: webhook_deliveries_through_the_door on services.webhook_deliveries ====
CREATE TRIGGER webhook_deliveries_through_the_door BEFORE INSERT OR UPDATE ON services.webhook_deliveries FOR EACH STATEMENT WHEN ((current_setting('daftari.door'::text, true) IS DISTINCT FROM 'open'::text)) EXECUTE FUNCTION core.refuse_write('services.claim_webhooks, finish_webhook and resend_webhook write it.');

-- ==== trigger: webhook_events_append_only on services.webhook_events ====
CREATE TRIGGER webhook_events_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON services.webhook_events FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is the record of what endpoints got.');

-- ==== trigger: webhook_events_through_the_door on services.webhook_events ====
CREATE TRIGGER webhook_events_through_the_door BEFORE INSERT ON services.webhook_events FOR EACH STATEMENT WHEN ((current_setting('daftari.door'::text, true) IS DISTINCT FROM 'open'::text)) EXECUTE FUNCTION core.refuse_write('services.queue_webhooks writes it.');

-- ==== trigger: webhooks_never_deleted on services.webhooks ====
CREATE TRIGGER webhooks_never_deleted BEFORE DELETE OR TRUNCATE ON services.webhooks FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is the record of who got events; end one with services.disable_webhook.');

-- ==== trigger: webhooks_through_the_door on services.webhooks ====
CREATE TRIGGER webhooks_through_the_door BEFORE INSERT OR UPDATE ON services.webhooks FOR EACH STATEMENT WHEN ((current_setting('daftari.door'::text, true) IS DISTINCT FROM 'open'::text)) EXECUTE FUNCTION core.refuse_write('services.register_webhook and disable_webhook write it, or registerWebhook in @repo/db.');
