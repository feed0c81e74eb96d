-- Lanes: payments to different wallets wait for no common lock.
--
-- Before: each batch of deposits locks the one float and the one suspense wallet, so batches pass one after the other.
-- After:  every wallet has a lane, 0 to 15, by its number (core.lane_of), and so have the rows that belong to it. The float,
--         suspense and the fees are sixteen wallets each, one for each lane, and one account to people (core.account_of).
--         What the accounts had stays where it is, in their wallets of lane 0.
-- Fails, and changes nothing, when a customer's wallet is called like one of the new system wallets (DF010).

ALTER TABLE core.wallets
    ADD COLUMN lane SMALLINT NOT NULL DEFAULT 0,
    ADD CONSTRAINT wallets_lane_check CHECK (lane BETWEEN 0 AND 15);
ALTER TABLE core.holds
    ADD COLUMN lane SMALLINT NOT NULL DEFAULT 0,
    ADD CONSTRAINT holds_lane_check CHECK (lane BETWEEN 0 AND 15);

-- NULL on the rows that are there: they are append-only, and nothing reads it of them.
ALTER TABLE core.transactions ADD COLUMN lane SMALLINT;
ALTER TABLE core.wallet_events ADD COLUMN lane SMALLINT;
ALTER TABLE services.mpesa_callbacks ADD COLUMN lane SMALLINT;
ALTER TABLE services.mpesa_logs ADD COLUMN lane SMALLINT;
ALTER TABLE services.sms_logs ADD COLUMN lane SMALLINT;

-- What came into suspense, whichever lane it waits in, in order of time.
CREATE INDEX transactions_suspense_idx ON core.transactions (created_at, credit_version, id)
    WHERE credit_wallet_id LIKE 'SUSPENSE%';

-- ==== functions: written by db:migration, edit prisma/functions instead ====

DROP FUNCTION core.post_transactions(p_references text[], p_types text[], p_debits text[], p_credits text[], p_fallbacks text[], p_amounts numeric[], p_currencies text[], p_keys text[], p_digests text[], p_reverses uuid[], p_groups integer[], p_narratives text[], OUT outcomes text[], OUT reasons text[], OUT ids uuid[], OUT credited text[], OUT debit_balances numeric[], OUT credit_balances numeric[], OUT hashes text[], OUT posted_at timestamp without time zone);

DROP FUNCTION services.queue_deposit_sms(p_now timestamp without time zone, p_ids uuid[], p_receipts text[], p_amounts numeric[], p_payer_phones text[], p_phone_hashes text[], p_payer_names text[], p_holder_phones text[], p_languages text[], p_credited text[], p_balances numeric[]);

-- What people call the account of a wallet: MPESA-FLOAT for each stripe of the float, and so for suspense and the fees;
-- every other wallet is an account of its own.
CREATE OR REPLACE FUNCTION core.account_of(p_wallet text)
RETURNS text
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $$
    SELECT regexp_replace(p_wallet, '^(MPESA-FLOAT|SUSPENSE|FEES)\.([1-9]|1[0-5])$', '\1')
$$;

-- Takes the locks of a batch of postings and reads the wallets. For core.post_transactions, whose arguments these are.
--
-- Before: the caller has switched nested loops off, so that names are found by hashing.
-- After:  every wallet that the batch names is locked, customers' by number and then the system's by number; of the system
--         wallets among the fallbacks only those that an item needs. The arrays have one element a wallet that is there,
--         the first of them (customers) those of customers. last is the latest moment that one of them bears.
CREATE OR REPLACE FUNCTION core.lock_batch(
    p_debits     text[],
    p_credits    text[],
    p_fallbacks  text[],
    p_currencies text[],
    OUT ids        text[],
    OUT balances   numeric[],
    OUT available  numeric[], -- balance - held - floor; NULL: this wallet has no floor
    OUT versions   bigint[],
    OUT statuses   text[],
    OUT currencies text[],
    OUT lanes      smallint[],
    OUT customers  integer,
    OUT last       timestamp
)
LANGUAGE plpgsql
VOLATILE
AS $$
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
$$;

