-- What decides over money, identity or what is sent is written by functions only, and leaves a trace.
--
-- Before: a wallet's floor, status, holder and phone, the memory of requests and receipts, API keys and the outbox can
--         be written by anybody who reaches the database.
-- After:  each of these tables refuses statements from elsewhere with DF003 and names the function to call; a missing
--         hash of a transaction is filled in and nothing else of it changes. core.wallet_events says which column
--         changed, from what, to what, who wanted it and why; events from before say 'unknown' for who.

ALTER TABLE "core"."wallet_events" RENAME COLUMN "status" TO "new_value";
ALTER TABLE "core"."wallet_events" RENAME COLUMN "note" TO "reason";
ALTER TABLE "core"."wallet_events" ALTER COLUMN "new_value" TYPE TEXT, ALTER COLUMN "new_value" DROP NOT NULL;
ALTER TABLE "core"."wallet_events"
    ADD COLUMN "changed" VARCHAR(20) NOT NULL DEFAULT 'status',
    ADD COLUMN "old_value" TEXT,
    ADD COLUMN "actor" VARCHAR(100) NOT NULL DEFAULT 'unknown';
ALTER TABLE "core"."wallet_events"
    ALTER COLUMN "changed" DROP DEFAULT,
    ALTER COLUMN "actor" DROP DEFAULT;

-- Which message a repeated key asked for, also when its text has been sent and spelt in other letters.
ALTER TABLE "services"."sms_logs" ADD COLUMN "request_digest" VARCHAR(64);

-- ==== functions: written by db:migration, edit prisma/functions instead ====

DROP FUNCTION core.set_wallet_status(p_wallet text, p_status text, p_note text, OUT outcome text, OUT reason text);

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

-- Moves a payment from suspense to the wallet that it was meant for, once.
--
-- p_key, p_digest: as for core.reverse_transaction, or NULL for both. After its assignment has been reversed a payment
--        can be assigned again, and a late repeat of the first request must not do so: with a key it is told what was
--        answered then.
-- After: outcome 'posted' and the reference; 'replayed' when it is in that wallet already, or the key was used for this
--        very request before (reason is set if it was refused then); 'key_reused'; or 'refused' with reason:
--        unknown_transaction, not_in_suspense, already_reversed, already_assigned (to another wallet), or a reason of
--        core.post_transactions.
CREATE OR REPLACE FUNCTION core.assign_suspense(
    p_receipt text, p_wallet text, p_key text DEFAULT NULL, p_digest text DEFAULT NULL,
    OUT outcome text, OUT reason text, OUT reference text
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t          core.transactions;
    v_assigned record;
    v_current  core.transactions;
    v_post     record;
BEGIN
    PERFORM core.lock_wallets(ARRAY[p_wallet, 'SUSPENSE']);
    outcome := core.find_request(p_key, p_digest);
    IF outcome = 'replayed' THEN
        SELECT q.reason, q.reference INTO reason, reference
          FROM core.requests q WHERE q.idempotency_key = p_key;
    END IF;
    IF outcome IS NOT NULL THEN
        RETURN;
    END IF;

    SELECT * INTO t FROM core.transactions x WHERE x.reference = p_receipt AND x.type = 'DEPOSIT';
    SELECT * INTO v_assigned FROM core.current_assignment(p_receipt);
    SELECT * INTO v_current FROM core.transactions x WHERE x.reference = v_assigned.reference;
    reason := CASE
        WHEN t.id IS NULL THEN 'unknown_transaction'
        WHEN t.credit_wallet_id <> 'SUSPENSE' THEN 'not_in_suspense'
        WHEN v_current.credit_wallet_id <> p_wallet THEN 'already_assigned'
        WHEN core.remaining_of(t.id) < t.amount THEN 'already_reversed'
        WHEN NOT EXISTS (SELECT 1 FROM core.wallets w WHERE w.id = p_wallet AND w.kind = 'CUSTOMER') THEN 'unknown_wallet'
    END;
    IF reason IS NOT NULL THEN
        outcome := 'refused';
        IF p_key IS NOT NULL THEN
            PERFORM core.refuse_request(p_key, p_digest, reason);
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
        ARRAY[reference], ARRAY['ASSIGNMENT'], ARRAY['SUSPENSE'], ARRAY[p_wallet], ARRAY[NULL]::text[],
        ARRAY[t.amount], ARRAY[t.currency::text], ARRAY[p_key], ARRAY[p_digest], ARRAY[NULL]::uuid[]
    );
    -- Its key may have been spent on other wallets than ours since it was looked for.
    outcome := CASE
        WHEN v_post.outcomes[1] = 'created' THEN 'posted'
        WHEN v_post.outcomes[1] IN ('refused', 'key_reused') THEN v_post.outcomes[1]
        ELSE 'collision'
    END;
    reason := v_post.reasons[1];
