-- Restores the functions as they were before. What was reserved for fees is free again; who changed the fee rules is
-- forgotten, and the rules stay as they are.

DROP TRIGGER "fee_rules_through_the_door" ON "core"."fee_rules";
DROP TRIGGER "fee_rules_never_truncated" ON "core"."fee_rules";
DROP TABLE "core"."fee_rule_events";
DROP FUNCTION core.set_fee_rule;
DROP FUNCTION core.end_fee_rule;
DROP FUNCTION core.guard_fee_rules;
DROP FUNCTION core.expire_holds;
DROP FUNCTION core.fee_to_hold;
DROP FUNCTION core.run_operations;
DROP FUNCTION core.fee_of;

ALTER TABLE "core"."fee_rules"
    DROP CONSTRAINT "fee_rules_min_amount_check",
    DROP CONSTRAINT "fee_rules_period_check";

SELECT set_config('daftari.door', 'open', true);
UPDATE "core"."wallets" w
   SET "held" = w."held" - h."fee"
  FROM (
    SELECT "wallet_id", sum("fee_held") AS "fee" FROM "core"."holds" WHERE "status" = 'ACTIVE' GROUP BY "wallet_id"
  ) h
 WHERE w."id" = h."wallet_id" AND h."fee" > 0;
SELECT set_config('daftari.door', '', true);
ALTER TABLE "core"."holds" DROP COLUMN "fee_held";

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
-- One plan for every size of batch, made once a connection: planning anew would cost more than it saves. It may be
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
    v_milliseconds bigint;
    v_xact         constant bigint := pg_current_xact_id()::text::bigint;
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
    -- What is in the table under the references of the batch; NULL, as nearly always, when there is nothing.
    v_known      record;
    -- Whether a reference of the batch is taken, or named twice in it. Only then, what each of them already moved: set
    -- from the table, then by the items before this one.
    v_looks_back boolean;
    r_amounts    numeric[];
    r_debits     text[];
    r_credits    text[];
    -- Filled for created items.
    o_debit_versions  bigint[];
    o_credit_versions bigint[];
    w_found      text[];
    -- The keys of the batch, in the same way as the references.
    v_keys       constant integer := coalesce(array_length(array_remove(p_keys, NULL), 1), 0);
    v_used       record;
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
    reasons := outcomes; credited := outcomes;
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

    -- The references, after the locks: a statement sees what was committed before it began.
    SELECT array_agg(t.reference::text) AS refs, array_agg(t.amount) AS amounts,
           array_agg(t.debit_wallet_id::text) AS debits, array_agg(t.credit_wallet_id::text) AS credits
      INTO v_known
      FROM core.transactions t
     WHERE t.reference = ANY (p_references);
    v_looks_back := v_known.refs IS NOT NULL
                    OR (SELECT count(DISTINCT q.reference COLLATE "C") FROM unnest(p_references) AS q (reference)) < n;
    IF v_looks_back THEN
        SELECT array_agg(s.place ORDER BY s.ord),
               array_agg(t.amount ORDER BY s.place) FILTER (WHERE s.is_first),
               array_agg(t.debit ORDER BY s.place) FILTER (WHERE s.is_first),
               array_agg(t.credit ORDER BY s.place) FILTER (WHERE s.is_first)
          INTO i_references, r_amounts, r_debits, r_credits
          FROM (
            SELECT q.ord, q.reference,
                   (dense_rank() OVER sorted)::integer AS place,
                   lag(q.reference) OVER sorted IS DISTINCT FROM q.reference AS is_first
              FROM unnest(p_references) WITH ORDINALITY AS q (reference, ord)
            WINDOW sorted AS (ORDER BY q.reference COLLATE "C")
          ) s
          LEFT JOIN unnest(v_known.refs, v_known.amounts, v_known.debits, v_known.credits)
               AS t (reference, amount, debit, credit) ON t.reference = s.reference;
    END IF;

    IF v_keys > 0 THEN
        SELECT array_agg(q.idempotency_key::text) AS keys, array_agg(q.digest::text) AS digests
          INTO v_used
          FROM core.requests q
         WHERE q.idempotency_key = ANY (p_keys);
        IF v_used.keys IS NOT NULL
           OR (SELECT count(DISTINCT t.key COLLATE "C") FROM unnest(p_keys) AS t (key)) < v_keys THEN
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
              LEFT JOIN unnest(v_used.keys, v_used.digests) AS q (key, digest) ON q.key = s.key;
        END IF;
    END IF;

    posted_at := date_trunc('milliseconds', clock_timestamp() AT TIME ZONE 'UTC');
    v_milliseconds := (extract(epoch FROM posted_at) * 1000)::bigint;

    FOR i IN 1 .. n LOOP
        d := i_places[i]; c := i_places[n + i]; f := i_places[2 * n + i];
        a := p_amounts[i]; v_reason := NULL; g := p_groups[i];

        -- A later leg goes the way of the first.
        IF g = p_groups[i - 1] AND outcomes[i - 1] <> 'created' THEN
            outcomes[i] := 'skipped';
            CONTINUE;
        END IF;
        IF i_keys IS NOT NULL AND i_keys[i] IS NOT NULL THEN
            k := i_keys[i];
            IF k_digests[k] IS NOT NULL THEN
                outcomes[i] := CASE WHEN k_digests[k] = p_digests[i] THEN 'replayed' ELSE 'key_reused' END;
                CONTINUE;
            END IF;
        END IF;

        IF v_looks_back THEN
            r := i_references[i];
            IF r_amounts[r] IS NOT NULL THEN
                outcomes[i] := CASE
                    WHEN r_amounts[r] = a AND r_debits[r] = p_debits[i]
                         AND r_credits[r] IN (p_credits[i], p_fallbacks[i]) THEN 'exists'
                    ELSE 'exists_different'
                END;
                CONTINUE;
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
            -- The legs before it are taken back, last first.
            FOR j IN REVERSE i - 1 .. 1 LOOP
                EXIT WHEN g IS NULL OR p_groups[j] IS DISTINCT FROM g OR outcomes[j] <> 'created';
                d := i_places[j]; c := array_position(w_ids, credited[j]); a := p_amounts[j];
                w_balances[d] := w_balances[d] + a; w_available[d] := w_available[d] + a;
                w_balances[c] := w_balances[c] - a; w_available[c] := w_available[c] - a;
                w_versions[d] := w_versions[d] - 1; w_counts[d] := w_counts[d] - 1;
                w_versions[c] := w_versions[c] - 1; w_counts[c] := w_counts[c] - 1;
                IF v_looks_back THEN
                    r_amounts[i_references[j]] := NULL;
                END IF;
                credited[j] := NULL;
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
        credited[i] := w_ids[c];
        debit_balances[i] := w_balances[d]; o_debit_versions[i] := w_versions[d];
        credit_balances[i] := w_balances[c]; o_credit_versions[i] := w_versions[c];
        IF v_looks_back THEN
            r_amounts[r] := a; r_debits[r] := p_debits[i]; r_credits[r] := w_ids[c];
        END IF;
    END LOOP;

    SELECT array_agg(
               CASE WHEN t.outcome = 'created' THEN core.uuid_v7(v_milliseconds, t.ord::integer & 4095) END
               ORDER BY t.ord
           ),
           array_agg(
               CASE WHEN t.outcome = 'created' THEN core.verification_hash(t.reference, t.amount, posted_at) END
               ORDER BY t.ord
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

    IF v_keys > 0 THEN
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
     WHERE w.id = t.id AND w.id = ANY (w_ids) AND t.postings > 0;
    PERFORM set_config('daftari.door', '', true);
END
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
                   'FEES', f.fee, t.currency, NULL, NULL, NULL
              FROM unnest(p_references, p_debits, p_credits, p_amounts, p_currencies) WITH ORDINALITY
                   AS t (reference, debit, credit, amount, currency, item)
             CROSS JOIN LATERAL core.fee_of('TRANSFER', t.currency, t.amount) AS f
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
        v_batch.refs, v_batch.types, v_batch.debits, v_batch.credits, array_fill(NULL::text, ARRAY[v_legs]),
        v_batch.amounts, v_batch.currencies, v_batch.keys, v_batch.digests, array_fill(NULL::uuid, ARRAY[v_legs]),
        v_items, v_batch.narratives
      );

    outcomes := v_post.outcomes; reasons := v_post.reasons; ids := v_post.ids; hashes := v_post.hashes;
    balances := v_post.debit_balances; credit_balances := v_post.credit_balances;
    -- A fee of the sender's leaves his balance lower still, one of the receiver's the other.
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
END
$$;

