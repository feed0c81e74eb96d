-- Transfers, holds, reversals, assignments: what moves money between wallets, and what remembers requests.
--
-- Before: the door knows deposits; a wallet's held money is a column that nothing fills.
-- After:  the door knows idempotency keys (core.requests remembers refusals too) and postings of several legs;
--         core.holds reserves money; core.fee_rules says who pays how much; core.wallet_events says who froze or
--         closed a wallet and why; services.api_keys holds the hashes of keys.

CREATE TABLE "core"."requests" (
    "idempotency_key" VARCHAR(255) NOT NULL,
    -- SHA-256 over the request: the same key with another request is an error.
    "digest" VARCHAR(64) NOT NULL,
    "outcome" VARCHAR(20) NOT NULL,
    "reason" VARCHAR(40),
    -- The transaction's reference, or the hold's id.
    "reference" VARCHAR(50),
    "created_at" TIMESTAMP(3) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),

    CONSTRAINT "requests_pkey" PRIMARY KEY ("idempotency_key"),
    CONSTRAINT "requests_outcome_check" CHECK ("outcome" IN ('POSTED', 'REFUSED')),
    CONSTRAINT "requests_answer_check" CHECK (
        CASE "outcome" WHEN 'POSTED' THEN "reference" IS NOT NULL ELSE "reason" IS NOT NULL END
    )
);

-- core.requests keeps a key from being used twice; a second index on the keys of what succeeded would only cost.
DROP INDEX "core"."transactions_idempotency_key_key";
ALTER TABLE "core"."transactions" ADD COLUMN "narrative" VARCHAR(255);

CREATE TABLE "core"."holds" (
    "id" UUID NOT NULL DEFAULT core.new_id(),
    "wallet_id" VARCHAR(20) NOT NULL,
    "amount" DECIMAL(19,2) NOT NULL,
    "captured" DECIMAL(19,2) NOT NULL DEFAULT 0,
    "status" VARCHAR(20) NOT NULL DEFAULT 'ACTIVE',
    "expires_at" TIMESTAMP(3),
    "narrative" VARCHAR(255),
    "created_at" TIMESTAMP(3) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),
    "closed_at" TIMESTAMP(3),

    CONSTRAINT "holds_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "holds_status_check" CHECK ("status" IN ('ACTIVE', 'CAPTURED', 'RELEASED', 'EXPIRED')),
    CONSTRAINT "holds_amount_check" CHECK ("amount" > 0),
    CONSTRAINT "holds_captured_check" CHECK ("captured" BETWEEN 0 AND "amount"),
    CONSTRAINT "holds_closed_check" CHECK (("status" = 'ACTIVE') = ("closed_at" IS NULL)),
    CONSTRAINT "holds_wallet_id_fkey" FOREIGN KEY ("wallet_id")
        REFERENCES "core"."wallets" ("id") ON DELETE RESTRICT ON UPDATE RESTRICT
);

CREATE INDEX "holds_wallet_id_idx" ON "core"."holds" ("wallet_id");
-- The expiry looks for what is due among what is still active.
CREATE INDEX "holds_due_idx" ON "core"."holds" ("expires_at") WHERE "status" = 'ACTIVE';

CREATE TABLE "core"."fee_rules" (
    "id" UUID NOT NULL DEFAULT core.new_id(),
    "transaction_type" VARCHAR(20) NOT NULL,
    "currency" CHAR(3) NOT NULL DEFAULT 'KES',
    -- The rule applies to amounts from here up to the next rule's.
    "min_amount" DECIMAL(19,2) NOT NULL DEFAULT 0,
    "flat" DECIMAL(19,2) NOT NULL DEFAULT 0,
    -- A part of the amount: 0.01 is one per cent.
    "rate" DECIMAL(9,6) NOT NULL DEFAULT 0,
    "payer" VARCHAR(10) NOT NULL DEFAULT 'SENDER',
    "valid_from" TIMESTAMP(3) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),
    "valid_until" TIMESTAMP(3),

    CONSTRAINT "fee_rules_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "fee_rules_type_check" CHECK ("transaction_type" IN ('TRANSFER', 'WITHDRAWAL')),
    CONSTRAINT "fee_rules_payer_check" CHECK ("payer" IN ('SENDER', 'RECEIVER')),
    CONSTRAINT "fee_rules_amounts_check" CHECK ("flat" >= 0 AND "rate" >= 0 AND "rate" < 1)
);

CREATE TABLE "core"."wallet_events" (
    "id" UUID NOT NULL DEFAULT core.new_id(),
    "wallet_id" VARCHAR(20) NOT NULL,
    "status" VARCHAR(20) NOT NULL,
    "note" TEXT NOT NULL,
    "created_at" TIMESTAMP(3) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),

    CONSTRAINT "wallet_events_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "wallet_events_wallet_id_fkey" FOREIGN KEY ("wallet_id")
        REFERENCES "core"."wallets" ("id") ON DELETE RESTRICT ON UPDATE RESTRICT
);