END
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
        ELSE core.wallet_fault(p_holder_name, nullif(p_phone, ''))
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
    PERFORM core.note_wallet_change(p_wallet, c.changed, c.old_value, c.new_value, p_reason, p_actor)
       FROM (
        VALUES ('holder_name', w.holder_name, n.holder_name), ('phone', w.phone, n.phone),
               ('language', w.language::text, n.language::text)
       ) AS c (changed, old_value, new_value)
      WHERE c.old_value IS DISTINCT FROM c.new_value;
END
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
       OR NEW.verification_hash IS DISTINCT FROM core.verification_hash(OLD.reference, OLD.amount, OLD.created_at) THEN
        RAISE EXCEPTION 'UPDATE on core.transactions is refused: only a missing hash is filled in, with the right one'
            USING ERRCODE = 'DF001', HINT = 'Correct a mistake with a REVERSAL through core.post_transactions.';
    END IF;
    RETURN NEW;
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
        ELSE core.wallet_fault(coalesce(p_holder_name, ''), p_phone)
    END;
    IF reason IS NOT NULL THEN
        outcome := 'refused';
        RETURN;
    END IF;

    outcome := core.find_request(p_key, p_digest);
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
        -- Whoever took the number may have taken it for this very key.
        outcome := CASE WHEN wallet.id IS NULL THEN core.find_request(p_key, p_digest) ELSE 'opened' END;
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

