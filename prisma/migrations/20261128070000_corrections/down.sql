-- Before: who assigned payments and who moved payments to another wallet is on record.
-- After:  what was posted stays posted. These decisions stay, as KEPT, the older release's word for one that moves no money of
--         its own; a reason that nobody gave is a dash.

DROP INDEX core.wallets_mask_idx;

-- ==== functions: written by db:migration, edit prisma/functions instead ====

DROP FUNCTION core.suggest_wallets(p_account text, p_phone text, p_phone_hash text, p_name text);

DROP FUNCTION services.replay_callback(p_id uuid, p_by text, p_reason text, p_key text, p_digest text, p_receipt text, p_amount numeric, p_short_code text, p_account text, p_paid_at timestamp without time zone, p_phone text, p_phone_hash text, p_name text, p_payload text, p_body bytea, p_max_amount numeric, p_payment uuid, p_merchant text, p_checkout text, OUT outcome text, OUT reason text, OUT receipt text, OUT result text);

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
$function$;

CREATE OR REPLACE FUNCTION core.suggest_wallets(p_account text, p_phone text, p_phone_hash text)
 RETURNS TABLE(wallet text, reason text)
 LANGUAGE sql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET enable_seqscan TO 'off'
AS $function$
    SELECT s.wallet, s.reason
      FROM (
        SELECT c.wallet, (array_agg(c.reason ORDER BY c.rank))[1] AS reason, min(c.rank) AS rank
          FROM (
            SELECT n.wallet, 'near_number' AS reason, 1 AS rank
              FROM unnest(core.nearest_wallets(p_account)) AS n (wallet)
             UNION ALL
            SELECT w.id, 'account_phone', 2
              FROM core.wallets w
             WHERE w.phone = core.normalize_phone(regexp_replace(coalesce(p_account, ''), '[\s\u00a0-]', '', 'g'))
               AND w.kind = 'CUSTOMER' AND w.status <> 'CLOSED'
             UNION ALL
            SELECT min(w.id), CASE WHEN p_phone IS NULL THEN 'payer_phone_hash' ELSE 'payer_phone' END, 3
              FROM core.wallets w
             WHERE w.phone = coalesce(
                       core.normalize_phone(p_phone),
                       CASE WHEN p_phone IS NULL AND p_phone_hash IS NOT NULL THEN core.phone_of_hash(p_phone_hash) END
                   )
               AND w.kind = 'CUSTOMER' AND w.status <> 'CLOSED'
            HAVING count(*) = 1
          ) c
         GROUP BY c.wallet
         ORDER BY rank, c.wallet
         LIMIT 5
      ) s
$function$;

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
    END IF;
END
$function$;

CREATE OR REPLACE FUNCTION services.note_witnesses(p_receipts text[], p_outcomes text[], p_kinds text[], p_amounts numeric[], p_short_codes text[], p_accounts text[], p_phones text[], p_phone_hashes text[], p_names text[])
 RETURNS void
 LANGUAGE plpgsql
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET enable_nestloop TO 'on'
AS $function$
BEGIN
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
       )
     ORDER BY t.receipt, t.kind, t.ord
    ON CONFLICT (receipt, kind) DO NOTHING;
