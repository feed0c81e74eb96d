-- Events for apps: what became of deposits and of payments that were asked for is sent to their endpoints, signed, at least once.
--
-- Before: apps ask again and again.
-- After:  services.webhooks has the endpoints, webhook_events what happened, webhook_deliveries what is on its way to whom: the
--         outbox, written in the transaction that moved the money. All of them are written by their functions only.

-- CreateTable
CREATE TABLE "services"."webhooks" (
    "id" UUID NOT NULL DEFAULT core.new_id(),
    "url" VARCHAR(2000) NOT NULL,
    "events" TEXT[],
    "description" VARCHAR(200),
    "secret" BYTEA,
    "status" VARCHAR(10) NOT NULL DEFAULT 'ACTIVE',
    "created_by" VARCHAR(100) NOT NULL,
    "created_at" TIMESTAMP(3) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'::text),
    "disabled_by" VARCHAR(100),
    "disabled_at" TIMESTAMP(3),
    "disabled_for" VARCHAR(40),

    CONSTRAINT "webhooks_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "services"."webhook_events" (
    "id" UUID NOT NULL DEFAULT core.new_id(),
    "type" VARCHAR(40) NOT NULL,
    "data" JSONB NOT NULL,
    "created_at" TIMESTAMP(3) NOT NULL,

    CONSTRAINT "webhook_events_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "services"."webhook_deliveries" (
    "id" UUID NOT NULL DEFAULT core.new_id(),
    "event_id" UUID NOT NULL,
    "webhook_id" UUID NOT NULL,
    "status" VARCHAR(10) NOT NULL DEFAULT 'PENDING',
    "attempts" SMALLINT NOT NULL DEFAULT 0,
    "due_at" TIMESTAMP(3),
    "status_code" SMALLINT,
    "reason" VARCHAR(40),
    "created_at" TIMESTAMP(3) NOT NULL,
    "updated_at" TIMESTAMP(3) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'::text),
    "resent_by" VARCHAR(100),
    "resent_at" TIMESTAMP(3),

    CONSTRAINT "webhook_deliveries_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "webhook_deliveries_due_idx" ON "services"."webhook_deliveries"("webhook_id", "due_at") WHERE due_at IS NOT NULL;

-- What waits for people, and one active endpoint an address.
CREATE INDEX webhook_deliveries_failed_idx ON services.webhook_deliveries (id) WHERE status = 'FAILED';
CREATE UNIQUE INDEX webhooks_url_key ON services.webhooks (url) WHERE status = 'ACTIVE';

-- AddCheck
ALTER TABLE services.webhooks
    ADD CONSTRAINT webhooks_status_check CHECK (status IN ('ACTIVE', 'DISABLED')),
    ADD CONSTRAINT webhooks_events_check CHECK (events <> '{}'),
    ADD CONSTRAINT webhooks_secret_check CHECK ((status = 'ACTIVE') = (secret IS NOT NULL)),
    ADD CONSTRAINT webhooks_disabled_check CHECK (
        (status = 'DISABLED') = (disabled_by IS NOT NULL AND disabled_at IS NOT NULL AND disabled_for IS NOT NULL)
    );
ALTER TABLE services.webhook_deliveries
    ADD CONSTRAINT webhook_deliveries_status_check CHECK (status IN ('PENDING', 'DELIVERED', 'FAILED')),
    ADD CONSTRAINT webhook_deliveries_due_check CHECK ((status = 'PENDING') = (due_at IS NOT NULL)),
    ADD CONSTRAINT webhook_deliveries_reason_check CHECK (status <> 'FAILED' OR reason IS NOT NULL);

-- ==== functions: written by db:migration, edit prisma/functions instead ====

-- Queues events for the endpoints that want them, in the transaction that made them true: whoever sees the money sees them.
--
-- Arrays of equal length, one element an event. p_types: NULL for none. p_data: what the endpoint gets beside type and time;
--          nobody's phone number and nobody's name.
-- After:   one row in services.webhook_events for each event that an active endpoint wants, and one in
--          services.webhook_deliveries for each of these endpoints, due at once.
-- For functions that have opened the door and found that there is an endpoint.
CREATE OR REPLACE FUNCTION services.queue_webhooks(p_types text[], p_data jsonb[])
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $$
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
$$;

-- A moment as endpoints get it: ISO 8601 in UTC, with milliseconds.
CREATE OR REPLACE FUNCTION services.webhook_time(p_at timestamp)
RETURNS text
LANGUAGE sql
IMMUTABLE
AS $$
    SELECT to_char(p_at, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
$$;

-- Queues the event that a payment which we asked for is paid or has failed. For services.change_payment, which holds its lock
-- and has changed it.
CREATE OR REPLACE FUNCTION services.queue_payment_webhook(p_id uuid)
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $$
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
$$;

-- Moves a payment to another status, by the one rule for all: PAID never changes; FAILED becomes PAID only, for a receipt
-- may come late; anything else may become anything. For the functions about payments, which hold its lock.
--
-- p_due_ms: when something is to be done about it, counted from now; NULL when nothing is.
-- After: whether the rule allowed it; if not, nothing has changed.
CREATE OR REPLACE FUNCTION services.change_payment(
    p_id uuid, p_status text, p_reason text DEFAULT NULL, p_result_code text DEFAULT NULL, p_receipt text DEFAULT NULL,
    p_due_ms integer DEFAULT NULL
)
RETURNS boolean
LANGUAGE plpgsql
VOLATILE
AS $$
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
$$;

-- Takes deliveries of one endpoint that are due, the longest due first; nobody else gets them for p_lease_ms.
--
-- After: one row a delivery. It counts the attempt, so one whose sender dies is due again when the lease is over, and is sent
--        again with the same event. After the last attempt (p_most) a delivery whose lease is over has failed. What waits for
--        an endpoint that was disabled has failed too.
CREATE OR REPLACE FUNCTION services.claim_webhooks(p_webhook uuid, p_limit integer, p_lease_ms integer, p_most integer)
RETURNS TABLE (id uuid, attempt integer, event_id uuid, type text, data jsonb, created_at timestamp)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
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
$$;

-- Ends an endpoint: no event is queued for it any more, and what waits for it is not sent. It stays on record.
--
-- p_reason: by_person, or gone where the endpoint answered that it is.
-- After: whether there is such an endpoint. One that was disabled before stays as it was.
CREATE OR REPLACE FUNCTION services.disable_webhook(p_id uuid, p_by text, p_reason text)
RETURNS boolean
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE services.webhooks w
       SET status = 'DISABLED', secret = NULL, disabled_by = p_by, disabled_for = p_reason,
           disabled_at = clock_timestamp() AT TIME ZONE 'UTC'
     WHERE w.id = p_id AND w.status = 'ACTIVE';
    PERFORM set_config('daftari.door', '', true);
    RETURN EXISTS (SELECT FROM services.webhooks w WHERE w.id = p_id);
END
$$;

-- What came of an attempt to deliver an event.
--
-- p_attempt: which one. That it was delivered counts whichever attempt says so; a failure counts for the latest only.
-- p_reason:  NULL when it was delivered, else why not: a code.
-- p_due_ms:  when to try again, counted from now; NULL when that is the end.
CREATE OR REPLACE FUNCTION services.finish_webhook(
    p_id uuid, p_attempt integer, p_status_code integer, p_reason text, p_due_ms integer
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
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
$$;

-- Queues an event for each payment of a batch that became something: everything but a duplicate. For
-- services.record_deposits, and only where there is an endpoint.
--
-- Arrays of equal length. p_receipts: NULL for what is no receipt. p_outcomes: as services.compare_deposits says them.
-- p_wallets: who was credited. p_door_reasons, p_reasons (may be NULL): why not who was meant.
CREATE OR REPLACE FUNCTION services.queue_deposit_webhooks(
    p_receipts text[], p_amounts numeric[], p_short_codes text[], p_paid_at timestamp[], p_outcomes text[],
    p_wallets text[], p_door_reasons text[], p_reasons text[], p_now timestamp
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $$
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
$$;

-- Registers an endpoint, which gets the events from the next transaction on.
--
-- p_secret: what signs its messages, sealed by the service.
-- After: its id; NULL when an active endpoint has this address.
CREATE OR REPLACE FUNCTION services.register_webhook(
    p_url text, p_events text[], p_description text, p_secret bytea, p_by text
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
    INSERT INTO services.webhooks (url, events, description, secret, created_by)
    VALUES (p_url, p_events, p_description, p_secret, p_by)
        ON CONFLICT (url) WHERE status = 'ACTIVE' DO NOTHING
    RETURNING id INTO v_id;
    PERFORM set_config('daftari.door', '', true);
    RETURN v_id;
END
$$;

-- A person has an event delivered again, as if it were new: its id and its content stay. One that is pending is sent at once.
--
-- After: outcome queued; refused with reason unknown_delivery or webhook_disabled.
CREATE OR REPLACE FUNCTION services.resend_webhook(p_id uuid, p_by text, OUT outcome text, OUT reason text)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
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
$$;

-- ==== end of functions ====

-- ---- Guards ----

CREATE TRIGGER webhooks_never_deleted
    BEFORE DELETE OR TRUNCATE ON services.webhooks
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is the record of who got events; end one with services.disable_webhook.');
CREATE TRIGGER webhooks_through_the_door
    BEFORE INSERT OR UPDATE ON services.webhooks
    FOR EACH STATEMENT WHEN (current_setting('daftari.door', true) IS DISTINCT FROM 'open')
    EXECUTE FUNCTION core.refuse_write('services.register_webhook and disable_webhook write it, or registerWebhook in @repo/db.');

CREATE TRIGGER webhook_events_append_only
    BEFORE DELETE OR UPDATE OR TRUNCATE ON services.webhook_events
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is the record of what endpoints got.');
CREATE TRIGGER webhook_events_through_the_door
    BEFORE INSERT ON services.webhook_events
    FOR EACH STATEMENT WHEN (current_setting('daftari.door', true) IS DISTINCT FROM 'open')
    EXECUTE FUNCTION core.refuse_write('services.queue_webhooks writes it.');

CREATE TRIGGER webhook_deliveries_never_deleted
    BEFORE DELETE OR TRUNCATE ON services.webhook_deliveries
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is the record of what was delivered to whom.');
CREATE TRIGGER webhook_deliveries_through_the_door
    BEFORE INSERT OR UPDATE ON services.webhook_deliveries
    FOR EACH STATEMENT WHEN (current_setting('daftari.door', true) IS DISTINCT FROM 'open')
    EXECUTE FUNCTION core.refuse_write('services.claim_webhooks, finish_webhook and resend_webhook write it.');
