-- Payments that we ask a customer's phone for (STK push), and what several messages tell of one receipt.
--
-- Before: payments come without being asked for, and each receipt keeps what the first message told of it.
-- After:  services.mpesa_payments has what was asked for and what became of it, mpesa_payment_events how. Receipts that a
--         message names without proof are asked about (mpesa_inquiries). mpesa_witnesses keeps what a further kind of message
--         told of a receipt. The processes share one token for Daraja (daraja_tokens). The inbox knows the outcome NOTED: a
--         message that was understood and moves no money.

CREATE TABLE services.mpesa_payments (
    id UUID NOT NULL DEFAULT core.new_id(),
    wallet_id VARCHAR(20) NOT NULL,
    amount DECIMAL(19,2) NOT NULL,
    phone VARCHAR(20) NOT NULL,
    reference VARCHAR(12) NOT NULL,
    description VARCHAR(13) NOT NULL,
    short_code VARCHAR(20) NOT NULL,
    status VARCHAR(10) NOT NULL DEFAULT 'REQUESTED',
    reason VARCHAR(40),
    result_code VARCHAR(40),
    merchant_request_id VARCHAR(100),
    checkout_request_id VARCHAR(100),
    receipt VARCHAR(50),
    is_flagged BOOLEAN NOT NULL DEFAULT false,
    attempts SMALLINT NOT NULL DEFAULT 1,
    checks SMALLINT NOT NULL DEFAULT 0,
    is_sending BOOLEAN NOT NULL DEFAULT true,
    due_at TIMESTAMP(3),
    created_at TIMESTAMP(3) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),
    updated_at TIMESTAMP(3) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),
    lane SMALLINT NOT NULL,

    CONSTRAINT mpesa_payments_pkey PRIMARY KEY (id),
    CONSTRAINT mpesa_payments_amount_check CHECK (amount >= 1 AND amount = trunc(amount)),
    CONSTRAINT mpesa_payments_status_check CHECK (status IN ('REQUESTED', 'PENDING', 'PAID', 'FAILED', 'UNKNOWN')),
    CONSTRAINT mpesa_payments_receipt_check CHECK ((status = 'PAID') = (receipt IS NOT NULL)),
    CONSTRAINT mpesa_payments_lane_check CHECK (lane BETWEEN 0 AND 15)
);

CREATE TABLE services.mpesa_payment_events (
    id UUID NOT NULL DEFAULT core.new_id(),
    payment_id UUID NOT NULL,
    place SMALLINT NOT NULL,
    kind VARCHAR(20) NOT NULL,
    status VARCHAR(10) NOT NULL,
    reason VARCHAR(40),
    result_code VARCHAR(40),
    receipt VARCHAR(50),
    created_at TIMESTAMP(3) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),

    CONSTRAINT mpesa_payment_events_pkey PRIMARY KEY (id)
);

CREATE TABLE services.mpesa_inquiries (
    id UUID NOT NULL DEFAULT core.new_id(),
    receipt VARCHAR(50) NOT NULL,
    payment_id UUID,
    phone VARCHAR(20),
    status VARCHAR(10) NOT NULL DEFAULT 'OPEN',
    reason VARCHAR(40),
    attempts SMALLINT NOT NULL DEFAULT 0,
    due_at TIMESTAMP(3),
    created_at TIMESTAMP(3) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),
    updated_at TIMESTAMP(3) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),

    CONSTRAINT mpesa_inquiries_pkey PRIMARY KEY (id),
    CONSTRAINT mpesa_inquiries_status_check CHECK (status IN ('OPEN', 'PROVED', 'REFUTED', 'ENDED'))
);

CREATE TABLE services.mpesa_witnesses (
    receipt VARCHAR(50) NOT NULL,
    kind VARCHAR(20) NOT NULL,
    amount DECIMAL(19,2) NOT NULL,
    short_code VARCHAR(20) NOT NULL,
    account TEXT,
    phone VARCHAR(20),
    phone_hash VARCHAR(100),
    payer_name TEXT,
    wallet_id VARCHAR(20),
    created_at TIMESTAMP(3) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),

    CONSTRAINT mpesa_witnesses_pkey PRIMARY KEY (receipt, kind)
);