-- Reserves money of a wallet: it stays in the balance and can no longer be spent.
--
-- After: outcome 'posted' and the new hold; 'replayed' with the hold of then (or reason, if it was refused then);
--        'key_reused'; or 'refused' with reason: unknown_wallet, wallet_frozen, wallet_closed, invalid_amount,
--        expiry_passed (it would end before it begins), insufficient_funds. The hold keeps what was available after it,
--        so that a repeat is told the same whatever has happened since.
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
        WHEN p_expires_at <= clock_timestamp() AT TIME ZONE 'UTC' THEN 'expiry_passed'
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
    INSERT INTO core.holds (id, wallet_id, amount, expires_at, narrative, placed_available)
    VALUES (hold_id, p_wallet, p_amount, p_expires_at, p_narrative, w.balance - w.held - p_amount);
    PERFORM set_config('daftari.door', '', true);
    INSERT INTO core.requests (idempotency_key, digest, outcome, reference)
    VALUES (p_key, p_digest, 'POSTED', hold_id::text);
END
$$;

-- Pays out of a hold, whole or part; the rest goes back to the wallet, and the hold is closed.
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
        UPDATE core.holds
           SET status = 'CAPTURED', captured = p_amount, capture_reference = p_reference, closed_at = v_now,
               closed_available = (SELECT b.balance - b.held FROM core.wallets b WHERE b.id = h.wallet_id)
         WHERE id = h.id;
    ELSE
        -- Its key may have been spent on other wallets than ours since it was looked for.
        outcome := CASE WHEN v_post.outcomes[1] IN ('refused', 'key_reused') THEN v_post.outcomes[1] ELSE 'collision' END;
        reason := v_post.reasons[1];
        UPDATE core.wallets SET held = held + h.amount WHERE id = h.wallet_id;
    END IF;
    PERFORM set_config('daftari.door', '', true);