CREATE INDEX "wallet_events_wallet_id_idx" ON "core"."wallet_events" ("wallet_id", "created_at");

CREATE TABLE "services"."api_keys" (
    "id" UUID NOT NULL DEFAULT core.new_id(),
    "name" VARCHAR(100) NOT NULL,
    -- SHA-256 of the key, which itself is shown once and stored nowhere.
    "key_hash" VARCHAR(64) NOT NULL,
    "scopes" TEXT[] NOT NULL,
    "created_at" TIMESTAMP(3) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),
    "revoked_at" TIMESTAMP(3),

    CONSTRAINT "api_keys_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "api_keys_scopes_check" CHECK ("scopes" <@ ARRAY['read', 'transact', 'admin'] AND cardinality("scopes") > 0)
);

CREATE UNIQUE INDEX "api_keys_key_hash_key" ON "services"."api_keys" ("key_hash");

-- Two more arguments make another function to PostgreSQL; the old one must not stay beside it.
DROP FUNCTION core.post_transactions;

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
--           skipped           an earlier item of its group was not created
--         The sum of all balances is what it was, no balance is below its wallet's floor.
--
-- p_fallbacks[i]:  a wallet to credit when the credit wallet cannot take the money (frozen, closed, unknown,
--                  other currency), NULL to refuse instead. Money that has already arrived needs a place.
-- p_keys, p_digests: idempotency key and digest of the request, NULL where the reference is the key. A refusal is
--                  remembered under its key: who was told "no" must not find out later that it happened after all.
-- p_groups:        neighbours with the same number are one posting of several legs (a transfer and its fee): all of
--                  them are created or none. NULL, whole or for an item: it stands alone. The key is the first leg's.
-- p_reverses[i]:   the transaction that this one reverses, or NULL.
--
-- reason: why a posting was refused or went to its fallback: unknown_wallet, wallet_frozen, wallet_closed,
--         currency_mismatch, same_wallet, invalid_amount, insufficient_funds.
CREATE OR REPLACE FUNCTION core.post_transactions(
    p_references text[],
    p_types      text[],
    p_debits     text[],
    p_credits    text[],
    p_fallbacks  text[],
    p_amounts    numeric[],
    p_currencies text[],
    p_keys       text[],
    p_digests    text[],
    p_reverses   uuid[],
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
-- One plan for every size of batch, made once a connection: planning anew would cost more than it saves, and a
-- plan made while the tables were small must not read them from end to end when they have grown.
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
AS $$
DECLARE
    n              constant integer := coalesce(array_length(p_references, 1), 0);
    c_largest      constant numeric := 99999999999999999.99; -- what DECIMAL(19,2) can hold
    v_milliseconds bigint;
    -- The wallets of the batch, one array a column; an item names a wallet by its place in them.
    w_ids        text[];
    w_balances   numeric[];
    w_available  numeric[]; -- balance - held - floor; NULL: this wallet has no floor
    w_versions   bigint[];
    w_statuses   text[];    -- NULL: there is no such wallet
    w_currencies text[];
    w_counts     integer[];
    -- The place of each item's debit wallet (element i), credit wallet (n + i) and fallback (2n + i), and of its
    -- reference among the references.
    i_places     integer[];
    i_references integer[];
    -- What each reference already moved: set from the table, then by the items before this one.
    r_amounts    numeric[];
    r_debits     text[];
    r_credits    text[];
    -- Filled for created items.
    o_debit_versions  bigint[];
    o_credit_versions bigint[];
    w_found      text[];
    -- The keys of the batch, in the same way as the references; only looked at when there is one.
    v_has_keys   constant boolean := array_length(array_remove(p_keys, NULL), 1) > 0;
    i_keys       integer[];
    k_digests    text[];
    k integer; g integer;
    d integer; c integer; f integer; r integer; a numeric; v_reason text;
BEGIN
    IF n IS DISTINCT FROM coalesce(array_length(p_types, 1), 0) OR n <> coalesce(array_length(p_debits, 1), 0)
       OR n <> coalesce(array_length(p_credits, 1), 0) OR n <> coalesce(array_length(p_fallbacks, 1), n)
       OR n <> coalesce(array_length(p_amounts, 1), 0) OR n <> coalesce(array_length(p_currencies, 1), 0) THEN
        RAISE EXCEPTION 'the arrays of a batch must have one length' USING ERRCODE = '22023';
    END IF;

    outcomes := array_fill(NULL::text, ARRAY[n]);
    reasons := outcomes; credited := outcomes; hashes := outcomes;
    ids := array_fill(NULL::uuid, ARRAY[n]);
    debit_balances := array_fill(NULL::numeric, ARRAY[n]);
    credit_balances := debit_balances;
    o_debit_versions := array_fill(NULL::bigint, ARRAY[n]);
    o_credit_versions := o_debit_versions;

    -- Each wallet of the batch gets a number: its rank in sorted order.
    SELECT array_agg(CASE WHEN l.id IS NOT NULL THEN l.place END ORDER BY l.slot),
           array_agg(l.id ORDER BY l.place) FILTER (WHERE l.is_first AND l.id IS NOT NULL)
      INTO i_places, w_ids
      FROM (
        SELECT s.slot, s.id,
               (dense_rank() OVER sorted)::integer AS place,
               lag(s.id) OVER sorted IS DISTINCT FROM s.id AS is_first
          FROM unnest(p_debits || p_credits || p_fallbacks) WITH ORDINALITY AS s (id, slot)
        WINDOW sorted AS (ORDER BY s.id COLLATE "C")
      ) l;

    -- The locks of the whole batch, in the one global order. A row that somebody else held is returned as he left
    -- it, so what is read here is what we hold.
    SELECT array_agg(l.id ORDER BY l.id COLLATE "C"),
           array_agg(l.balance ORDER BY l.id COLLATE "C"),
           array_agg(l.balance - l.held - l.min_balance ORDER BY l.id COLLATE "C"),
           array_agg(l.version ORDER BY l.id COLLATE "C"),
           array_agg(l.status ORDER BY l.id COLLATE "C"),
           array_agg(l.currency ORDER BY l.id COLLATE "C")
      INTO w_found, w_balances, w_available, w_versions, w_statuses, w_currencies
      FROM (
        SELECT w.id::text, w.balance, w.held, w.min_balance, w.version, w.status::text, w.currency::text
          FROM core.wallets w
         WHERE w.id = ANY (w_ids)
         ORDER BY w.kind = 'SYSTEM', w.id COLLATE "C"
           FOR NO KEY UPDATE
      ) l;

    -- A wallet that there is not leaves a gap; everything after it moves up by one place.
    IF w_found IS DISTINCT FROM w_ids THEN
        SELECT array_agg(l.balance ORDER BY s.place), array_agg(l.available ORDER BY s.place),
               array_agg(l.version ORDER BY s.place), array_agg(l.status ORDER BY s.place),
               array_agg(l.currency ORDER BY s.place)
          INTO w_balances, w_available, w_versions, w_statuses, w_currencies
          FROM unnest(w_ids) WITH ORDINALITY AS s (id, place)
          LEFT JOIN unnest(w_found, w_balances, w_available, w_versions, w_statuses, w_currencies)
               AS l (id, balance, available, version, status, currency) ON l.id = s.id;
    END IF;
    w_counts := array_fill(0, ARRAY[coalesce(array_length(w_ids, 1), 0)]);

    -- The references in the same way, with what is recorded under them. Read after the locks: a statement sees what
    -- was committed before it began.
    SELECT array_agg(s.place ORDER BY s.ord),
           array_agg(t.amount ORDER BY s.place) FILTER (WHERE s.is_first),
           array_agg(t.debit_wallet_id ORDER BY s.place) FILTER (WHERE s.is_first),
           array_agg(t.credit_wallet_id ORDER BY s.place) FILTER (WHERE s.is_first)
      INTO i_references, r_amounts, r_debits, r_credits
      FROM (
        SELECT q.ord, q.reference,
               (dense_rank() OVER sorted)::integer AS place,
               lag(q.reference) OVER sorted IS DISTINCT FROM q.reference AS is_first
          FROM unnest(p_references) WITH ORDINALITY AS q (reference, ord)
        WINDOW sorted AS (ORDER BY q.reference COLLATE "C")
      ) s
      LEFT JOIN core.transactions t ON t.reference = s.reference;

    IF v_has_keys THEN
        SELECT array_agg(CASE WHEN s.key IS NOT NULL THEN s.place END ORDER BY s.ord),
               array_agg(q.digest ORDER BY s.place) FILTER (WHERE s.is_first)
          INTO i_keys, k_digests
          FROM (
            SELECT t.ord, t.key,
                   (dense_rank() OVER sorted)::integer AS place,
                   row_number() OVER (PARTITION BY t.key ORDER BY t.ord) = 1 AS is_first
              FROM unnest(p_keys) WITH ORDINALITY AS t (key, ord)
            WINDOW sorted AS (ORDER BY t.key COLLATE "C")
          ) s
          LEFT JOIN core.requests q ON q.idempotency_key = s.key;
    END IF;

    posted_at := date_trunc('milliseconds', clock_timestamp() AT TIME ZONE 'UTC');
    v_milliseconds := (extract(epoch FROM posted_at) * 1000)::bigint;

    FOR i IN 1 .. n LOOP
        d := i_places[i]; c := i_places[n + i]; f := i_places[2 * n + i]; r := i_references[i];
        a := p_amounts[i]; v_reason := NULL; g := p_groups[i];

        -- A later leg goes the way of the first.
        IF g = p_groups[i - 1] AND outcomes[i - 1] <> 'created' THEN
            outcomes[i] := 'skipped';
            CONTINUE;
        END IF;
        k := i_keys[i];
        IF k IS NOT NULL THEN
            IF k_digests[k] IS NOT NULL THEN
                outcomes[i] := CASE WHEN k_digests[k] = p_digests[i] THEN 'replayed' ELSE 'key_reused' END;
                CONTINUE;
            END IF;
        END IF;

        IF r_amounts[r] IS NOT NULL THEN
            outcomes[i] := CASE
                WHEN r_amounts[r] = a AND r_debits[r] = p_debits[i]
                     AND r_credits[r] IN (p_credits[i], p_fallbacks[i]) THEN 'exists'
                ELSE 'exists_different'
            END;
            CONTINUE;
        END IF;
        -- Only from here on: a reference that is taken is not the request's fault, and its key stays free.
        IF k IS NOT NULL THEN
            k_digests[k] := p_digests[i];
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
            -- The legs before it are taken back, last first.
            FOR j IN REVERSE i - 1 .. 1 LOOP
                EXIT WHEN g IS NULL OR p_groups[j] IS DISTINCT FROM g OR outcomes[j] <> 'created';
                d := i_places[j]; c := array_position(w_ids, credited[j]); a := p_amounts[j];
                w_balances[d] := w_balances[d] + a; w_available[d] := w_available[d] + a;
                w_balances[c] := w_balances[c] - a; w_available[c] := w_available[c] - a;
                w_versions[d] := w_versions[d] - 1; w_counts[d] := w_counts[d] - 1;
                w_versions[c] := w_versions[c] - 1; w_counts[c] := w_counts[c] - 1;
                r_amounts[i_references[j]] := NULL;
                ids[j] := NULL; credited[j] := NULL; hashes[j] := NULL;
                debit_balances[j] := NULL; credit_balances[j] := NULL; outcomes[j] := 'refused'; reasons[j] := v_reason;
            END LOOP;
            CONTINUE;
        END IF;

        a := round(a, 2);
        w_balances[d] := w_balances[d] - a; w_available[d] := w_available[d] - a;
        w_balances[c] := w_balances[c] + a; w_available[c] := w_available[c] + a;
        w_versions[d] := w_versions[d] + 1; w_counts[d] := w_counts[d] + 1;
        w_versions[c] := w_versions[c] + 1; w_counts[c] := w_counts[c] + 1;
        outcomes[i] := 'created';
        ids[i] := core.uuid_v7(v_milliseconds, i & 4095);
        credited[i] := w_ids[c];
        hashes[i] := core.verification_hash(p_references[i], a, posted_at);
        debit_balances[i] := w_balances[d]; o_debit_versions[i] := w_versions[d];
        credit_balances[i] := w_balances[c]; o_credit_versions[i] := w_versions[c];
        r_amounts[r] := a; r_debits[r] := p_debits[i]; r_credits[r] := w_ids[c];
    END LOOP;

    -- The guards let through what happens from here to the end of this function; an error closes the door as well.
    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO core.transactions (
        id, reference, type, debit_wallet_id, credit_wallet_id, amount, currency,
        debit_version, debit_balance_after, credit_version, credit_balance_after,
        idempotency_key, request_digest, reverses_id, narrative, created_at, verification_hash, xact_id
    )
    SELECT t.id, t.reference, t.type, t.debit, t.credit, t.amount, t.currency,
           t.debit_version, t.debit_balance, t.credit_version, t.credit_balance,
           t.key, t.digest, t.reverses, t.narrative, posted_at, t.hash, pg_current_xact_id()::text::bigint
      FROM unnest(
        ids, p_references, p_types, p_debits, credited, p_amounts, p_currencies,
        o_debit_versions, debit_balances, o_credit_versions, credit_balances,
        p_keys, p_digests, p_reverses, p_narratives, hashes
      ) AS t (
        id, reference, type, debit, credit, amount, currency,
        debit_version, debit_balance, credit_version, credit_balance, key, digest, reverses, narrative, hash
      )
     WHERE t.id IS NOT NULL;

    IF v_has_keys THEN
        INSERT INTO core.requests (idempotency_key, digest, outcome, reason, reference, created_at)
        SELECT t.key, t.digest, CASE t.outcome WHEN 'created' THEN 'POSTED' ELSE 'REFUSED' END,
               CASE WHEN t.outcome <> 'created' THEN t.reason END,
               CASE WHEN t.outcome = 'created' THEN t.reference END, posted_at
          FROM unnest(p_keys, p_digests, outcomes, reasons, p_references)
               AS t (key, digest, outcome, reason, reference)
         WHERE t.key IS NOT NULL AND t.outcome IN ('created', 'refused')
         -- In one order for everybody: who waits for a key must not hold one that its holder waits for.
         ORDER BY t.key COLLATE "C";
    END IF;

    UPDATE core.wallets w
       SET balance = t.balance, version = t.version, updated_at = posted_at
      FROM unnest(w_ids, w_balances, w_versions, w_counts) AS t (id, balance, version, postings)
     WHERE w.id = t.id AND t.postings > 0;
    PERFORM set_config('daftari.door', '', true);
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

-- Remembers a refusal under its key, so that a late retry is told the same.
CREATE OR REPLACE FUNCTION core.refuse_request(p_key text, p_digest text, p_reason text)
RETURNS void
LANGUAGE sql
VOLATILE
AS $$
    INSERT INTO core.requests (idempotency_key, digest, outcome, reason)
    VALUES (p_key, p_digest, 'REFUSED', p_reason)
$$;

-- The fee of a transaction by the rules in core.fee_rules at this moment: the rule with the highest lower bound that
-- the amount reaches. No row when no rule applies or the fee comes to nothing.
CREATE OR REPLACE FUNCTION core.fee_of(p_type text, p_currency text, p_amount numeric)
RETURNS TABLE (fee numeric, payer text)
LANGUAGE sql
STABLE
AS $$
    SELECT f.fee, f.payer
      FROM (
        SELECT round(r.flat + p_amount * r.rate, 2) AS fee, r.payer::text
          FROM core.fee_rules r
         WHERE r.transaction_type = p_type AND r.currency = p_currency AND r.min_amount <= p_amount
           AND r.valid_from <= now() AT TIME ZONE 'UTC'
           AND (r.valid_until IS NULL OR r.valid_until > now() AT TIME ZONE 'UTC')
         ORDER BY r.min_amount DESC, r.valid_from DESC
         LIMIT 1
      ) f
     WHERE f.fee > 0
$$;

-- Records a batch of transfers between wallets, each once for its idempotency key, in one round trip.
--
-- Arrays of equal length, in the order in which they arrived. p_references are new references of ours; the fee of a
-- transfer, if a rule in core.fee_rules asks for one, is posted with it under the same reference with "-F" behind.
--
-- Before: nothing is locked.
-- After:  as core.post_transactions leaves it. One row an element, in no order: ord says which.
--   posted      new
--   replayed    the key was used for this very request: reason is set if it was refused then
--   key_reused  the key was used for another request
--   refused     nothing moved (reason; a system wallet is an unknown_wallet); remembered under the key
--   collision   the new reference is taken already: the caller must think of another one
-- balance_after is the debited wallet's, the fee included.
CREATE OR REPLACE FUNCTION core.record_transfers(
    p_keys       text[],
    p_digests    text[],
    p_references text[],
    p_debits     text[],
    p_credits    text[],
    p_amounts    numeric[],
    p_currencies text[],
    p_narratives text[]
)
RETURNS TABLE (
    ord integer, outcome text, reason text, reference text, transaction_id uuid, amount numeric, fee numeric,
    balance_after numeric, created_at timestamp, verification_hash text
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
-- A table without an index is read from end to end all the same, at a made-up price that would call for compiling.
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    n        constant integer := coalesce(array_length(p_keys, 1), 0);
    v_items  integer[]; -- which element each leg belongs to
    v_legs   record;
    v_post   record;
    v_fees   numeric[];
    v_system text[];
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

    -- One leg for the transfer and one for its fee, if it has one, behind it.
    SELECT array_agg(l.item ORDER BY l.item, l.leg) AS items,
           array_agg(CASE l.leg WHEN 1 THEN p_references[l.item] ELSE p_references[l.item] || '-F' END ORDER BY l.item, l.leg) AS refs,
           array_agg(CASE l.leg WHEN 1 THEN 'TRANSFER' ELSE 'FEE' END ORDER BY l.item, l.leg) AS types,
           array_agg(l.debit ORDER BY l.item, l.leg) AS debits,
           array_agg(l.credit ORDER BY l.item, l.leg) AS credits,
           array_agg(l.amount ORDER BY l.item, l.leg) AS amounts,
           array_agg(p_currencies[l.item] ORDER BY l.item, l.leg) AS currencies,
           array_agg(CASE l.leg WHEN 1 THEN p_keys[l.item] END ORDER BY l.item, l.leg) AS keys,
           array_agg(CASE l.leg WHEN 1 THEN p_digests[l.item] END ORDER BY l.item, l.leg) AS digests,
           array_agg(CASE l.leg WHEN 1 THEN p_narratives[l.item] END ORDER BY l.item, l.leg) AS narratives
      INTO v_legs
      FROM (
        SELECT t.item::integer, 1 AS leg, t.debit, t.credit, t.amount
          FROM unnest(p_debits, p_credits, p_amounts) WITH ORDINALITY AS t (debit, credit, amount, item)
        UNION ALL
        SELECT t.item::integer, 2, CASE f.payer WHEN 'SENDER' THEN t.debit ELSE t.credit END, 'FEES', f.fee
          FROM unnest(p_debits, p_credits, p_amounts, p_currencies) WITH ORDINALITY
               AS t (debit, credit, amount, currency, item)
         CROSS JOIN LATERAL core.fee_of('TRANSFER', t.currency, t.amount) AS f
         WHERE EXISTS (SELECT 1 FROM core.fee_rules)
      ) l;
    v_items := v_legs.items;

    SELECT *
      INTO v_post
      FROM core.post_transactions(
        v_legs.refs, v_legs.types, v_legs.debits, v_legs.credits, array_fill(NULL::text, ARRAY[array_length(v_items, 1)]),
        v_legs.amounts, v_legs.currencies, v_legs.keys, v_legs.digests,
        array_fill(NULL::uuid, ARRAY[array_length(v_items, 1)]), v_items, v_legs.narratives
      );

    SELECT array_agg(t.fee ORDER BY t.item)
      INTO v_fees
      FROM (
        SELECT x.item, coalesce(sum(x.amount) FILTER (WHERE x.type = 'FEE' AND x.outcome = 'created'), 0) AS fee
          FROM unnest(v_items, v_legs.types, v_legs.amounts, v_post.outcomes) AS x (item, type, amount, outcome)
         GROUP BY x.item
      ) t;

    RETURN QUERY
    SELECT t.item, CASE t.outcome WHEN 'created' THEN 'posted' WHEN 'refused' THEN 'refused' ELSE 'collision' END,
           t.reason, t.reference, t.id, t.amount, v_fees[t.item],
           -- The fee of the sender is the next leg and leaves his balance lower still.
           CASE WHEN v_legs.types[t.leg + 1] = 'FEE' AND v_legs.debits[t.leg + 1] = t.debit
                THEN v_post.debit_balances[t.leg + 1] ELSE t.balance END,
           v_post.posted_at, t.hash
      FROM unnest(
        v_items, v_legs.types, v_legs.refs, v_legs.debits, v_legs.amounts,
        v_post.outcomes, v_post.reasons, v_post.ids, v_post.debit_balances, v_post.hashes
      ) WITH ORDINALITY AS t (item, type, reference, debit, amount, outcome, reason, id, balance, hash, leg)
     WHERE t.type = 'TRANSFER' AND t.outcome IN ('created', 'refused', 'exists', 'exists_different');

    IF 'replayed' = ANY (v_post.outcomes) OR 'key_reused' = ANY (v_post.outcomes) THEN
        RETURN QUERY
        SELECT t.item, t.outcome, q.reason::text, q.reference::text, x.id, x.amount, coalesce(f.amount, 0),
               CASE WHEN f.debit_wallet_id = x.debit_wallet_id THEN f.debit_balance_after ELSE x.debit_balance_after END,
               x.created_at::timestamp, x.verification_hash::text
          FROM unnest(v_items, v_legs.keys, v_post.outcomes) AS t (item, key, outcome)
          JOIN core.requests q ON q.idempotency_key = t.key
          LEFT JOIN core.transactions x ON x.reference = q.reference
          LEFT JOIN core.transactions f ON f.reference = q.reference || '-F'
         WHERE t.outcome IN ('replayed', 'key_reused');
    END IF;
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

-- Where a suspense deposit's money is: reference is the assignment by which it is in a customer's wallet, or NULL when
-- it is still (or again) in suspense; next_reference is what its next assignment will be called. The first assignment
-- of a receipt is AS-<receipt>, later ones AS<n>-<receipt>: a receipt may end like "-2", but no number has a hyphen.
CREATE OR REPLACE FUNCTION core.current_assignment(p_receipt text, OUT reference text, OUT next_reference text)
LANGUAGE plpgsql
VOLATILE
AS $$
DECLARE
    v_time integer := 1;
    a      core.transactions;
BEGIN
    LOOP
        next_reference := 'AS' || CASE WHEN v_time > 1 THEN v_time::text ELSE '' END || '-' || p_receipt;
        SELECT * INTO a FROM core.transactions x WHERE x.reference = next_reference;
        EXIT WHEN a.id IS NULL;
        IF a.type = 'ASSIGNMENT' AND core.remaining_of(a.id) > 0 THEN
            reference := a.reference;
        END IF;
        v_time := v_time + 1;
    END LOOP;
END
$$;

-- Reserves money of a wallet: it stays in the balance and can no longer be spent.
--
-- After: outcome 'posted' and the new hold; 'replayed' with the hold of then (or reason, if it was refused then);
--        'key_reused'; or 'refused' with reason: unknown_wallet, wallet_frozen, wallet_closed, invalid_amount,
--        insufficient_funds.
CREATE OR REPLACE FUNCTION core.place_hold(
    p_key text, p_digest text, p_wallet text, p_amount numeric, p_expires_at timestamp, p_narrative text,
    OUT outcome text, OUT reason text, OUT hold_id uuid
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    w core.wallets;
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
    reason := CASE
        WHEN w.id IS NULL THEN 'unknown_wallet'
        WHEN w.status = 'FROZEN' THEN 'wallet_frozen'
        WHEN w.status = 'CLOSED' THEN 'wallet_closed'
        WHEN p_amount <= 0 OR p_amount <> round(p_amount, 2) THEN 'invalid_amount'
        WHEN w.balance - w.held - w.min_balance < p_amount THEN 'insufficient_funds'
    END;
    IF reason IS NOT NULL THEN
        outcome := 'refused';
        PERFORM core.refuse_request(p_key, p_digest, reason);
        RETURN;
    END IF;

    outcome := 'posted';
    hold_id := core.new_id();
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE core.wallets SET held = held + p_amount, updated_at = clock_timestamp() AT TIME ZONE 'UTC' WHERE id = p_wallet;
    INSERT INTO core.holds (id, wallet_id, amount, expires_at, narrative)
    VALUES (hold_id, p_wallet, p_amount, p_expires_at, p_narrative);
    PERFORM set_config('daftari.door', '', true);
    INSERT INTO core.requests (idempotency_key, digest, outcome, reference)
    VALUES (p_key, p_digest, 'POSTED', hold_id::text);
END
$$;

-- Gives a hold's money back to its wallet. p_status is why: RELEASED, or EXPIRED for one whose time is over.
--
-- After: outcome 'posted'; 'replayed' when it was closed in this way already; or 'refused' with reason unknown_hold,
--        hold_closed (in another way), not_expired.
CREATE OR REPLACE FUNCTION core.release_hold(p_hold_id uuid, p_status text, OUT outcome text, OUT reason text)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_now constant timestamp := clock_timestamp() AT TIME ZONE 'UTC';
    h core.holds;
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
        UPDATE core.wallets SET held = held - h.amount, updated_at = v_now WHERE id = h.wallet_id;
        UPDATE core.holds SET status = p_status, closed_at = v_now WHERE id = h.id;
        PERFORM set_config('daftari.door', '', true);
    END IF;
END
$$;

-- Pays out of a hold, whole or part; the rest goes back to the wallet, and the hold is closed.
--
-- p_amount: NULL for the whole. p_to: a system wallet (a WITHDRAWAL) or a customer's (a TRANSFER).
-- After: outcome 'posted' and the transaction's reference; 'replayed' with the reference of then (or reason);
--        'key_reused'; or 'refused' with reason: unknown_hold, hold_closed (captured, released or expired already),
--        exceeds_hold, or a reason of core.post_transactions. A refused capture leaves the hold as it was.
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
    v_type text;
    v_fee  record;
    v_legs integer;
    v_post record;
BEGIN
    PERFORM core.lock_wallets(
        ARRAY[(SELECT b.wallet_id FROM core.holds b WHERE b.id = p_hold_id)::text, p_to, 'FEES']
    );
    outcome := core.find_request(p_key, p_digest);
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
        WHEN p_to = 'SUSPENSE' THEN 'unknown_wallet'
    END;
    IF reason IS NOT NULL THEN
        outcome := 'refused';
        PERFORM core.refuse_request(p_key, p_digest, reason);
        RETURN;
    END IF;

    SELECT * INTO w FROM core.wallets WHERE id = h.wallet_id;
    v_type := CASE WHEN (SELECT kind FROM core.wallets WHERE id = p_to) = 'CUSTOMER' THEN 'TRANSFER' ELSE 'WITHDRAWAL' END;
    SELECT f.fee, CASE f.payer WHEN 'SENDER' THEN h.wallet_id ELSE p_to END AS wallet
      INTO v_fee FROM core.fee_of(v_type, w.currency, p_amount) AS f;
    v_legs := CASE WHEN v_fee.fee IS NULL THEN 1 ELSE 2 END;

    -- The money must be free to move for the door to move it; nobody else can take it, the wallet is locked.
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE core.wallets SET held = held - h.amount WHERE id = h.wallet_id;
    PERFORM set_config('daftari.door', '', true);
    SELECT * INTO v_post FROM core.post_transactions(
        (ARRAY[p_reference, p_reference || '-F'])[1:v_legs],
        (ARRAY[v_type, 'FEE'])[1:v_legs],
        (ARRAY[h.wallet_id::text, v_fee.wallet::text])[1:v_legs],
        (ARRAY[p_to, 'FEES'])[1:v_legs],
        (ARRAY[NULL, NULL]::text[])[1:v_legs],
        (ARRAY[p_amount, v_fee.fee])[1:v_legs],
        (ARRAY[w.currency::text, w.currency::text])[1:v_legs],
        (ARRAY[p_key, NULL])[1:v_legs],
        (ARRAY[p_digest, NULL])[1:v_legs],
        (ARRAY[NULL, NULL]::uuid[])[1:v_legs],
        (ARRAY[1, 1])[1:v_legs],
        (ARRAY[p_narrative, NULL])[1:v_legs]
    );
    PERFORM set_config('daftari.door', 'open', true);
    IF v_post.outcomes[1] = 'created' THEN
        outcome := 'posted';
        reference := p_reference;
        UPDATE core.holds SET status = 'CAPTURED', captured = p_amount, closed_at = v_now WHERE id = h.id;
    ELSE
        outcome := CASE v_post.outcomes[1] WHEN 'refused' THEN 'refused' ELSE 'collision' END;
        reason := v_post.reasons[1];
        UPDATE core.wallets SET held = held + h.amount WHERE id = h.wallet_id;
    END IF;
    PERFORM set_config('daftari.door', '', true);
END
$$;

-- Sends the money of a transaction back, whole or up to what is left of it.
--
-- The policy: a reversal never overdraws a wallet. When the money is spent it is refused (insufficient_funds), and
-- somebody decides; part of it can be asked for. A payment in suspense is reversed from suspense only as long as it
-- has not been assigned to a wallet: afterwards the assignment must be reversed first, or other payers' money would
-- be sent back.
--
-- p_amount: NULL for all that is left.
-- After: outcome 'posted' and the new reference; 'replayed' with the reference of then (or reason); 'key_reused'; or
--        'refused' with reason: unknown_transaction, not_reversible, already_reversed, exceeds_remaining,
--        already_assigned, or a reason of core.post_transactions.
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
    outcome := core.find_request(p_key, p_digest);
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
        WHEN t.type = 'DEPOSIT' AND t.credit_wallet_id = 'SUSPENSE' AND (core.current_assignment(t.reference)).reference IS NOT NULL
            THEN 'already_assigned'
    END;
    IF reason IS NOT NULL THEN
        outcome := 'refused';
        PERFORM core.refuse_request(p_key, p_digest, reason);
        RETURN;
    END IF;

    SELECT * INTO v_post FROM core.post_transactions(
        ARRAY[p_reference], ARRAY['REVERSAL'], ARRAY[t.credit_wallet_id::text], ARRAY[t.debit_wallet_id::text],
        ARRAY[NULL]::text[], ARRAY[p_amount], ARRAY[t.currency::text], ARRAY[p_key], ARRAY[p_digest], ARRAY[t.id],
        NULL, ARRAY[p_narrative]
    );
    outcome := CASE v_post.outcomes[1] WHEN 'created' THEN 'posted' WHEN 'refused' THEN 'refused' ELSE 'collision' END;
    reason := v_post.reasons[1];
    reference := CASE WHEN outcome = 'posted' THEN p_reference END;
END
$$;

-- Moves a payment from suspense to the wallet that it was meant for, once.
--
-- After: outcome 'posted' and the reference; 'replayed' when it is in that wallet already; or 'refused' with reason:
--        unknown_transaction, not_in_suspense, already_reversed, already_assigned (to another wallet), or a reason of
--        core.post_transactions. After its assignment has been reversed a payment can be assigned again.
CREATE OR REPLACE FUNCTION core.assign_suspense(
    p_receipt text, p_wallet text, OUT outcome text, OUT reason text, OUT reference text
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
        RETURN;
    END IF;
    IF v_current.id IS NOT NULL THEN
        outcome := 'replayed';
        reference := v_current.reference;
        RETURN;
    END IF;

    reference := v_assigned.next_reference;
    SELECT * INTO v_post FROM core.post_transactions(
        ARRAY[reference], ARRAY['ASSIGNMENT'], ARRAY['SUSPENSE'], ARRAY[p_wallet], ARRAY[NULL]::text[],
        ARRAY[t.amount], ARRAY[t.currency::text], ARRAY[NULL]::text[], ARRAY[NULL]::text[], ARRAY[NULL]::uuid[]
    );
    outcome := CASE v_post.outcomes[1] WHEN 'created' THEN 'posted' WHEN 'refused' THEN 'refused' ELSE 'collision' END;
    reason := v_post.reasons[1];
END
$$;

-- Freezes, thaws or closes a customer's wallet and writes down who wanted it and why.
--
-- After: outcome 'done' (also when it had this status already), or 'refused' with reason: unknown_wallet,
--        wallet_closed (a closed wallet stays closed), wallet_not_empty (only an empty wallet without holds closes).
CREATE OR REPLACE FUNCTION core.set_wallet_status(
    p_wallet text, p_status text, p_note text, OUT outcome text, OUT reason text
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
        UPDATE core.wallets SET status = p_status, updated_at = clock_timestamp() AT TIME ZONE 'UTC' WHERE id = p_wallet;
        INSERT INTO core.wallet_events (wallet_id, status, note) VALUES (p_wallet, p_status, p_note);
    END IF;
END
$$;

-- Trigger function: a hold changes together with what its wallet has reserved, or not at all.
CREATE OR REPLACE FUNCTION core.guard_holds()
RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    RAISE EXCEPTION '% on core.holds is refused: it would leave the wallet''s held money behind', TG_OP
        USING ERRCODE = 'DF003',
              HINT = 'Call core.place_hold, core.capture_hold or core.release_hold, or hold and its like in @repo/db.';
END
$$;

CREATE TRIGGER "requests_append_only" BEFORE UPDATE OR DELETE OR TRUNCATE ON "core"."requests"
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is what keeps a request from being done twice.');
CREATE TRIGGER "wallet_events_append_only" BEFORE UPDATE OR DELETE OR TRUNCATE ON "core"."wallet_events"
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is the record of who froze or closed a wallet.');
CREATE TRIGGER "holds_through_the_door" BEFORE INSERT OR UPDATE OR DELETE ON "core"."holds"
    FOR EACH ROW WHEN (current_setting('daftari.door', true) IS DISTINCT FROM 'open')
    EXECUTE FUNCTION core.guard_holds();
CREATE TRIGGER "holds_never_truncated" BEFORE TRUNCATE ON "core"."holds"
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('Release holds instead; use a fresh database for trials.');
