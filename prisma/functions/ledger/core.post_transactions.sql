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
$$;
