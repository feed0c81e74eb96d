-- Deposits: the inbox, what a deposit's log says beyond the first specification, routing, recording.
--
-- Before: the door for money; mpesa_logs with its first six columns.
-- After:  services.mpesa_callbacks, the inbox, keeps every callback that reached us, as received, whatever became
--         of it. mpesa_logs says where the payment went and why. services.record_deposits records a batch.
-- The new columns of mpesa_logs are nullable: rows that are older have none of it.

CREATE TABLE "services"."mpesa_callbacks" (
    "id" UUID NOT NULL DEFAULT core.new_id(),
    "kind" VARCHAR(20) NOT NULL,
    "receipt" VARCHAR(50),
    "outcome" VARCHAR(20) NOT NULL,
    "error" TEXT,
    "source" VARCHAR(64),
    -- Bytes, not jsonb, which loses the order of keys, repeated keys and big numbers, and refuses NUL.
    "body" BYTEA NOT NULL,
    "received_at" TIMESTAMP(3) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),

    CONSTRAINT "mpesa_callbacks_pkey" PRIMARY KEY ("id"),
    CONSTRAINT "mpesa_callbacks_outcome_check" CHECK (
        "outcome" IN ('CREDITED', 'DUPLICATE', 'SUSPENSE', 'CONFLICT', 'QUARANTINED', 'VALIDATED', 'FAILED')
    )
);

CREATE INDEX "idx_mpesa_callbacks_receipt" ON "services"."mpesa_callbacks" ("receipt") WHERE "receipt" IS NOT NULL;
-- What people must look at is rare among what went well, and so is this index's work.
CREATE INDEX "idx_mpesa_callbacks_attention" ON "services"."mpesa_callbacks" ("outcome", "received_at")
    WHERE "outcome" IN ('CONFLICT', 'QUARANTINED', 'FAILED');

ALTER TABLE "services"."mpesa_logs"
    ADD COLUMN "short_code" VARCHAR(20),
    ADD COLUMN "account" TEXT,
    ADD COLUMN "paid_at" TIMESTAMP(3),
    ADD COLUMN "phone_hash" VARCHAR(100),
    ADD COLUMN "payer_name" TEXT,
    ADD COLUMN "outcome" VARCHAR(20),
    ADD COLUMN "reason" VARCHAR(40),
    ADD COLUMN "suggestions" TEXT[] NOT NULL DEFAULT '{}',
    ADD COLUMN "wallet_id" VARCHAR(20),
    ADD CONSTRAINT "mpesa_logs_amount_check" CHECK ("amount" > 0),
    ADD CONSTRAINT "mpesa_logs_outcome_check" CHECK ("outcome" IN ('CREDITED', 'SUSPENSE'));

-- What was logged before there was a ledger: nothing in a new database, and quickly found in an old one.
CREATE INDEX "idx_mpesa_logs_unposted" ON "services"."mpesa_logs" ("mpesa_receipt") WHERE "outcome" IS NULL;

-- M-PESA may send the SHA-256 of a phone number instead of the number; this finds the customer who has it.
CREATE INDEX "idx_wallets_phone_sha256" ON "core"."wallets" ((encode(sha256("phone"::bytea), 'hex')) COLLATE "C");

-- Is this a well-formed wallet number: ten digits, no leading zero, the last one the Damm check digit of the
-- others? Damm's scheme finds every single wrong digit and every swap of two neighbours (H. M. Damm, 2004).
--
-- The literal is Damm's quasigroup of order ten, row by row: the next state for a state and a digit.
CREATE OR REPLACE FUNCTION core.has_check_digit(p_number text)
RETURNS boolean
LANGUAGE plpgsql
IMMUTABLE
PARALLEL SAFE
AS $$
DECLARE
    c_table constant text :=
        '0317598642' || '7092154863' || '4206871359' || '1750983426' || '6123045978'
        || '3674209581' || '5869720134' || '8945362017' || '9438617205' || '2581436790';
    v_state integer := 0;
BEGIN
    IF p_number !~ '^[1-9][0-9]{9}$' THEN
        RETURN false;
    END IF;
    FOR i IN 1 .. 10 LOOP
        v_state := substr(c_table, v_state * 10 + substr(p_number, i, 1)::integer + 1, 1)::integer;
    END LOOP;
    RETURN v_state = 0;
END
$$;

