-- Before: transfers and what came with them.
-- After:  the door as it was, which knows deposits. Transactions stay; remembered requests, holds, fee rules, wallet
--         events and API keys are gone. Refused while money is held, which nothing could release any more.

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM core.holds WHERE status = 'ACTIVE') THEN
        RAISE EXCEPTION 'there are active holds' USING ERRCODE = 'DF011', HINT = 'Release or capture them first.';
    END IF;
END
$$;

DROP FUNCTION core.set_wallet_status;
DROP FUNCTION core.assign_suspense;
DROP FUNCTION core.reverse_transaction;
DROP FUNCTION core.capture_hold;
DROP FUNCTION core.release_hold;
DROP FUNCTION core.place_hold;
DROP FUNCTION core.current_assignment;
DROP FUNCTION core.remaining_of;
DROP FUNCTION core.record_transfers;
DROP FUNCTION core.fee_of;
DROP FUNCTION core.refuse_request;
DROP FUNCTION core.find_request;
DROP FUNCTION core.lock_wallets;
DROP FUNCTION core.post_transactions;

DROP TABLE "services"."api_keys";
DROP TABLE "core"."wallet_events";
DROP TABLE "core"."fee_rules";
DROP TABLE "core"."holds";
DROP TABLE "core"."requests";
DROP FUNCTION core.guard_holds;

ALTER TABLE "core"."transactions" DROP COLUMN "narrative";
CREATE UNIQUE INDEX "transactions_idempotency_key_key" ON "core"."transactions" ("idempotency_key")
    WHERE "idempotency_key" IS NOT NULL;

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
--           refused           nothing moved; reason says why
--         The sum of all balances is what it was, no balance is below its wallet's floor.
--
-- p_fallbacks[i]:  a wallet to credit when the credit wallet cannot take the money (frozen, closed, unknown,
--                  other currency), NULL to refuse instead. Money that has already arrived needs a place.
-- p_keys, p_digests: idempotency key and digest of the request, NULL where the reference is the key.
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
    d integer; c integer; f integer; r integer; a numeric; v_reason text;
BEGIN
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

    posted_at := date_trunc('milliseconds', clock_timestamp() AT TIME ZONE 'UTC');
    v_milliseconds := (extract(epoch FROM posted_at) * 1000)::bigint;

    FOR i IN 1 .. n LOOP
        d := i_places[i]; c := i_places[n + i]; f := i_places[2 * n + i]; r := i_references[i];
        a := p_amounts[i]; v_reason := NULL;

        IF r_amounts[r] IS NOT NULL THEN
            outcomes[i] := CASE
                WHEN r_amounts[r] = a AND r_debits[r] = p_debits[i]
                     AND r_credits[r] IN (p_credits[i], p_fallbacks[i]) THEN 'exists'
                ELSE 'exists_different'
            END;
            CONTINUE;
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
            CONTINUE;
        END IF;

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
        idempotency_key, request_digest, reverses_id, created_at, verification_hash, xact_id
    )
    SELECT t.id, t.reference, t.type, t.debit, t.credit, t.amount, t.currency,
           t.debit_version, t.debit_balance, t.credit_version, t.credit_balance,
           t.key, t.digest, t.reverses, posted_at, t.hash, pg_current_xact_id()::text::bigint
      FROM unnest(
        ids, p_references, p_types, p_debits, credited, p_amounts, p_currencies,
        o_debit_versions, debit_balances, o_credit_versions, credit_balances,
        p_keys, p_digests, p_reverses, hashes
      ) AS t (
        id, reference, type, debit, credit, amount, currency,
        debit_version, debit_balance, credit_version, credit_balance, key, digest, reverses, hash
      )
     WHERE t.id IS NOT NULL;

    UPDATE core.wallets w
       SET balance = t.balance, version = t.version, updated_at = posted_at
      FROM unnest(w_ids, w_balances, w_versions, w_counts) AS t (id, balance, version, postings)
     WHERE w.id = t.id AND t.postings > 0;
    PERFORM set_config('daftari.door', '', true);
END
$$;