CREATE TABLE services.daraja_tokens (
    client VARCHAR(64) NOT NULL,
    token BYTEA,
    expires_at TIMESTAMP(3),
    refreshing_till TIMESTAMP(3),

    CONSTRAINT daraja_tokens_pkey PRIMARY KEY (client)
);
CREATE INDEX mpesa_payments_checkout_idx ON services.mpesa_payments (checkout_request_id)
    WHERE checkout_request_id IS NOT NULL;
CREATE INDEX mpesa_payments_due_idx ON services.mpesa_payments (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX mpesa_payments_reference_idx ON services.mpesa_payments (reference, created_at);
CREATE INDEX mpesa_payments_wallet_idx ON services.mpesa_payments (wallet_id, created_at);
CREATE INDEX mpesa_payments_receipt_idx ON services.mpesa_payments (receipt) WHERE receipt IS NOT NULL;
CREATE UNIQUE INDEX mpesa_payment_events_place_key ON services.mpesa_payment_events (payment_id, place);
CREATE INDEX mpesa_inquiries_due_idx ON services.mpesa_inquiries (due_at) WHERE due_at IS NOT NULL;
CREATE UNIQUE INDEX mpesa_inquiries_receipt_key ON services.mpesa_inquiries (receipt);

ALTER TABLE services.mpesa_payment_events ADD CONSTRAINT mpesa_payment_events_payment_id_fkey
    FOREIGN KEY (payment_id) REFERENCES services.mpesa_payments (id) ON DELETE RESTRICT ON UPDATE RESTRICT;

ALTER TABLE services.mpesa_callbacks
    DROP CONSTRAINT mpesa_callbacks_outcome_check,
    ADD CONSTRAINT mpesa_callbacks_outcome_check CHECK (
        outcome IN (
            'CREDITED', 'DUPLICATE', 'SUSPENSE', 'HELD', 'CONFLICT', 'QUARANTINED', 'VALIDATED', 'NOTED', 'FAILED'
        )
    );

-- ==== functions: written by db:migration, edit prisma/functions instead ====

-- Whether what a message tells of a payer's number can be this number: the same digits, a mask that fits, its hash (whole or
-- masked in the middle), or nothing at all.
CREATE OR REPLACE FUNCTION services.may_be_phone(p_phone text, p_told text, p_hash text)
RETURNS boolean
LANGUAGE sql
IMMUTABLE
AS $$
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
$$;

-- The wallet for which a customer's phone was asked to pay with this reference, or NULL. M-PESA echoes the reference of our
-- own request as the account of a C2B confirmation, which may come before the callback of the request.
--
-- A reference alone is no proof: anybody can type it. The payer's number must be told, and agree with the number that was
-- asked, within a day; and all that agree must be for one wallet.
CREATE OR REPLACE FUNCTION services.wallet_of_payment(p_account text, p_phone text, p_phone_hash text)
RETURNS text
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT min(p.wallet_id)
      FROM services.mpesa_payments p
     WHERE p.reference = p_account
       AND coalesce(p_phone, p_phone_hash) IS NOT NULL
       AND p.created_at > (clock_timestamp() AT TIME ZONE 'UTC') - interval '1 day'
       AND services.may_be_phone(p_phone => p.phone, p_told => p_phone, p_hash => p_phone_hash)
    HAVING count(DISTINCT p.wallet_id) = 1
$$;

-- Whose wallets do these accounts mean? core.route_account for each of them, with the numbers that may have been meant.
-- What is no account can be the reference of a payment that we asked the payer's phone for (services.wallet_of_payment).
--
-- p_payers, p_hashes: who paid, as services.mpesa_logs has it in phone and phone_hash.
-- After: the arrays have one element an account, in its order: the wallet's number, its holder's phone, both NULL
--        with the reason why no wallet was found, and the wallets of core.suggest_wallets, joined by commas.
--
-- An account is compared with the wallets one at a time, whatever the caller prefers for its own joins.
CREATE OR REPLACE FUNCTION core.route_accounts(
    p_accounts text[],
    p_payers   text[],
    p_hashes   text[],
    OUT wallets     text[],
    OUT phones      text[],
    OUT reasons     text[],
    OUT suggestions text[]
)
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_nestloop = on
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
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
    PERFORM set_config('daftari.door', '', true);
    RETURN v_changed;
END
$$;