-- The one door for money: balances change here and nowhere else.
--
-- Takes a batch of postings as arrays of equal length and treats them exactly as if they came one after the
-- other in that order, in one round trip. Element i moves p_amounts[i] from p_debits[i] to p_credits[i].
--
-- Before: nothing is locked; the caller's transaction is READ COMMITTED.
-- After:  every wallet that the batch names is locked until the caller commits, in one global order for
--         everybody (customers by number, then the hot system wallets), so that two batches can wait for each
--         other but never in a circle; of the system wallets among the fallbacks only those needed. Each posting
--         has its outcome:
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
-- lanes[i]:        the lane of the wallet that was credited.
--
-- Two batches that share no wallet may bring the same reference at the same moment. The unique index decides: the later
-- one fails with SQLSTATE 23505 on transactions_reference_key, and repeated it finds the reference taken.
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
    OUT lanes           smallint[],
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
        idempotency_key, request_digest, reverses_id, narrative, created_at, verification_hash, xact_id, lane
    )
    SELECT t.id, t.reference, t.type, t.debit, t.credit, t.amount, t.currency,
           t.debit_version, t.debit_balance, t.credit_version, t.credit_balance,
           t.key, t.digest, t.reverses, t.narrative, posted_at, t.hash, v_xact, t.lane
      FROM unnest(
        ids, p_references, p_types, p_debits, credited, p_amounts, p_currencies,
        o_debit_versions, debit_balances, o_credit_versions, credit_balances,
        p_keys, p_digests, p_reverses, p_narratives, hashes, lanes
      ) AS t (
        id, reference, type, debit, credit, amount, currency,
        debit_version, debit_balance, credit_version, credit_balance, key, digest, reverses, narrative, hash, lane
      )
     WHERE t.id IS NOT NULL
     -- In one order for everybody, as for the keys below.
     ORDER BY t.reference COLLATE "C";

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
$$;

-- The lane of a wallet, 0 to 15, from its number: batches of different lanes share no wallet.
--
-- It is the last four bits of the first byte of the number's SHA-256; a stripe of a system account has the lane in its
-- name, and the account's own name is that of lane 0. laneOf() in packages/db computes the same in TypeScript; a property
-- test compares the two.
CREATE OR REPLACE FUNCTION core.lane_of(p_number text)
RETURNS smallint
LANGUAGE sql
STABLE
PARALLEL SAFE
AS $$
    SELECT CASE
        WHEN p_number ~ '^(MPESA-FLOAT|SUSPENSE|FEES)(\.([1-9]|1[0-5]))?$'
            THEN coalesce(nullif(split_part(p_number, '.', 2), ''), '0')::smallint
        ELSE (get_byte(sha256(convert_to(p_number, 'UTF8')), 0) & 15)::smallint
    END
$$;

-- The wallet in which a system account keeps the money of a lane: MPESA-FLOAT for lane 0, MPESA-FLOAT.7 for lane 7.
--
-- The float, suspense and the fees are one account each to people and sixteen wallets to the database, so that payments to
-- wallets of different lanes wait for no common lock.
CREATE OR REPLACE FUNCTION core.stripe_of(p_account text, p_lane smallint)
RETURNS text
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $$
    SELECT CASE WHEN p_lane = 0 THEN p_account ELSE p_account || '.' || p_lane END
$$;

-- The wallet that a payment out of a wallet of this lane goes to: of a system account, or any of its stripes, the stripe
-- of the lane; every other wallet is what was named.
CREATE OR REPLACE FUNCTION core.wallet_in_lane(p_wallet text, p_lane smallint)
RETURNS text
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $$
    SELECT CASE
        WHEN core.account_of(p_wallet) IN ('MPESA-FLOAT', 'SUSPENSE', 'FEES')
            THEN core.stripe_of(p_account => core.account_of(p_wallet), p_lane => p_lane)
        ELSE p_wallet
    END
$$;