-- Reserves money of a wallet: it stays in the balance and can no longer be spent. What is promised must be payable, so
-- the fee that its capture may take is reserved with it (core.fee_to_hold).
--
-- After: outcome 'posted' and the new hold; 'replayed' with the hold of then (or reason, if it was refused then);
--        'key_reused'; or 'refused' with reason: unknown_wallet, wallet_frozen, wallet_closed, invalid_amount,
--        expiry_passed (it would end before it begins), insufficient_funds (for amount and fee). The hold keeps what was
--        available after it, so that a repeat is told the same whatever has happened since.
CREATE OR REPLACE FUNCTION core.place_hold(
    p_key text, p_digest text, p_wallet text, p_amount numeric, p_expires_at timestamp, p_narrative text,
    OUT outcome text, OUT reason text, OUT hold_id uuid
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_now constant timestamp := clock_timestamp() AT TIME ZONE 'UTC';
    v_fee numeric;
    w     core.wallets;
BEGIN
    PERFORM core.lock_wallets(ARRAY[p_wallet]);
    outcome := core.find_request(p_key, p_digest);
    IF outcome = 'replayed' THEN
        SELECT q.reason, q.reference::uuid INTO reason, hold_id
          FROM core.requests q WHERE q.idempotency_key = p_key;
    END IF;
    IF outcome IS NOT NULL THEN
        RETURN;
    END IF;

    SELECT * INTO w FROM core.wallets WHERE id = p_wallet AND kind = 'CUSTOMER';
    v_fee := core.fee_to_hold(w.currency, p_amount, v_now);
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
        PERFORM core.refuse_request(p_key, p_digest, reason);
        RETURN;
    END IF;

    outcome := 'posted';
    hold_id := core.new_id();
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE core.wallets
       SET held = held + p_amount + v_fee, updated_at = greatest(updated_at, v_now)
     WHERE id = p_wallet;
    INSERT INTO core.holds (id, wallet_id, amount, fee_held, expires_at, narrative, placed_available)
    VALUES (hold_id, p_wallet, p_amount, v_fee, p_expires_at, p_narrative, w.balance - w.held - p_amount - v_fee);
    INSERT INTO core.requests (idempotency_key, digest, outcome, reference)
    VALUES (p_key, p_digest, 'POSTED', hold_id::text);
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
            p_wallet, 'min_balance', w.min_balance::text, round(p_floor, 2)::text, p_reason, p_actor
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
        PERFORM core.note_wallet_change(p_wallet, 'status', w.status, p_status, p_reason, p_actor);
    END IF;
END
$$;

-- Books what messages were charged on the day of p_at in East Africa Time. One element a charge; without a cost, or with
-- a refusal that cost nothing, it is none. Every sender writes the same row, so this is the last thing that a
-- transaction does.
CREATE OR REPLACE FUNCTION services.add_sms_spend(
    p_at timestamp, p_currencies text[], p_messages integer[], p_parts integer[], p_costs numeric[]
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $$
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
$$;

-- Claims messages for a sender: the claim is the record of their attempts, committed before a request leaves.
--
-- p_limit:      how many requests can leave at once.
-- p_lease_ms:   how long an attempt may take until others take its outcome for unknown.
-- p_max_age_ms: older news is not sent; counted from a person's decision to send again, if there is one.
-- p_budget:     for the day in East Africa Time, in p_currency; NULL for none. When it is spent, messages of priority 1
--               wait. What is under way is not counted yet, so it can be overspent by that.
--
-- After: up to p_limit rows are SENDING, the important first and the longest due first, each with its attempt counted
--        and a lease. What must not be sent is FAILED with its reason: expired, opted_out (unimportant news to somebody
--        who wants none), no_recipient.
--
-- The first row is about the claim and has no id: failed (how many), paused, warned (four fifths of the budget are
-- spent), spent, and next_due_ms: 0 when there may be more now, NULL when nothing waits at all.
--
-- The settings: the planner takes p_limit for a tenth of all that waits. When much does, it would read and sort all of
-- that, and the whole table beside it, for a few rows that two indexes name.
CREATE OR REPLACE FUNCTION services.claim_sms(
    p_sender text, p_provider text, p_limit integer, p_lease_ms integer, p_max_age_ms bigint, p_budget numeric,
    p_currency text
)
RETURNS TABLE (
    id uuid, attempt integer, recipient text, recipient_hash text, message text, template text, language text,
    priority integer, transaction_reference text, created_at timestamp,
    failed integer, paused boolean, warned boolean, spent numeric, next_due_ms bigint
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_sort = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET jit = off
AS $$
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
    outcome := core.find_request(p_key, p_digest);
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

-- Brings messages up to what the reports with their provider's id say.
--
-- Before: the rows are locked, and so is each provider's id (services.lock_message_ids).
-- After:  the delivery columns are those of services.delivery_of. A report whose status is known proves that the
--         provider has the message, so one that waits, for a person or to be sent again, is done; while a request may be
--         under way its answer is awaited. SENT means handed to the provider and not reported as lost: a final "not
--         delivered" makes it FAILED, because the customer has not been told, and whoever counts failures must find it.
--         What was charged stays charged.
CREATE OR REPLACE FUNCTION services.fold_delivery(p_ids uuid[])
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
    v_now constant timestamp(3) := clock_timestamp() AT TIME ZONE 'UTC';
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE services.sms_logs l
       SET delivery_status = d.status, delivery_rank = d.rank, delivery_reason = d.reason,
           delivery_updated_at = d.received_at,
           delivered_at = CASE WHEN d.rank = 100 THEN d.received_at END,
           network = left(d.network, 20),
           phase = CASE WHEN d.decides THEN 'DONE' ELSE l.phase END,
           status = CASE WHEN NOT d.decides THEN l.status WHEN d.is_lost THEN 'FAILED' ELSE 'SENT' END,
           sent_at = CASE WHEN d.decides THEN coalesce(l.sent_at, l.claimed_at) ELSE l.sent_at END,
           settled_at = CASE WHEN d.decides THEN coalesce(l.settled_at, v_now) ELSE l.settled_at END,
           error_code = CASE WHEN NOT d.decides THEN l.error_code WHEN d.is_lost THEN 'undelivered' END,
           error_message = CASE
               WHEN NOT d.decides THEN l.error_message
               WHEN d.is_lost THEN 'The network reported ' || d.status || coalesce(', ' || d.reason, '') || '.'
           END
      FROM (
        SELECT s.id, r.*, s.phase <> 'SENDING' AND r.rank >= 10 AS decides, r.rank BETWEEN 60 AND 99 AS is_lost
          FROM services.sms_logs s
         CROSS JOIN LATERAL services.delivery_of(s.provider, s.provider_message_id, s.recipient) r
         WHERE s.id = ANY (p_ids)
      ) d
     WHERE l.id = d.id;
    PERFORM set_config('daftari.door', '', true);
END
$$;

-- Records a person's decision on a message of unknown outcome.
--
-- p_decision: sent (with the provider's id and the cost where its own books have them), send_again, or failed.
-- After: NULL and it is done; or why it was not: unknown_sms, or nothing_to_decide when the outcome is known by now.
CREATE OR REPLACE FUNCTION services.decide_sms(
    p_id uuid, p_decision text, p_by text, p_note text, p_message_id text, p_cost numeric, p_currency text,
    p_parts integer
)
RETURNS text
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
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
    PERFORM services.lock_message_ids(ARRAY[p_message_id], false);
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
    PERFORM services.add_sms_spend(v_now, ARRAY[p_currency], ARRAY[1], ARRAY[p_parts], ARRAY[p_cost]);
    RETURN NULL;
END
$$;

-- Takes attempts whose lease is over for what they are: they may or may not have been sent, and are never sent again by
-- themselves. A late answer, a report or a person resolves them. Every sender may call it.
--
-- After: how many, p_limit at most.
CREATE OR REPLACE FUNCTION services.expire_sms_leases(p_limit integer)
RETURNS integer
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET jit = off
AS $$
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
$$;

-- Takes a number off the list of those that want no unimportant messages, for all names, because its holder asked for
-- that. After: whether it was on it.
CREATE OR REPLACE FUNCTION services.forget_opt_out(p_number text)
RETURNS boolean
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_was_there boolean;
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    DELETE FROM services.sms_opt_outs WHERE number = coalesce(core.normalize_phone(p_number), ltrim(p_number, '+'));
    v_was_there := FOUND;
    PERFORM set_config('daftari.door', '', true);
    RETURN v_was_there;
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
    v_door  text;
BEGIN
    IF 'transfer_refused' = ANY (p_templates) THEN
        -- Whoever calls this while the door is open has more to write.
        v_door := coalesce(current_setting('daftari.door', true), '');
        PERFORM set_config('daftari.door', 'open', true);
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
        PERFORM set_config('daftari.door', v_door, true);
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

-- Stores a delivery report as received and folds it into its message.
--
-- Before: nothing is locked; the caller's transaction is READ COMMITTED.
-- After:  one row in services.sms_delivery_reports, with the message that it is about, if there is one. outcome:
--   APPLIED      the message's delivery state is this report's
--   STALE        it knew as much or more
--   PARKED       no message has this id; the report joins when one gets it
--   MISMATCHED   the message with this id went to another number
--   AMBIGUOUS    several messages have this id, and the report does not say which number it is about
--   QUARANTINED  no id or no status could be read
CREATE OR REPLACE FUNCTION services.record_delivery_report(
    p_provider text, p_message_id text, p_status text, p_reason text, p_network_code text, p_retry_count integer,
    p_phone text, p_body bytea
)
RETURNS TABLE (id uuid, outcome text, sms_id uuid, known boolean)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    v_message_id constant text := nullif(nullif(left(btrim(p_message_id), 255), ''), 'None');
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
    known := services.delivery_rank(v_status) > 0;
    IF v_message_id IS NULL OR v_status IS NULL THEN
        outcome := 'QUARANTINED';
    ELSE
        PERFORM services.lock_message_ids(ARRAY[v_message_id], true);
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
            WHEN l.delivery_rank IS NULL
                 OR (services.delivery_rank(v_status), v_status COLLATE "C", coalesce(v_reason, '') COLLATE "C")
                    > (l.delivery_rank::integer, l.delivery_status COLLATE "C", coalesce(l.delivery_reason, '') COLLATE "C")
                THEN 'APPLIED'
            ELSE 'STALE'
        END;
    END IF;

    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO services.sms_delivery_reports (
        id, provider, provider_message_id, status, reason, network_code, retry_count, phone, sms_id, outcome, body,
        received_at
    )
    VALUES (
        id, p_provider, v_message_id, v_status, v_reason, nullif(left(btrim(p_network_code), 20), ''), p_retry_count,
        v_phone, sms_id, outcome, p_body, clock_timestamp() AT TIME ZONE 'UTC'
    );
    PERFORM set_config('daftari.door', '', true);
    -- A report that changes nothing else may still name the network.
    IF outcome IN ('APPLIED', 'STALE') THEN
        PERFORM services.fold_delivery(ARRAY[l.id]);
    END IF;
    RETURN NEXT;
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

    PERFORM set_config('daftari.door', 'open', true);
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
    PERFORM set_config('daftari.door', '', true);

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

-- Remembers that a number wants no unimportant messages. p_sender_id: the name that it answered to, '' where none was
-- named. After: whether it was new.
CREATE OR REPLACE FUNCTION services.record_opt_out(p_number text, p_sender_id text DEFAULT '')
RETURNS boolean
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
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

-- Records what came of attempts, each once, with what it cost, in one round trip.
--
-- Arrays of equal length, one element an attempt. p_outcomes:
--   accepted  the provider has it
--   refused   it never will
--   retry     it certainly was not sent; after p_retry_ms it may be tried again
--   unknown   it may have been sent
--
-- Before: nothing is locked; the caller's transaction is READ COMMITTED.
-- After:  one row an element, in no order. result:
--   settled  the attempt was under way
--   late     its outcome was taken for unknown before. An answer that comes late resolves what waits for a person, stops
--            what a person has put back into the queue, and completes what was resolved otherwise. What was charged is
--            booked even when the next attempt has begun.
--   ignored  this attempt has its answer already, or there was none
-- Reports that came before the answer are joined. Costs are added to the message and to the day's spending.
--
-- Locks, in this order for everybody: the providers' ids, the messages by id, the day's spending.
CREATE OR REPLACE FUNCTION services.settle_sms(
    p_ids uuid[], p_attempts integer[], p_outcomes text[], p_message_ids text[], p_costs numeric[], p_currencies text[],
    p_parts integer[], p_expected_parts integer[], p_encodings text[], p_texts text[], p_error_codes text[],
    p_error_messages text[], p_retry_ms bigint[]
)
RETURNS TABLE (ord integer, result text, status text)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    n        constant integer := coalesce(array_length(p_ids, 1), 0);
    v_now    constant timestamp(3) := clock_timestamp() AT TIME ZONE 'UTC';
    v_ords   integer[];
    v_was    text[]; -- the phases before
    v_fold   uuid[];
    v_after  integer[]; -- elements whose answer came after the next attempt began
    i        integer;
BEGIN
    IF EXISTS (
        SELECT 1 FROM unnest(p_outcomes) AS t (outcome)
         WHERE t.outcome IS NULL OR t.outcome NOT IN ('accepted', 'refused', 'retry', 'unknown')
    ) THEN
        RAISE EXCEPTION 'an outcome is accepted, refused, retry or unknown' USING ERRCODE = '22023';
    END IF;
    -- Providers write "None" where there is no id.
    SELECT array_agg(nullif(nullif(left(btrim(t.id), 255), ''), 'None') ORDER BY t.ord)
      INTO p_message_ids
      FROM unnest(p_message_ids) WITH ORDINALITY AS t (id, ord);
    PERFORM services.lock_message_ids(p_message_ids, false);
    PERFORM 1 FROM services.sms_logs l WHERE l.id = ANY (p_ids) ORDER BY l.id FOR NO KEY UPDATE;

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
               delivery_status = CASE WHEN a.message_id <> l.provider_message_id THEN NULL ELSE l.delivery_status END,
               delivery_rank = CASE WHEN a.message_id <> l.provider_message_id THEN NULL ELSE l.delivery_rank END,
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

    -- The answer to an attempt after which a person had the message sent again. Its unique row is what keeps it from
    -- being booked twice.
    IF coalesce(array_length(v_ords, 1), 0) < n AND 'accepted' = ANY (p_outcomes) THEN
        PERFORM set_config('daftari.door', 'open', true);
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
          INTO v_after
          FROM (
            SELECT min(t.ord)::integer AS ord
              FROM booked b
              JOIN unnest(p_ids, p_attempts, p_outcomes) WITH ORDINALITY AS t (id, attempt, outcome, ord)
                ON t.id = b.sms_id AND t.attempt = b.attempt AND t.outcome = 'accepted'
             GROUP BY b.sms_id, b.attempt
          ) f;
        -- One at a time: two attempts of one message may both be among them.
        FOREACH i IN ARRAY coalesce(v_after, '{}') LOOP
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
                   settled_at = CASE WHEN a.tells THEN coalesce(l.settled_at, v_now) ELSE l.settled_at END,
                   error_code = CASE WHEN NOT a.tells THEN l.error_code END,
                   error_message = CASE WHEN NOT a.tells THEN l.error_message END
              FROM (
                SELECT p_costs[i] IS NOT NULL
                           AND (coalesce(s.cost, 0) = 0 OR s.currency IS NOT DISTINCT FROM p_currencies[i]) AS adds_cost,
                       s.phase = 'QUEUED' OR s.status = 'FAILED' AND s.delivery_rank IS NULL AS tells
                  FROM services.sms_logs s
                 WHERE s.id = p_ids[i]
              ) a
             WHERE l.id = p_ids[i];
        END LOOP;
        PERFORM set_config('daftari.door', '', true);
        PERFORM services.fold_delivery(array_agg(p_ids[t.ord])) FROM unnest(v_after) AS t (ord);
    END IF;

    -- Only for what is out of the ordinary.
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
        v_now, array_agg(p_currencies[t.ord]),
        array_agg(CASE WHEN p_outcomes[t.ord] = 'accepted' THEN 1 ELSE 0 END),
        array_agg(CASE WHEN p_outcomes[t.ord] = 'accepted' THEN p_parts[t.ord] END),
        array_agg(CASE WHEN p_outcomes[t.ord] <> 'unknown' THEN p_costs[t.ord] END)
    )
       FROM unnest(v_ords) AS t (ord);
END
$$;

-- Puts a message into the inbox that moves no money: one that cannot be understood, that only asked, or whose recording
-- failed. After: the id of its row.
CREATE OR REPLACE FUNCTION services.store_callback(
    p_kind text, p_receipt text, p_outcome text, p_error text, p_source text, p_body bytea
)
RETURNS uuid
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
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
$$;

-- ==== end of functions ====

CREATE TRIGGER "transactions_backfilled" BEFORE UPDATE ON "core"."transactions"
    FOR EACH ROW EXECUTE FUNCTION core.guard_backfill();

DROP TRIGGER "wallets_through_the_door" ON "core"."wallets";
CREATE TRIGGER "wallets_through_the_door" BEFORE INSERT OR UPDATE ON "core"."wallets"
    FOR EACH STATEMENT WHEN (current_setting('daftari.door', true) IS DISTINCT FROM 'open')
    EXECUTE FUNCTION core.guard_wallets();

DROP TRIGGER "wallet_events_append_only" ON "core"."wallet_events";
CREATE TRIGGER "wallet_events_append_only" BEFORE UPDATE OR DELETE OR TRUNCATE ON "core"."wallet_events"
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is the record of who changed a wallet, and why.');
CREATE TRIGGER "wallet_events_through_the_door" BEFORE INSERT ON "core"."wallet_events"
    FOR EACH STATEMENT WHEN (current_setting('daftari.door', true) IS DISTINCT FROM 'open')
    EXECUTE FUNCTION core.refuse_write('core.change_wallet and its like write it with the change.');

CREATE TRIGGER "requests_through_the_door" BEFORE INSERT ON "core"."requests"
    FOR EACH STATEMENT WHEN (current_setting('daftari.door', true) IS DISTINCT FROM 'open')
    EXECUTE FUNCTION core.refuse_write('Send the request itself with its key: transfer and its like in @repo/db remember it.');

CREATE TRIGGER "mpesa_logs_through_the_door" BEFORE INSERT ON "services"."mpesa_logs"
    FOR EACH STATEMENT WHEN (current_setting('daftari.door', true) IS DISTINCT FROM 'open')
    EXECUTE FUNCTION core.refuse_write('Call services.record_deposits, or recordDeposit in @repo/db: a receipt that is logged by hand is never credited.');
CREATE TRIGGER "mpesa_callbacks_through_the_door" BEFORE INSERT ON "services"."mpesa_callbacks"
    FOR EACH STATEMENT WHEN (current_setting('daftari.door', true) IS DISTINCT FROM 'open')
    EXECUTE FUNCTION core.refuse_write('Call services.store_callback, or storeCallback in @repo/db.');

CREATE TRIGGER "sms_logs_through_the_door" BEFORE UPDATE ON "services"."sms_logs"
    FOR EACH STATEMENT WHEN (current_setting('daftari.door', true) IS DISTINCT FROM 'open')
    EXECUTE FUNCTION core.refuse_write('Call services.decide_sms, or decideSms in @repo/db; what is to be sent again is queued again, with queueSms.');
CREATE TRIGGER "sms_events_through_the_door" BEFORE INSERT ON "services"."sms_events"
    FOR EACH STATEMENT WHEN (current_setting('daftari.door', true) IS DISTINCT FROM 'open')
    EXECUTE FUNCTION core.refuse_write('Call services.decide_sms, or decideSms in @repo/db.');
CREATE TRIGGER "sms_delivery_reports_through_the_door" BEFORE INSERT ON "services"."sms_delivery_reports"
    FOR EACH STATEMENT WHEN (current_setting('daftari.door', true) IS DISTINCT FROM 'open')
    EXECUTE FUNCTION core.refuse_write('Call services.record_delivery_report, or recordDeliveryReport in @repo/db.');
CREATE TRIGGER "sms_spend_through_the_door" BEFORE INSERT OR UPDATE ON "services"."sms_spend"
    FOR EACH STATEMENT WHEN (current_setting('daftari.door', true) IS DISTINCT FROM 'open')
    EXECUTE FUNCTION core.refuse_write('services.settle_sms and services.decide_sms book what was charged.');
CREATE TRIGGER "sms_opt_outs_through_the_door" BEFORE INSERT OR UPDATE OR DELETE ON "services"."sms_opt_outs"
    FOR EACH STATEMENT WHEN (current_setting('daftari.door', true) IS DISTINCT FROM 'open')
    EXECUTE FUNCTION core.refuse_write('Call services.record_opt_out or services.forget_opt_out, or recordOptOut in @repo/db.');
CREATE TRIGGER "sms_last_told_through_the_door" BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON "services"."sms_last_told"
    FOR EACH STATEMENT WHEN (current_setting('daftari.door', true) IS DISTINCT FROM 'open')
    EXECUTE FUNCTION core.refuse_write('services.record_transfers remembers there whom it told.');
CREATE TRIGGER "sms_template_changes_through_the_door" BEFORE INSERT ON "services"."sms_template_changes"
    FOR EACH STATEMENT WHEN (current_setting('daftari.door', true) IS DISTINCT FROM 'open')
    EXECUTE FUNCTION core.refuse_write('services.set_sms_template writes it with the change.');
DROP TRIGGER "sms_opt_outs_never_truncated" ON "services"."sms_opt_outs";
CREATE TRIGGER "sms_opt_outs_never_truncated" BEFORE TRUNCATE ON "services"."sms_opt_outs"
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('Who asked for no messages would get them again; call services.forget_opt_out for single numbers.');

CREATE TRIGGER "api_keys_through_the_door" BEFORE INSERT OR UPDATE ON "services"."api_keys"
    FOR EACH STATEMENT WHEN (current_setting('daftari.door', true) IS DISTINCT FROM 'open')
    EXECUTE FUNCTION core.refuse_write('Call services.create_api_key or services.revoke_api_key, or createApiKey and revokeApiKey in @repo/db.');
CREATE TRIGGER "api_keys_never_deleted" BEFORE DELETE OR TRUNCATE ON "services"."api_keys"
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('Revoke it with services.revoke_api_key: who had which key is to be found later.');