-- The token that all processes share, or the task to fetch a new one: a new token ends the old one, so one process fetches
-- it for everybody.
--
-- p_refused: the token, as it is stored, that M-PESA no longer takes; NULL when none was refused.
-- p_margin_ms: a token that ends sooner is not handed out any more.
-- After: must_refresh, and the caller fetches a token and stores it within p_lease_ms; or the token; or neither, while
--        another process fetches one.
CREATE OR REPLACE FUNCTION services.claim_daraja_token(
    p_client text, p_refused bytea, p_margin_ms integer, p_lease_ms integer,
    OUT token bytea, OUT must_refresh boolean
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
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
$$;

-- Takes inquiries that are due; nobody else gets them for p_lease_ms. An inquiry that was asked p_most times without an
-- answer ENDs.
CREATE OR REPLACE FUNCTION services.claim_inquiries(p_limit integer, p_lease_ms integer, p_most integer)
RETURNS TABLE (id uuid, receipt text, attempts integer)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
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
$$;

-- Writes down what happened to a payment. For the functions about payments, which hold its lock and have changed it.
CREATE OR REPLACE FUNCTION services.note_payment(
    p_id uuid, p_kind text, p_reason text DEFAULT NULL, p_result_code text DEFAULT NULL, p_receipt text DEFAULT NULL
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $$
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO services.mpesa_payment_events (payment_id, place, kind, status, reason, result_code, receipt)
    SELECT p.id, (SELECT count(*) + 1 FROM services.mpesa_payment_events e WHERE e.payment_id = p_id), p_kind, p.status, p_reason, p_result_code, p_receipt FROM services.mpesa_payments p WHERE p.id = p_id;
    PERFORM set_config('daftari.door', '', true);
END
$$;

-- Takes payments about which something is to be done, the longest due first; nobody else gets them for p_lease_ms.
--
-- After: one row a payment, with its task:
--   SEND    it was not sent, or M-PESA was busy; the row counts the attempt, which is the record of it
--   QUERY   M-PESA is to be asked what became of it
--   ASSIGN  it is paid, and its money waits in suspense for the wallet that it was asked for
-- An attempt whose answer nobody recorded makes its payment UNKNOWN: it may have been sent, and is not sent again.
CREATE OR REPLACE FUNCTION services.claim_payments(p_limit integer, p_lease_ms integer)
RETURNS TABLE (id uuid, task text)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
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
$$;

-- Ends the inquiry about a receipt, if there is one that is open.
CREATE OR REPLACE FUNCTION services.close_inquiry(p_receipt text, p_status text, p_reason text)
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE services.mpesa_inquiries q
       SET status = p_status, reason = p_reason, due_at = NULL, updated_at = clock_timestamp() AT TIME ZONE 'UTC'
     WHERE q.receipt = p_receipt AND q.status <> 'PROVED' AND q.status <> p_status;
    PERFORM set_config('daftari.door', '', true);
END
$$;

-- Marks a payment about which something contradicts something else, and writes down what. The same finding about the same
-- receipt is written once. For the functions about payments, which hold its lock.
CREATE OR REPLACE FUNCTION services.flag_payment(p_id uuid, p_kind text, p_reason text, p_receipt text)
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $$
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
$$;

-- The money of a payment that waited in suspense was assigned to its wallet, or could not be (p_reason says why): then it
-- is flagged, and a person decides.
CREATE OR REPLACE FUNCTION services.finish_assignment(p_id uuid, p_reason text)
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
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
$$;

-- Keeps what M-PESA calls a payment, the first time that it is told. For the functions about payments.
CREATE OR REPLACE FUNCTION services.name_payment(p_id uuid, p_merchant_request_id text, p_checkout_request_id text)
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $$
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE services.mpesa_payments p
       SET merchant_request_id = p_merchant_request_id, checkout_request_id = p_checkout_request_id
     WHERE p.id = p_id AND p.checkout_request_id IS NULL AND p_checkout_request_id IS NOT NULL;
    PERFORM set_config('daftari.door', '', true);
END
$$;

-- What M-PESA answered when it was asked to prompt a customer's phone.
--
-- p_answer: ACCEPTED  the prompt is on its way
--           REFUSED   it is not, and would not be the next time
--           RETRY     it is not, and may be later: again after p_due_ms, or FAILED when that is NULL
--           LOST      nobody knows: UNKNOWN, and never sent again
-- p_attempt: which attempt it answers. The answer to an attempt that is not the latest one changes no status.
CREATE OR REPLACE FUNCTION services.note_payment_answer(
    p_id uuid, p_attempt integer, p_answer text, p_reason text, p_result_code text,
    p_merchant_request_id text, p_checkout_request_id text, p_due_ms integer
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
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
$$;

-- The receipt of the one deposit that can be a payment whose receipt we were not told, or NULL.
--
-- M-PESA said that it was paid. A deposit can be it when it went to the same wallet with the same amount to the same short
-- code, was paid from two minutes before the request (clocks differ) to an hour after it, its payer's number does not differ,
-- and no other payment has it. Where two deposits can be it, or another payment may as well have made it, nobody knows.
CREATE OR REPLACE FUNCTION services.receipt_of_payment(p_id uuid)
RETURNS text
LANGUAGE sql
STABLE
AS $$
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
$$;

-- What M-PESA answered when it was asked what became of a payment. The answer names no receipt and no amount, so it
-- credits nothing.
--
-- p_verdict: FAILED     it will not be paid, as far as M-PESA knows now
--            CONFIRMED  it was paid: PAID where exactly one deposit can be it, otherwise we wait for the receipt
--            OPEN       nothing is decided, or nobody answered
-- p_due_ms: when to ask again; NULL at the end, when the payment becomes UNKNOWN.
CREATE OR REPLACE FUNCTION services.note_payment_query(
    p_id uuid, p_verdict text, p_reason text, p_result_code text, p_due_ms integer
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
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
$$;

-- Keeps what further messages told of receipts that are recorded, one row for each kind of message: a C2B confirmation knows
-- the account and the name, the callback of a request the whole number. For services.record_deposits.
--
-- Arrays of equal length; p_outcomes as services.record_deposits answers them. A repeat of the message that was recorded
-- first tells nothing new.
CREATE OR REPLACE FUNCTION services.note_witnesses(
    p_receipts text[], p_outcomes text[], p_kinds text[], p_amounts numeric[], p_short_codes text[], p_accounts text[],
    p_phones text[], p_phone_hashes text[], p_names text[]
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
SET enable_nestloop = on
AS $$
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

-- M-PESA reports that a payment will not be paid. The report is kept in the inbox as NOTED. A payment that is paid stays so.
--
-- After: the status of the payment.
CREATE OR REPLACE FUNCTION services.record_payment_failure(
    p_id uuid, p_kind text, p_source text, p_body bytea, p_reason text, p_result_code text,
    p_merchant_request_id text, p_checkout_request_id text
)
RETURNS text
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
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
$$;

-- A receipt of a payment was recorded; this says what that means for the payment. For services.record_payments.
--
-- p_outcome, p_original, p_wallet: of services.record_deposits. The first receipt settles the payment, whatever was thought
-- of it. What does not agree with what we asked for moves no money and is flagged:
--   SECOND_RECEIPT    it had a receipt before: this is a second deposit
--   OTHER_PAYMENT     another payment of ours has this receipt
--   OTHER_WALLET      the receipt was credited to another wallet before; its money stays there
--   CONFLICT          the receipt is recorded with another amount or short code
CREATE OR REPLACE FUNCTION services.settle_payment(
    p_id uuid, p_receipt text, p_outcome text, p_original text, p_wallet text,
    p_merchant_request_id text, p_checkout_request_id text
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $$
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
$$;

-- Records receipts of payments that we asked for: each is a deposit like any other, through services.record_deposits, and
-- settles its payment in the same transaction.
--
-- The arrays are those of services.record_deposits, with for each element the payment that it settles (NULL for none), and
-- what M-PESA calls it.
-- Locks: the wallets of the batch, as always; then the payments. Batches that share a payment share its wallet.
CREATE OR REPLACE FUNCTION services.record_payments(
    p_payments     uuid[],
    p_merchants    text[],
    p_checkouts    text[],
    p_receipts     text[],
    p_amounts      numeric[],
    p_short_codes  text[],
    p_accounts     text[],
    p_paid_at      timestamp[],
    p_phones       text[],
    p_phone_hashes text[],
    p_names        text[],
    p_payloads     text[],
    p_kinds        text[],
    p_sources      text[],
    p_body_starts  integer[],
    p_body_lengths integer[],
    p_bodies       bytea,
    p_max_amount   numeric DEFAULT NULL
)
RETURNS TABLE (
    ord integer, outcome text, original text, reason text, suggestions text,
    wallet text, transaction_id uuid, amount numeric, balance_after numeric,
    created_at timestamp, verification_hash text, recorded_short_code text
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
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
                p_original => r.original, p_wallet => r.wallet, p_merchant_request_id => p_merchants[r.ord],
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
$$;

-- Keeps the report of a payment that proves nothing: one for a checkout that nobody asked for, or that contradicts what was
-- asked for. It is QUARANTINED in the inbox and credits nobody; an inquiry about its receipt is opened, once.
--
-- p_payment: the payment that it contradicts, if there is one. p_due_ms: when M-PESA is to be asked; NULL for never.
CREATE OR REPLACE FUNCTION services.record_unproven(
    p_payment uuid, p_kind text, p_receipt text, p_reason text, p_phone text, p_source text, p_body bytea, p_due_ms integer
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
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
$$;

-- Writes down that a customer's phone is to be asked for a payment, once for its idempotency key. The row is the record of
-- the attempt: the caller sends the request afterwards, and an attempt that nobody answers for is of unknown outcome.
--
-- p_lease_ms: how long the caller may take to send it and record the answer.
-- After: outcome 'requested' and the id; 'replayed' with the id of the payment that was requested for this key; 'key_reused';
--        or 'refused' with reason: unknown_wallet, wallet_frozen, wallet_closed, currency_mismatch. Refusals are remembered.
CREATE OR REPLACE FUNCTION services.request_payment(
    p_wallet text, p_amount numeric, p_phone text, p_reference text, p_description text, p_short_code text,
    p_lease_ms integer, p_key text, p_digest text,
    OUT outcome text, OUT reason text, OUT id uuid
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
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
$$;

-- Keeps a token that was just fetched, for p_valid_ms. Without one (NULL) the fetching has failed, and another process may
-- try.
CREATE OR REPLACE FUNCTION services.store_daraja_token(p_client text, p_token bytea, p_valid_ms integer)
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
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
$$;

-- ==== end of functions ====

CREATE TRIGGER mpesa_payments_through_the_door BEFORE INSERT OR UPDATE ON services.mpesa_payments
    FOR EACH STATEMENT WHEN (current_setting('daftari.door', true) IS DISTINCT FROM 'open')
    EXECUTE FUNCTION core.refuse_write('Call services.request_payment or another function about payments, or requestPayment and its like in @repo/db.');
CREATE TRIGGER mpesa_payments_are_kept BEFORE DELETE OR TRUNCATE ON services.mpesa_payments
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is the record of what was asked for; use a fresh database for trials.');
CREATE TRIGGER mpesa_payment_events_through_the_door BEFORE INSERT ON services.mpesa_payment_events
    FOR EACH STATEMENT WHEN (current_setting('daftari.door', true) IS DISTINCT FROM 'open')
    EXECUTE FUNCTION core.refuse_write('Call services.request_payment or another function about payments, or requestPayment and its like in @repo/db.');
CREATE TRIGGER mpesa_payment_events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON services.mpesa_payment_events
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is the record of what happened to a payment; use a fresh database for trials.');
CREATE TRIGGER mpesa_inquiries_through_the_door BEFORE INSERT OR UPDATE ON services.mpesa_inquiries
    FOR EACH STATEMENT WHEN (current_setting('daftari.door', true) IS DISTINCT FROM 'open')
    EXECUTE FUNCTION core.refuse_write('Call services.record_unproven, or recordUnproven in @repo/db.');
CREATE TRIGGER mpesa_inquiries_are_kept BEFORE DELETE OR TRUNCATE ON services.mpesa_inquiries
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is the record of what M-PESA was asked; use a fresh database for trials.');
CREATE TRIGGER mpesa_witnesses_through_the_door BEFORE INSERT ON services.mpesa_witnesses
    FOR EACH STATEMENT WHEN (current_setting('daftari.door', true) IS DISTINCT FROM 'open')
    EXECUTE FUNCTION core.refuse_write('Call services.record_deposits, or recordDeposit in @repo/db.');
CREATE TRIGGER mpesa_witnesses_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON services.mpesa_witnesses
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is the record of what M-PESA reported; use a fresh database for trials.');
CREATE TRIGGER daraja_tokens_through_the_door BEFORE INSERT OR UPDATE ON services.daraja_tokens
    FOR EACH STATEMENT WHEN (current_setting('daftari.door', true) IS DISTINCT FROM 'open')
    EXECUTE FUNCTION core.refuse_write('Call services.store_daraja_token, or storeDarajaToken in @repo/db.');
