-- Before: functions, CHECKs and an index of the release that spares the door's time.
-- After:  those of the release before. No row changes.

ALTER TABLE core.wallets
    DROP CONSTRAINT wallets_currency_check,
    ADD CONSTRAINT wallets_currency_check CHECK (currency ~ '^[A-Z]{3}$'),
    DROP CONSTRAINT wallets_phone_check,
    ADD CONSTRAINT wallets_phone_check CHECK (phone ~ '^[0-9]{9,15}$');

DROP INDEX services.idx_sms_logs_created;
CREATE INDEX idx_sms_logs_created ON services.sms_logs (created_at);

-- ==== functions: written by db:migration, edit prisma/functions instead ====

CREATE OR REPLACE FUNCTION core.verification_hash(p_reference text, p_amount numeric, p_created_at timestamp without time zone)
 RETURNS text
 LANGUAGE sql
 STABLE
AS $function$
    SELECT encode(
        sha256(convert_to(
            p_reference || round(p_amount, 2)::text || to_char(p_created_at, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
            'UTF8'
        )),
        'hex'
    )
$function$;

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
$function$;

CREATE OR REPLACE FUNCTION core.stripe_of(p_account text, p_lane smallint)
 RETURNS text
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$
    SELECT CASE WHEN p_lane = 0 THEN p_account ELSE p_account || '.' || p_lane END
$function$;

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
$function$;

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
    SELECT logged IS NULL AND NOT p_is_release
           AND coalesce(bool_and(t.amount <= p_max AND t.receipt COLLATE "C" ~ '^[A-Z0-9]{6,20}$'), false)
      INTO is_plain
      FROM unnest(p_receipts, p_amounts) AS t (receipt, amount);
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
$function$;

DROP FUNCTION core.batch_id(p_milliseconds bigint, p_item integer, p_seed bytea);

DROP FUNCTION core.hash_of(p_reference text, p_amount numeric, p_time text);

DROP FUNCTION core.hash_time(p_at timestamp without time zone);

-- ==== end of functions ====