END
$function$;

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
    IF core.account_of(t.credit_wallet_id) = 'SUSPENSE' AND v_wallet IS DISTINCT FROM (
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
    IF 'duplicate' = ANY (v_outcomes) OR 'conflict' = ANY (v_outcomes) THEN
        PERFORM services.note_witnesses(
            p_receipts => p_receipts, p_outcomes => v_outcomes, p_kinds => p_kinds, p_amounts => p_amounts,
            p_short_codes => p_short_codes, p_accounts => p_accounts, p_phones => p_phones,
            p_phone_hashes => p_phone_hashes, p_names => p_names
        );
    END IF;
    IF EXISTS (SELECT FROM services.webhooks w WHERE w.status = 'ACTIVE') THEN
        PERFORM services.queue_deposit_webhooks(
            p_receipts => v_receipts, p_amounts => p_amounts, p_short_codes => p_short_codes, p_paid_at => p_paid_at,
            p_outcomes => v_outcomes, p_wallets => v_accounts, p_door_reasons => v_door_reasons, p_reasons => v_reasons,
            p_now => v_now
        );
    END IF;
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

CREATE OR REPLACE FUNCTION services.replay_callback(p_id uuid, p_by text, p_reason text, p_key text, p_digest text, p_receipt text, p_amount numeric, p_short_code text, p_account text, p_paid_at timestamp without time zone, p_phone text, p_phone_hash text, p_name text, p_payload text, p_body bytea, p_max_amount numeric DEFAULT NULL::numeric, OUT outcome text, OUT reason text, OUT receipt text, OUT result text)
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
          FROM services.record_deposits(
              p_receipts => ARRAY[p_receipt], p_amounts => ARRAY[p_amount], p_short_codes => ARRAY[p_short_code],
              p_accounts => ARRAY[p_account], p_paid_at => ARRAY[p_paid_at], p_phones => ARRAY[p_phone],
              p_phone_hashes => ARRAY[p_phone_hash], p_names => ARRAY[p_name], p_payloads => ARRAY[p_payload],
              p_kinds => ARRAY['REPLAY'], p_sources => ARRAY[NULL]::text[], p_body_starts => ARRAY[1],
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
    END IF;
    INSERT INTO core.requests (idempotency_key, digest, outcome, reference)
    VALUES (p_key, p_digest, 'POSTED', receipt);
    PERFORM set_config('daftari.door', '', true);
END
$function$;

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
$function$;

CREATE OR REPLACE FUNCTION services.settle_payment(p_id uuid, p_receipt text, p_outcome text, p_original text, p_wallet text, p_merchant_request_id text, p_checkout_request_id text)
 RETURNS void
 LANGUAGE plpgsql
AS $function$
DECLARE
    p           services.mpesa_payments;
    v_is_moved  boolean := p_outcome <> 'refused' AND p_outcome <> 'conflict';
    v_must_move boolean := v_is_moved AND p_outcome = 'duplicate' AND p_original = 'suspense';
BEGIN
    SELECT * INTO p FROM services.mpesa_payments x WHERE x.id = p_id FOR UPDATE;
    IF p.id IS NULL OR p.receipt = p_receipt THEN
        RETURN;
    END IF;
    PERFORM services.name_payment(
        p_id => p_id, p_merchant_request_id => p_merchant_request_id, p_checkout_request_id => p_checkout_request_id
    );
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
    IF v_is_moved AND p_wallet NOT IN (p.wallet_id, 'SUSPENSE') THEN
        PERFORM services.flag_payment(p_id => p_id, p_kind => 'OTHER_WALLET', p_reason => NULL, p_receipt => p_receipt);
    END IF;
END
$function$;

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
    ELSE
        PERFORM services.queue_movement_sms(
            p_templates => ARRAY['suspense_assigned'], p_wallets => ARRAY[NEW.credit_wallet_id]::text[],
            p_references => ARRAY[NEW.reference]::text[], p_amounts => ARRAY[NEW.amount],
            p_currencies => ARRAY[NEW.currency]::text[], p_others => ARRAY[NEW.debit_wallet_id]::text[],
            p_balances => ARRAY[NEW.credit_balance_after]
        );
    END IF;
    RETURN NULL;
END
$function$;

DROP FUNCTION core.mask_words(p_phone text, p_name text);

DROP FUNCTION services.correct_payment(p_id uuid, p_receipt text, p_by text, p_reason text, p_key text, p_digest text, OUT outcome text, OUT reason text, OUT receipt text, OUT reference text, OUT source text, OUT target text, OUT amount numeric);

DROP FUNCTION services.follow_deposits(p_receipts text[], p_ids uuid[], p_outcomes text[], p_kinds text[], p_amounts numeric[], p_short_codes text[], p_accounts text[], p_paid_at timestamp without time zone[], p_phones text[], p_phone_hashes text[], p_names text[], p_wallets text[], p_door_reasons text[], p_reasons text[], p_now timestamp without time zone);

DROP FUNCTION services.note_assignment(p_receipt text, p_reference text, p_by text, p_reason text);

DROP FUNCTION services.retell_masked(p_assignment core.transactions);

DROP FUNCTION services.settle_by_deposits(p_ids uuid[], p_receipts text[], p_kinds text[], p_amounts numeric[], p_short_codes text[], p_accounts text[], p_paid_at timestamp without time zone[], p_phones text[], p_phone_hashes text[], p_wallets text[]);

DROP FUNCTION services.tell_masked(p_receipt text, p_phone text);

-- ==== end of functions ====

ALTER TABLE services.mpesa_decisions DISABLE TRIGGER USER;
ALTER TABLE services.mpesa_decisions DROP CONSTRAINT mpesa_decisions_reason_check;
UPDATE services.mpesa_decisions
   SET decision = 'KEPT', reason = coalesce(reason, '-')
 WHERE decision IN ('ASSIGNED', 'MOVED');
ALTER TABLE services.mpesa_decisions ENABLE TRIGGER USER;
ALTER TABLE services.mpesa_decisions
    DROP CONSTRAINT mpesa_decisions_decision_check,
    ADD CONSTRAINT mpesa_decisions_decision_check CHECK (
        decision IN ('KEPT', 'CORRECTED', 'REPLAYED', 'RELEASED', 'REJECTED', 'REFUND', 'NO_REFUND')
    );
ALTER TABLE "services"."mpesa_decisions" ALTER COLUMN "reason" SET NOT NULL;