END
$$;

-- Gives a hold's money back to its wallet. p_status is why: RELEASED, or EXPIRED for one whose time is over.
--
-- After: outcome 'posted'; 'replayed' when it was closed in this way already; or 'refused' with reason unknown_hold,
--        hold_closed (in another way), not_expired. The hold keeps what was available afterwards.
CREATE OR REPLACE FUNCTION core.release_hold(p_hold_id uuid, p_status text, OUT outcome text, OUT reason text)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
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
        UPDATE core.wallets b SET held = b.held - h.amount, updated_at = v_now WHERE b.id = h.wallet_id
        RETURNING b.balance - b.held INTO v_available;
        UPDATE core.holds SET status = p_status, closed_at = v_now, closed_available = v_available WHERE id = h.id;
        PERFORM set_config('daftari.door', '', true);
    END IF;
END
$$;

-- Does a batch of operations on the ledger in one round trip: the single functions one after the other, in this order,
-- each with the answer that it would give alone.
--
-- Arrays of equal length, one element an operation; NULL where its kind does not use it.
--   HOLD     core.place_hold           key, digest, wallet, amount, expiry, narrative
--   CAPTURE  core.capture_hold         key, digest, hold, wallet (where to), amount, new reference, narrative
--   RELEASE  core.release_hold         hold
--   EXPIRE   core.release_hold         hold
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
    hold_capture text, hold_expires_at timestamp, hold_created_at timestamp, hold_available numeric
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
    v_reversed   text[]; -- the transactions that are to be reversed
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
     WHERE o.kind = 'REVERSE';
    SELECT array_agg(DISTINCT w.id) INTO v_wallets
      FROM (
        SELECT o.id FROM unnest(p_wallets) AS o (id)
        UNION ALL
        SELECT h.wallet_id::text FROM core.holds h WHERE h.id = ANY (p_holds)
        UNION ALL
        SELECT unnest(ARRAY[t.debit_wallet_id, t.credit_wallet_id])::text
          FROM core.transactions t WHERE t.reference = ANY (v_reversed)
        UNION ALL
        SELECT s.id FROM (VALUES ('FEES', 'CAPTURE'), ('SUSPENSE', 'ASSIGN')) AS s (id, kind)
         WHERE s.kind = ANY (p_kinds)
      ) w;
    PERFORM core.lock_wallets(v_wallets);

    FOR i IN 1 .. n LOOP
        CASE p_kinds[i]
        WHEN 'HOLD' THEN
            SELECT f.outcome, f.reason, f.hold_id, NULL AS reference INTO r
              FROM core.place_hold(
                p_keys[i], p_digests[i], p_wallets[i], p_amounts[i], p_expiries[i], p_narratives[i]
              ) AS f;
        WHEN 'CAPTURE' THEN
            SELECT f.outcome, f.reason, p_holds[i] AS hold_id, f.reference INTO r
              FROM core.capture_hold(
                p_keys[i], p_digests[i], p_holds[i], p_wallets[i], p_amounts[i], p_references[i], p_narratives[i]
              ) AS f;
        WHEN 'RELEASE', 'EXPIRE' THEN
            SELECT f.outcome, f.reason, p_holds[i] AS hold_id, NULL AS reference INTO r
              FROM core.release_hold(p_holds[i], CASE p_kinds[i] WHEN 'RELEASE' THEN 'RELEASED' ELSE 'EXPIRED' END) AS f;
        WHEN 'REVERSE' THEN
            -- It may have been posted while we waited for the locks, between other wallets than ours: they would be
            -- locked out of order. The batch is undone and said again, and sees them from the start.
            IF EXISTS (
                SELECT FROM core.transactions t
                 WHERE t.reference = p_originals[i]
                   AND NOT ARRAY[t.debit_wallet_id::text, t.credit_wallet_id::text] <@ v_wallets
            ) THEN
                RAISE EXCEPTION 'a transaction to be reversed was posted meanwhile' USING ERRCODE = '40001';
            END IF;
            SELECT f.outcome, f.reason, NULL::uuid AS hold_id, f.reference INTO r
              FROM core.reverse_transaction(
                p_keys[i], p_digests[i], p_originals[i], p_amounts[i], p_references[i], p_narratives[i]
              ) AS f;
        WHEN 'ASSIGN' THEN
            SELECT f.outcome, f.reason, NULL::uuid AS hold_id, f.reference INTO r
              FROM core.assign_suspense(p_originals[i], p_wallets[i], p_keys[i], p_digests[i]) AS f;
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
           o.reference, t.id, t.type::text, t.debit_wallet_id::text, t.credit_wallet_id::text, t.amount,
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
           )
      FROM unnest(p_kinds, v_outcomes, v_reasons, v_references, v_holds) WITH ORDINALITY
           AS o (kind, outcome, reason, reference, hold, ord)
      LEFT JOIN core.transactions t ON t.reference = o.reference AND t.reference = ANY (v_references)
      LEFT JOIN core.transactions f
        ON f.reference = o.reference || '-F' AND f.type = 'FEE'
           AND f.reference = ANY (ARRAY(SELECT v.reference || '-F' FROM unnest(v_references) AS v (reference)))
      LEFT JOIN core.holds h ON h.id = o.hold AND h.id = ANY (v_holds);
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

-- Gives transactions that are older than the verification hash theirs: the p_limit oldest that have none. It is the
-- only change that a written transaction ever sees, and it fills what was empty.
--
-- After: how many were given one; 0 when none is left. Call it until then; each call is a transaction of its own, so
--        it can be stopped and taken up again at any time.
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
       SET verification_hash = core.verification_hash(t.reference, t.amount, t.created_at)
     WHERE t.id IN (
        SELECT o.id
          FROM core.transactions o
         WHERE o.verification_hash IS NULL
         ORDER BY o.id
         LIMIT p_limit
           FOR NO KEY UPDATE SKIP LOCKED
     );
    GET DIAGNOSTICS v_count = ROW_COUNT;
    PERFORM set_config('daftari.door', '', true);
    RETURN v_count;
END
$$;