-- A Kenyan mobile number in the one form in which phones are stored, 2547XXXXXXXX or 2541XXXXXXXX, from any of
-- the forms that people type: 07..., 7..., 2547..., +2547..., 002547.... NULL for anything else.
-- Spaces and hyphens must be gone already.
CREATE OR REPLACE FUNCTION core.normalize_phone(p_typed text)
RETURNS text
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $$
    SELECT '254' || substring(p_typed FROM '^(?:\+?254|00254|0)?([17][0-9]{8})$')
$$;

-- Which customer's wallet does the account that a payer typed mean?
--
-- Tried in this order: the number exactly as typed; without spaces and hyphens; the customer's own phone number,
-- if exactly one wallet that is not closed has it. Never "the first that matches", and never a system wallet.
--
-- After: one row. wallet_id is the wallet and phone its holder's, or both are NULL with the reason: no_account,
--        ambiguous_phone, wrong_check_digit (ten digits, but no number of ours can look so), unknown_account.
CREATE OR REPLACE FUNCTION core.route_account(p_account text)
RETURNS TABLE (wallet_id text, phone text, reason text)
LANGUAGE sql
STABLE
AS $$
    SELECT coalesce(e.id, w.id)::text,
           coalesce(e.phone, w.phone)::text,
           CASE
               WHEN e.id IS NOT NULL OR w.id IS NOT NULL THEN NULL
               WHEN s.typed = '' THEN 'no_account'
               WHEN EXISTS (
                   SELECT 1 FROM core.wallets a WHERE a.phone = core.normalize_phone(s.typed) AND a.kind = 'CUSTOMER'
                      AND a.status <> 'CLOSED'
               ) THEN 'ambiguous_phone'
               WHEN s.typed ~ '^[1-9][0-9]{9}$' AND NOT core.has_check_digit(s.typed) THEN 'wrong_check_digit'
               ELSE 'unknown_account'
           END
      FROM (SELECT 1) AS one
      LEFT JOIN core.wallets e ON e.id = p_account AND e.kind = 'CUSTOMER'
     -- What follows is looked at only when nothing has exactly the number that was typed.
     CROSS JOIN LATERAL (
        SELECT CASE
                   WHEN e.id IS NULL THEN regexp_replace(coalesce(p_account, ''), '[\s\u00a0-]', '', 'g')
               END
     ) AS s (typed)
      LEFT JOIN core.wallets w ON w.id = CASE
        WHEN e.id IS NULL THEN coalesce(
            (SELECT n.id FROM core.wallets n WHERE n.id = s.typed AND n.kind = 'CUSTOMER'),
            (
                SELECT min(p.id)
                  FROM core.wallets p
                 WHERE p.phone = core.normalize_phone(s.typed) AND p.kind = 'CUSTOMER' AND p.status <> 'CLOSED'
                HAVING count(*) = 1
            )
        )
     END
$$;

-- Wallet numbers that are one slip of the finger away from what was typed: one digit wrong, or two neighbours
-- swapped. At most five, in order. Empty unless ten digits were typed.
CREATE OR REPLACE FUNCTION core.nearest_wallets(p_account text)
RETURNS text[]
LANGUAGE sql
STABLE
AS $$
    SELECT coalesce(array_agg(w.id ORDER BY w.id), '{}')
      FROM (
        SELECT w.id
          FROM (SELECT regexp_replace(coalesce(p_account, ''), '[\s\u00a0-]', '', 'g')) AS t (typed)
         CROSS JOIN LATERAL (
            SELECT overlay(t.typed PLACING digit.value::text FROM place.value FOR 1)
              FROM generate_series(1, 10) AS place (value), generate_series(0, 9) AS digit (value)
             UNION
            SELECT overlay(t.typed PLACING reverse(substr(t.typed, place.value, 2)) FROM place.value FOR 2)
              FROM generate_series(1, 9) AS place (value)
          ) AS candidate (number)
          JOIN core.wallets w ON w.id = candidate.number AND w.kind = 'CUSTOMER' AND w.status <> 'CLOSED'
         WHERE t.typed ~ '^[0-9]{10}$'
         ORDER BY w.id
         LIMIT 5
      ) w
$$;