-- Pays out of a hold, whole or part; the rest goes back to the wallet, and the hold is closed.
--
-- Its fee is that of the rules in force now, and never so high that there is not enough money for it: the holder pays
-- what was reserved for it at most, whatever has become of the rules since; a receiver, what they have with what they
-- receive. A hold from before fees were reserved (fee_held NULL) has the rest of its wallet for it.
--
-- p_amount: NULL for the whole. p_to: a system wallet (a WITHDRAWAL) or a customer's (a TRANSFER).
-- After: outcome 'posted' and the transaction's reference; 'replayed' with the reference of then (or reason);
--        'key_reused'; or 'refused' with reason: unknown_hold, hold_closed (captured, released or expired already),
--        exceeds_hold, or a reason of core.post_transactions. A refused capture leaves the hold as it was;
--        one that is done leaves with it its transaction and what was available afterwards.
CREATE OR REPLACE FUNCTION core.capture_hold(
    p_key text, p_digest text, p_hold_id uuid, p_to text, p_amount numeric, p_reference text, p_narrative text,
    OUT outcome text, OUT reason text, OUT reference text
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
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
    INSERT INTO core.wallet_events (wallet_id, lane, changed, old_value, new_value, actor, reason)
    VALUES (p_wallet, core.lane_of(p_wallet), p_column, p_from, p_to, coalesce(p_actor, session_user), p_reason);
    PERFORM set_config('daftari.door', '', true);
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
$$;

-- Records a batch of transfers between wallets, each once for its idempotency key, in one round trip.
--
-- Arrays of equal length, in the order in which they arrived. p_references are new references of ours; the fee of a
-- transfer, if a rule in core.fee_rules asks for one, is posted with it under the same reference with "-F" behind.
--
-- Before: nothing is locked.
-- After:  as core.post_transactions leaves it. The answers are arrays in the order of the batch; outcomes:
--           posted      new
--           replayed    the key was used for this very request: a reason is set if it was refused then
--           key_reused  the key was used for another request
--           refused     nothing moved (reason; a system wallet is an unknown_wallet); remembered under the key
--           collision   the new reference is taken already: the caller must think of another one
--         What was posted, now or then, has its transaction and fee; balances are what the debited wallet had
--         afterwards and credit_balances what the other one had, the fee paid.
CREATE OR REPLACE FUNCTION core.record_transfers(
    p_keys       text[],
    p_digests    text[],
    p_references text[],
    p_debits     text[],
    p_credits    text[],
    p_amounts    numeric[],
    p_currencies text[],
    p_narratives text[],
    OUT outcomes        text[],
    OUT reasons         text[],
    OUT refs            text[],
    OUT ids             uuid[],
    OUT fees            numeric[],
    OUT balances        numeric[],
    OUT credit_balances numeric[],
    OUT times           timestamp[],
    OUT hashes          text[]
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
-- As for core.post_transactions: tables are asked for arrays of keys, and what they answer is joined by hashing.
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_nestloop = off
-- A table without an index is read from end to end all the same, at a made-up price that would call for compiling.
SET jit = off
AS $$
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
$$;

-- Sends the money of a transaction back, whole or up to what is left of it.
--
-- The policy: a reversal never overdraws a wallet. When the money is spent it is refused (insufficient_funds), and
-- somebody decides; part of it can be asked for. A payment in suspense is reversed from suspense only as long as it
-- has not been assigned to a wallet: afterwards the assignment must be reversed first, or other payers' money would
-- be sent back. And an assignment goes back whole or not at all: a part of a payment would lie in suspense where it can
-- neither be assigned nor sent back.
--
-- p_amount: NULL for all that is left.
-- After: outcome 'posted' and the new reference; 'replayed' with the reference of then (or reason); 'key_reused'; or
--        'refused' with reason: unknown_transaction, not_reversible, already_reversed, exceeds_remaining,
--        not_divisible, already_assigned, or a reason of core.post_transactions.
CREATE OR REPLACE FUNCTION core.reverse_transaction(
    p_key text, p_digest text, p_original text, p_amount numeric, p_reference text, p_narrative text,
    OUT outcome text, OUT reason text, OUT reference text
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
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
        WHEN t.type = 'DEPOSIT' AND core.account_of(t.credit_wallet_id) = 'SUSPENSE'
             AND (core.current_assignment(t.reference)).reference IS NOT NULL THEN 'already_assigned'
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
$$;

-- Does a batch of operations on the ledger in one round trip: the single functions one after the other, in this order,
-- each with the answer that it would give alone.
--
-- Arrays of equal length, one element an operation; NULL where its kind does not use it.
--   HOLD     core.place_hold           key, digest, wallet, amount, expiry, narrative
--   CAPTURE  core.capture_hold         key, digest, hold, wallet (where to), amount, new reference, narrative
--   RELEASE  core.release_hold         hold
--   REVERSE  core.reverse_transaction  key, digest, original, amount, new reference, narrative
--   ASSIGN   core.assign_suspense      original (the receipt), wallet, key and digest or neither
--
-- Before: nothing is locked; the caller's transaction is READ COMMITTED.
-- After:  every wallet of the batch is locked until the caller commits, taken before anything was done, in the one
--         global order. A hold is read and changed only under the lock of its wallet, so it needs no order of its own.
--         Keys are written as the operations come: two batches that use two keys for different requests the other way
--         round may be told to try again by the server's deadlock detection. One row an element, in no order: ord says
--         which. outcome and reason are those of the single function; of what was posted, now or then:
--           reference .. remaining       the transaction as it was answered then; remaining of what a reversal reverses
--           hold_id .. hold_available    the hold as it was answered then: holds of releases before this was kept show
--                                        what is available now
CREATE OR REPLACE FUNCTION core.run_operations(
    p_kinds      text[],
    p_keys       text[],
    p_digests    text[],
    p_holds      uuid[],
    p_originals  text[],
    p_wallets    text[],
    p_amounts    numeric[],
    p_expiries   timestamp[],
    p_references text[],
    p_narratives text[]
)
RETURNS TABLE (
    ord integer, outcome text, reason text,
    reference text, transaction_id uuid, type text, debit_wallet text, credit_wallet text, amount numeric,
    currency text, fee numeric, balance_after numeric, created_at timestamp, verification_hash text, remaining numeric,
    hold_id uuid, hold_wallet text, hold_amount numeric, hold_captured numeric, hold_status text,
    hold_capture text, hold_expires_at timestamp, hold_created_at timestamp, hold_available numeric, hold_fee_held numeric
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
-- As for core.post_transactions: look-ups by key, also in the functions that are called from here, whose plans may be
-- made while the tables are empty.
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_nestloop = off
SET jit = off
AS $$
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
$$;

-- Queues the messages about deposits, in the transaction that posted them. For services.record_deposits.
--
-- Arrays of equal length, one element a deposit; p_ids is NULL for what was not posted. The holder of the wallet is told,
-- or, when the money waits in suspense, the payer. A payer whose number came as a hash is told where the provider accepts
-- hashes; a masked number cannot be sent to, and the row says so.
CREATE OR REPLACE FUNCTION services.queue_deposit_sms(
    p_now           timestamp,
    p_ids           uuid[],
    p_receipts      text[],
    p_amounts       numeric[],
    p_payer_phones  text[],
    p_phone_hashes  text[],
    p_payer_names   text[],
    p_holder_phones text[],
    p_languages     text[], -- of the holders
    p_credited      text[], -- accounts: SUSPENSE for each of its stripes
    p_balances      numeric[],
    p_lanes         smallint[]
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $$
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
            SELECT p.id, p.receipt, p.amount, p.credited, p.balance, p.phone_hash, p.payer_name, p.lane,
                   CASE WHEN p.credited = 'SUSPENSE' THEN 'deposit_suspense' ELSE 'deposit' END AS template,
                   CASE WHEN p.credited = 'SUSPENSE' THEN 'en' ELSE p.language END AS language,
                   CASE
                       WHEN p.credited <> 'SUSPENSE' THEN p.holder_phone
                       WHEN p.payer_phone IS NULL AND p.phone_hash IS NOT NULL THEN core.phone_of_hash(p.phone_hash)
                       ELSE p.payer_phone
                   END AS recipient
              FROM unnest(
                p_ids, p_receipts, p_amounts, p_payer_phones, p_phone_hashes, p_payer_names, p_holder_phones,
                p_languages, p_credited, p_balances, p_lanes
              ) AS p (
                id, receipt, amount, payer_phone, phone_hash, payer_name, holder_phone, language, credited, balance,
                lane
              )
             WHERE p.id IS NOT NULL
          ) r
      ) t
      LEFT JOIN services.sms_templates m
        ON m.key = t.template AND m.language = t.language AND m.key IN ('deposit', 'deposit_suspense')
     WHERE t.recipient IS NOT NULL OR t.phone_hash IS NOT NULL;
END
$$;

-- Queues the messages that tell customers about movements of their wallets, in the transaction that moved the money.
--
-- Arrays of equal length, one element a message: to the holder of p_wallets[i], in their language. p_others[i] is the
-- other side of the movement: the text has its holder's name, as customers of mobile money expect once money has
-- moved; where p_reasons[i] says why nothing moved it has the number alone, for a refusal must not tell whose it is.
--
-- A refusal costs its caller nothing and us a message, so a wallet gets at most one an hour.
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
    p_reasons      text[] DEFAULT NULL, -- why nothing moved, NULL where it did
    p_priorities   smallint[] DEFAULT NULL -- 0 by default
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
-- p_max_amount: a larger amount is kept and not posted, until services.release_deposit. NULL stands for 10,000,000.00, and
--         nothing above 1,000,000,000,000.00 is ever posted: the float must be able to move after any payment.
-- p_is_release: the payments are in services.mpesa_logs already, a person has decided to post them, and no limit but
--         the last one counts. For services.release_deposit alone.
--
-- outcome per element:
--   credited   new; the money is in the customer's wallet
--   suspense   new; the money is in the suspense wallet, reason says why, suggestions who may have been meant
--   held       new, and kept without being posted: the amount is above the limit
--   duplicate  this receipt with the same amount and short code is there already; nothing moved
--   conflict   this receipt is there with another amount or short code (recorded_*), or was logged before there was
--              a ledger and has no transaction; nothing moved
--   refused    no money moved and none could (reason), for instance a sum that the column cannot hold, or an invalid
--              receipt: not 6 to 20 of A-Z and 0-9
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
    p_payloads     text[], -- NULL: the body itself is valid for jsonb
    p_kinds        text[],
    p_sources      text[],
    p_body_starts  integer[],
    p_body_lengths integer[],
    p_bodies       bytea,
    p_max_amount   numeric DEFAULT NULL,
    p_is_release   boolean DEFAULT false
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
    v_screened    record; -- receipts, amounts, logged and is_plain: see services.screen_deposits
    v_post        record; -- what the door answered
    v_accounts    text[]; -- whom the money was credited to
    v_held        uuid[]; -- for what is held, the id of its rows
    v_outcomes    text[];
BEGIN
    -- ---- 1. Routing: the wallet that each account means ----

    -- Nearly all accounts are a wallet's number exactly; only for a batch with another one are the other ways tried.
    SELECT array_agg(w.id::text ORDER BY t.ord), array_agg(w.phone::text ORDER BY t.ord),
           array_agg(w.language::text ORDER BY t.ord), array_agg(w.lane ORDER BY t.ord)
      INTO v_targets, v_phones, v_languages, v_lanes
      FROM unnest(p_accounts) WITH ORDINALITY AS t (account, ord)
      LEFT JOIN core.wallets w ON w.id = t.account AND w.kind = 'CUSTOMER' AND w.id = ANY (p_accounts);
    IF array_position(v_targets, NULL) IS NOT NULL THEN
        SELECT r.wallets, r.phones, r.reasons, r.suggestions
          INTO v_targets, v_phones, v_reasons, v_suggestions
          FROM core.route_accounts(p_accounts => p_accounts, p_payers => p_phones, p_hashes => p_phone_hashes) AS r;
        SELECT array_agg(w.language::text ORDER BY t.ord),
               array_agg(coalesce(w.lane, core.lane_of(coalesce(t.account, ''))) ORDER BY t.ord)
          INTO v_languages, v_lanes
          FROM unnest(v_targets, p_accounts) WITH ORDINALITY AS t (wallet, account, ord)
          LEFT JOIN core.wallets w ON w.id = t.wallet AND w.id = ANY (v_targets);
    END IF;
    -- The float pays from the stripe of the lane that the payment goes to, and what finds no wallet waits in the same lane.
    SELECT array_agg(core.stripe_of(p_account => 'MPESA-FLOAT', p_lane => t.lane) ORDER BY t.ord),
           array_agg(core.stripe_of(p_account => c_suspense, p_lane => t.lane) ORDER BY t.ord)
      INTO v_floats, v_suspenses
      FROM unnest(v_lanes) WITH ORDINALITY AS t (lane, ord);
    IF v_reasons IS NOT NULL THEN
        SELECT array_agg(coalesce(t.wallet, t.suspense) ORDER BY t.ord)
          INTO v_targets
          FROM unnest(v_targets, v_suspenses) WITH ORDINALITY AS t (wallet, suspense, ord);
    END IF;

    -- ---- 2. Posting: what may be posted goes through the door ----

    SELECT * INTO v_screened
      FROM services.screen_deposits(
        p_receipts => p_receipts, p_amounts => p_amounts, p_max => v_max, p_is_release => p_is_release
      );
    SELECT * INTO v_post
      FROM core.post_transactions(
        p_references => p_receipts, p_types => array_fill('DEPOSIT'::text, ARRAY[n]),
        p_debits => v_floats, p_credits => v_targets,
        p_fallbacks => v_suspenses, p_amounts => v_screened.amounts,
        p_currencies => array_fill('KES'::text, ARRAY[n])
      );
    -- Money in suspense has a reason to be there.
    v_accounts := v_post.credited;
    IF v_reasons IS NOT NULL OR array_remove(v_post.reasons, NULL) <> '{}' THEN
        SELECT array_agg(core.account_of(t.wallet) ORDER BY t.ord)
          INTO v_accounts
          FROM unnest(v_post.credited) WITH ORDINALITY AS t (wallet, ord);
    END IF;
    v_now := v_post.posted_at;
    v_ms := (extract(epoch FROM v_now) * 1000)::bigint;
    IF NOT v_screened.is_plain THEN
        -- The first of a receipt that is nowhere, if its amount is one that the column holds.
        SELECT array_agg(
                   CASE
                       WHEN t.outcome = 'refused' AND t.amount > v_max AND t.amount < 100000000000000000
                            AND t.amount = round(t.amount, 2) AND t.is_first AND t.receipt IS NOT NULL
                            AND (t.receipt = ANY (v_screened.logged)) IS NOT TRUE AND NOT p_is_release
                           THEN core.uuid_v7(p_milliseconds => v_ms, p_sequence => (t.ord & 4095)::integer)
                   END ORDER BY t.ord
               )
          INTO v_held
          FROM (
            SELECT i.*, row_number() OVER (PARTITION BY i.receipt ORDER BY i.ord) = 1 AS is_first
              FROM unnest(v_screened.receipts, p_amounts, v_post.outcomes) WITH ORDINALITY AS i (receipt, amount, outcome, ord)
          ) t;
    END IF;

    -- ---- 3. The log, and the messages ----

    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO services.mpesa_logs (
        id, mpesa_receipt, phone, amount, raw_payload, created_at,
        short_code, account, paid_at, phone_hash, payer_name, outcome, reason, suggestions, wallet_id, lane
    )
    SELECT coalesce(t.id, t.held), t.receipt,
           CASE WHEN t.phone IS NULL AND t.phone_hash IS NOT NULL THEN core.phone_of_hash(t.phone_hash) ELSE t.phone END,
           t.amount,
           coalesce(t.payload, convert_from(substr(p_bodies, t.first, t.length), 'UTF8'))::jsonb,
           v_now, t.short_code, t.account, t.paid_at, t.phone_hash, t.payer_name,
           CASE
               WHEN t.held IS NOT NULL THEN 'HELD'
               WHEN t.credited = c_suspense THEN 'SUSPENSE'
               ELSE 'CREDITED'
           END,
           CASE
               WHEN t.held IS NOT NULL THEN 'above_limit'
               WHEN t.credited = c_suspense THEN coalesce(t.door_reason, t.reason)
           END,
           CASE WHEN t.suggestions IS NULL THEN '{}' ELSE string_to_array(t.suggestions, ',') END,
           t.credited, t.lane
      FROM unnest(
        v_post.ids, p_receipts, p_amounts, p_short_codes, p_accounts, p_paid_at, p_phones, p_phone_hashes, p_names,
        p_payloads, p_body_starts, p_body_lengths, v_reasons, v_suggestions, v_post.reasons, v_accounts, v_held, v_lanes
      ) AS t (
        id, receipt, amount, short_code, account, paid_at, phone, phone_hash, payer_name,
        payload, first, length, reason, suggestions, door_reason, credited, held, lane
      )
     WHERE (t.id IS NOT NULL OR t.held IS NOT NULL) AND NOT p_is_release;

    PERFORM services.queue_deposit_sms(
        p_now => v_now, p_ids => v_post.ids, p_receipts => p_receipts, p_amounts => p_amounts,
        p_payer_phones => p_phones, p_phone_hashes => p_phone_hashes, p_payer_names => p_names,
        p_holder_phones => v_phones, p_languages => v_languages,
        p_credited => v_accounts, p_balances => v_post.credit_balances, p_lanes => v_lanes
    );

    -- ---- 4. The inbox: what each payment became ----

    v_outcomes := v_post.outcomes;
    IF 'exists' = ANY (v_outcomes) OR 'exists_different' = ANY (v_outcomes) OR NOT v_screened.is_plain THEN
        v_outcomes := services.compare_deposits(
            p_receipts => v_screened.receipts, p_amounts => p_amounts, p_short_codes => p_short_codes,
            p_outcomes => v_outcomes, p_held => v_held, p_logged => v_screened.logged
        );
    END IF;
    INSERT INTO services.mpesa_callbacks (
        id, kind, receipt, outcome, error, source, body, received_at, amount, short_code, lane
    )
    SELECT coalesce(t.id, t.held, core.uuid_v7(p_milliseconds => v_ms, p_sequence => (t.ord & 4095)::integer)),
           t.kind, t.receipt,
           CASE
               WHEN t.outcome = 'created' AND t.credited = c_suspense THEN 'SUSPENSE'
               WHEN t.outcome = 'created' THEN 'CREDITED'
               WHEN t.outcome = 'refused' THEN 'FAILED'
               ELSE upper(t.outcome)
           END,
           CASE
               WHEN t.held IS NOT NULL THEN 'above_limit'
               WHEN t.outcome = 'refused' AND t.receipt IS NULL THEN 'invalid_receipt'
               WHEN t.outcome = 'refused' THEN t.door_reason
               WHEN t.credited = c_suspense THEN coalesce(t.door_reason, t.reason)
           END,
           t.source, substr(p_bodies, t.first, t.length), v_now,
           -- What is recorded of the receipt is not what this message said.
           CASE WHEN t.outcome = 'conflict' THEN t.amount END, CASE WHEN t.outcome = 'conflict' THEN t.short_code END,
           t.lane
      FROM unnest(
        v_post.ids, v_screened.receipts, p_kinds, p_sources, p_body_starts, p_body_lengths, v_reasons, v_outcomes,
        v_post.reasons, v_accounts, v_held, p_amounts, p_short_codes, v_lanes
      ) WITH ORDINALITY AS t (
        id, receipt, kind, source, first, length, reason, outcome, door_reason, credited, held, amount, short_code, lane,
        ord
      );
    PERFORM set_config('daftari.door', '', true);

    -- ---- 5. The answer ----

    RETURN QUERY
    SELECT t.ord::integer,
           CASE
               WHEN t.id IS NULL THEN t.outcome
               WHEN t.credited = c_suspense THEN 'suspense'
               ELSE 'credited'
           END,
           NULL,
           CASE
               WHEN t.outcome = 'held' THEN 'above_limit'
               WHEN t.outcome = 'refused' AND t.receipt IS NULL THEN 'invalid_receipt'
               ELSE coalesce(t.door_reason, t.reason)
           END,
           t.suggestions, t.credited, t.id, t.amount, t.balance, v_now, t.hash, t.short_code
      FROM unnest(
        v_post.ids, p_amounts, p_short_codes, v_reasons, v_suggestions, v_outcomes,
        v_post.reasons, v_accounts, v_post.credit_balances, v_post.hashes, v_screened.receipts
      ) WITH ORDINALITY AS t (
        id, amount, short_code, reason, suggestions, outcome, door_reason, credited, balance, hash, receipt, ord
      )
     WHERE t.outcome IN ('created', 'refused', 'held');

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
$$;

-- What a person decides about a message in the inbox that waits for one (CONFLICT, QUARANTINED or FAILED).
--
-- p_decision: KEPT, what is recorded stays as it is and the message needs nobody any more; or CORRECTED, the message is
--         right and the deposit that it contradicts is not: the difference moves between the float and the wallet that
--         was credited, once for each receipt, as CR-<receipt>. A difference in the short code alone moves nothing.
-- p_key, p_digest: as for core.reverse_transaction.
-- After: outcome 'posted', 'noted' when no money moved, 'replayed', 'key_reused', or 'refused' with reason:
--        unknown_callback, nothing_to_resolve (no such outcome), already_resolved, not_correctable (its money went
--        through suspense, was sent back in part, or was corrected before, or there is no deposit), or a reason of
--        core.post_transactions: a correction never overdraws. reference is that of the correction, if there is one.
CREATE OR REPLACE FUNCTION services.resolve_callback(
    p_id uuid, p_decision text, p_by text, p_reason text, p_key text, p_digest text,
    OUT outcome text, OUT reason text, OUT reference text
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
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
            OR core.remaining_of(t.id) < t.amount
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
    END IF;
    INSERT INTO core.requests (idempotency_key, digest, outcome, reference)
    VALUES (p_key, p_digest, 'POSTED', coalesce(reference, p_id::text));
    PERFORM set_config('daftari.door', '', true);
END
$$;

-- ==== end of functions ====

-- ---- Wallets, holds and stripes ----

DO $$
DECLARE
    v_taken text;
BEGIN
    SELECT min(w.id) INTO v_taken FROM core.wallets w WHERE core.account_of(w.id) <> w.id;
    IF v_taken IS NOT NULL THEN
        RAISE EXCEPTION 'wallet % has the name of a new system wallet', v_taken
            USING ERRCODE = 'DF010',
                  HINT = 'Give the wallet another number in every table that names it, with triggers disabled, and deploy again.';
    END IF;

    PERFORM set_config('daftari.door', 'open', true);
    UPDATE core.wallets SET lane = core.lane_of(id) WHERE lane <> core.lane_of(id);
    UPDATE core.holds h SET lane = w.lane FROM core.wallets w WHERE w.id = h.wallet_id AND w.lane <> h.lane;
    INSERT INTO core.wallets (id, holder_name, kind, min_balance, lane)
    SELECT core.stripe_of(p_account => w.id, p_lane => s.lane::smallint), w.holder_name, w.kind, w.min_balance, s.lane
      FROM core.wallets w
     CROSS JOIN generate_series(1, 15) AS s (lane)
     WHERE w.id IN ('MPESA-FLOAT', 'SUSPENSE', 'FEES');
    PERFORM set_config('daftari.door', '', true);
END
$$;