-- The customer's phone number whose SHA-256 M-PESA sent instead of the number, or NULL when no customer has it.
--
-- p_hash: 64 hex digits, or a hash that was masked in the middle with stars, as live tills have sent it: what is
-- left of the stars and what is right of them must both agree, and exactly one number may.
CREATE OR REPLACE FUNCTION core.phone_of_hash(p_hash text)
RETURNS text
LANGUAGE sql
STABLE
AS $$
    SELECT min(w.phone)
      FROM core.wallets w
     WHERE encode(sha256(w.phone::bytea), 'hex') COLLATE "C" >= split_part(p_hash, '*', 1)
       AND encode(sha256(w.phone::bytea), 'hex') COLLATE "C" < split_part(p_hash, '*', 1) || 'g'
       AND right(encode(sha256(w.phone::bytea), 'hex'), length(substring(p_hash FROM '[^*]*$')))
           = substring(p_hash FROM '[^*]*$')
       AND length(split_part(p_hash, '*', 1)) >= 16
    HAVING count(DISTINCT w.phone) = 1
$$;

-- The text that tells a customer of a deposit. Plain ASCII without brackets, so that it stays in the GSM-7
-- alphabet and in one part of 160 characters.
--
-- p_wallet: the customer's wallet, or NULL when the money waits in suspense.
CREATE OR REPLACE FUNCTION services.deposit_sms(p_receipt text, p_amount numeric, p_wallet text, p_balance numeric)
RETURNS text
LANGUAGE sql
IMMUTABLE
AS $$
    SELECT p_receipt || ' confirmed. KES ' || to_char(p_amount, 'FM99,999,999,999,999,990.00')
           || CASE
                  WHEN p_wallet IS NULL THEN
                      ' received and safe, but not in a wallet yet. Contact us with this code.'
                  ELSE
                      ' received in wallet ' || p_wallet || '. New balance KES '
                      || to_char(p_balance, 'FM99,999,999,999,999,990.00') || '.'
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
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
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
    v_suggestions text[]; -- wallet numbers joined by commas, NULL for none
    v_outcomes text[];
    v_logged   text[]; -- receipts with a log row and no transaction
    v_post    record;
BEGIN
    SELECT array_agg(coalesce(r.wallet_id, c_suspense) ORDER BY t.ord), array_agg(r.reason ORDER BY t.ord),
           array_agg(r.phone ORDER BY t.ord),
           array_agg(
               CASE
                   WHEN r.reason IN ('wrong_check_digit', 'unknown_account')
                       THEN array_to_string(core.nearest_wallets(t.account), ',')
               END ORDER BY t.ord
           )
      INTO v_targets, v_reasons, v_phones, v_suggestions
      FROM unnest(p_accounts) WITH ORDINALITY AS t (account, ord)
     CROSS JOIN LATERAL core.route_account(t.account) AS r;

    -- Rows that are older than the ledger, from a database that logged payments and credited them in another way: to
    -- credit them now could be once too often. Nothing adds such rows any more, so they can be read before the locks.
    SELECT array_agg(l.mpesa_receipt::text)
      INTO v_logged
      FROM services.mpesa_logs l
     WHERE l.outcome IS NULL AND l.mpesa_receipt = ANY (p_receipts)
       AND NOT EXISTS (SELECT 1 FROM core.transactions x WHERE x.reference = l.mpesa_receipt);

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

    -- A payer whose number came masked or hashed cannot be told that his money waits.
    INSERT INTO services.sms_logs (id, recipient, message, status, created_at)
    SELECT t.id, t.recipient, services.deposit_sms(t.receipt, t.amount, nullif(t.credited, c_suspense), t.balance),
           'PENDING', v_now
      FROM (
        SELECT p.*, CASE WHEN p.credited = c_suspense THEN p.payer_phone ELSE p.holder_phone END AS recipient
          FROM unnest(v_post.ids, p_receipts, p_amounts, p_phones, v_phones, v_post.credited, v_post.credit_balances)
               AS p (id, receipt, amount, payer_phone, holder_phone, credited, balance)
         WHERE p.id IS NOT NULL
      ) t
     WHERE t.recipient ~ '^[0-9]{9,15}$';

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
          LEFT JOIN core.transactions x ON x.reference = t.receipt
          LEFT JOIN services.mpesa_logs l ON l.mpesa_receipt = t.receipt;
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
          LEFT JOIN core.transactions x ON x.reference = t.receipt
          LEFT JOIN services.mpesa_logs l ON l.mpesa_receipt = t.receipt
         WHERE t.outcome IN ('duplicate', 'conflict');
    END IF;
END
$$;
