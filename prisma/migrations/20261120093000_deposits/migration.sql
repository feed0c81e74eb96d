-- Deposits: the inbox, what is known of a payment, to whose wallet it goes, and what people decide about it.
--
-- Before: the door and the outbox; mpesa_logs with its first six columns.
-- After:  services.mpesa_callbacks, the inbox, keeps every callback that reached us, as received, whatever became
--         of it. mpesa_logs says where the payment went and why. services.record_deposits records a batch.
--         services.mpesa_decisions says what people decided about payments that were held or contradicted.
-- The new columns of mpesa_logs are nullable: rows from before the ledger have no value there.

CREATE TABLE services.mpesa_callbacks (
    id UUID NOT NULL DEFAULT core.new_id(),
    kind VARCHAR(20) NOT NULL,
    receipt VARCHAR(50),
    outcome VARCHAR(20) NOT NULL,
    error TEXT,
    source VARCHAR(64),
    -- Bytes, not jsonb, which loses the order of keys, repeated keys and big numbers, and refuses NUL.
    body BYTEA NOT NULL,
    -- What a conflicting callback named.
    amount DECIMAL(19,2),
    short_code VARCHAR(20),
    received_at TIMESTAMP(3) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),

    CONSTRAINT mpesa_callbacks_pkey PRIMARY KEY (id),
    CONSTRAINT mpesa_callbacks_outcome_check CHECK (
        outcome IN ('CREDITED', 'DUPLICATE', 'SUSPENSE', 'HELD', 'CONFLICT', 'QUARANTINED', 'VALIDATED', 'FAILED')
    )
);

CREATE INDEX idx_mpesa_callbacks_receipt ON services.mpesa_callbacks (receipt) WHERE receipt IS NOT NULL;
-- What people must look at is rare among what went well, and so is this index's work.
CREATE INDEX idx_mpesa_callbacks_attention ON services.mpesa_callbacks (outcome, id)
    WHERE outcome IN ('HELD', 'CONFLICT', 'QUARANTINED', 'FAILED');

ALTER TABLE services.mpesa_logs
    ADD COLUMN short_code VARCHAR(20),
    ADD COLUMN account TEXT,
    ADD COLUMN paid_at TIMESTAMP(3),
    ADD COLUMN phone_hash VARCHAR(100),
    ADD COLUMN payer_name TEXT,
    ADD COLUMN outcome VARCHAR(20),
    ADD COLUMN reason VARCHAR(40),
    ADD COLUMN suggestions TEXT[] NOT NULL DEFAULT '{}',
    ADD COLUMN wallet_id VARCHAR(20),
    ADD CONSTRAINT mpesa_logs_amount_check CHECK (amount > 0),
    ADD CONSTRAINT mpesa_logs_outcome_check CHECK (outcome IN ('CREDITED', 'SUSPENSE', 'HELD'));

CREATE INDEX idx_mpesa_logs_created ON services.mpesa_logs (created_at, id);
-- What was logged and never posted: rows from before the ledger, and payments that are held.
CREATE INDEX idx_mpesa_logs_unposted ON services.mpesa_logs (mpesa_receipt) WHERE outcome IS NULL OR outcome = 'HELD';

-- M-PESA may send the SHA-256 of a phone number instead of the number; this finds the customer who has it.
CREATE INDEX idx_wallets_phone_sha256 ON core.wallets ((encode(sha256(phone::bytea), 'hex')) COLLATE "C");

CREATE TABLE services.mpesa_decisions (
    id UUID NOT NULL DEFAULT core.new_id(),
    callback_id UUID,
    receipt VARCHAR(50),
    decision VARCHAR(20) NOT NULL,
    reason TEXT NOT NULL,
    decided_by VARCHAR(100) NOT NULL,
    reference VARCHAR(50),
    created_at TIMESTAMP(3) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),

    CONSTRAINT mpesa_decisions_pkey PRIMARY KEY (id),
    CONSTRAINT mpesa_decisions_callback_id_fkey FOREIGN KEY (callback_id)
        REFERENCES services.mpesa_callbacks (id) ON DELETE RESTRICT ON UPDATE RESTRICT,
    CONSTRAINT mpesa_decisions_decision_check CHECK (decision IN ('KEPT', 'CORRECTED', 'RELEASED', 'REJECTED')),
    CONSTRAINT mpesa_decisions_subject_check CHECK (callback_id IS NOT NULL OR receipt IS NOT NULL)
);

CREATE INDEX mpesa_decisions_callback_id_idx ON services.mpesa_decisions (callback_id);
CREATE INDEX mpesa_decisions_receipt_idx ON services.mpesa_decisions (receipt);

-- ==== functions: written by db:migration, edit prisma/functions instead ====

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

-- Wallets that the payer of an account may have meant, and why: at most five, the likeliest first, each once.
--
-- reason: near_number         one digit of the number differs, or two neighbours are swapped
--         account_phone       what was typed is the phone number of this wallet, and of others
--         payer_phone         the number that paid is this wallet's, and no other's
--         payer_phone_hash    the same, of a number that came as its hash
CREATE OR REPLACE FUNCTION core.suggest_wallets(p_account text, p_phone text, p_phone_hash text)
RETURNS TABLE (wallet text, reason text)
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
-- It is asked about one payment at a time, and must not read all wallets because there were few when it was planned.
SET enable_seqscan = off
AS $$
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
$$;

-- Whose wallets do these accounts mean? core.route_account for each of them, with the numbers that may have been meant.
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
    SELECT array_agg(r.wallet_id ORDER BY t.ord), array_agg(r.phone ORDER BY t.ord), array_agg(r.reason ORDER BY t.ord),
           array_agg(
               CASE
                   WHEN r.reason IS NOT NULL THEN (
                       SELECT string_agg(s.wallet, ',') FROM core.suggest_wallets(
                           p_account => t.account, p_phone => t.payer, p_phone_hash => t.hash
                       ) AS s
                   )
               END ORDER BY t.ord
           )
      INTO wallets, phones, reasons, suggestions
      FROM unnest(p_accounts, p_payers, p_hashes) WITH ORDINALITY AS t (account, payer, hash, ord)
     CROSS JOIN LATERAL core.route_account(t.account) AS r;
END
$$;

-- What each payment of a batch became when it was not simply posted. For services.record_deposits, after its log rows.
--
-- A receipt that was there before, in the table or earlier in the batch, is compared with what is recorded of it; a
-- transaction without its log row (a database from before the ledger) by its amount.
--
-- p_receipts: NULL for what is no receipt. p_outcomes: of the door. p_held: the ids of what is held. p_logged: receipts
--             that are in the log and were never posted.
CREATE OR REPLACE FUNCTION services.compare_deposits(
    p_receipts text[], p_amounts numeric[], p_short_codes text[], p_outcomes text[], p_held uuid[], p_logged text[]
)
RETURNS text[]
LANGUAGE plpgsql
STABLE
AS $$
BEGIN
    RETURN (
        SELECT array_agg(
                   CASE
                       WHEN t.held IS NOT NULL THEN 'held'
                       WHEN t.receipt IS NULL THEN 'refused'
                       WHEN x.id IS NULL AND l.outcome = 'HELD' THEN CASE
                           WHEN l.amount = t.amount AND l.short_code = t.short_code THEN 'duplicate'
                           ELSE 'conflict'
                       END
                       WHEN x.id IS NULL AND t.receipt = ANY (p_logged) THEN 'conflict'
                       WHEN t.door_outcome NOT IN ('exists', 'exists_different') THEN t.door_outcome
                       WHEN x.amount = t.amount AND x.type = 'DEPOSIT'
                            AND coalesce(l.short_code, t.short_code) = t.short_code THEN 'duplicate'
                       ELSE 'conflict'
                   END ORDER BY t.ord
               )
          FROM unnest(p_receipts, p_amounts, p_short_codes, p_outcomes, p_held)
               WITH ORDINALITY AS t (receipt, amount, short_code, door_outcome, held, ord)
          LEFT JOIN core.transactions x ON x.reference = t.receipt AND x.reference = ANY (p_receipts)
          LEFT JOIN services.mpesa_logs l ON l.mpesa_receipt = t.receipt AND l.mpesa_receipt = ANY (p_receipts)
    );
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
    p_credited      text[],
    p_balances      numeric[]
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $$
BEGIN
    INSERT INTO services.sms_logs (
        id, recipient, recipient_hash, message, status, phase, error_code, error_message, created_at, next_attempt_at,
        transaction_reference, template, language
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
           p_now, p_now, t.receipt, t.template, t.language
      FROM (
        SELECT r.*,
               -- A holder's number was checked when it was written.
               r.template = 'deposit' AND r.recipient IS NOT NULL
                   OR coalesce(r.recipient ~ '^[0-9]{9,15}$', false) AS is_number,
               r.recipient IS NULL AND length(r.phone_hash) = 64 AS is_hash
          FROM (
            SELECT p.id, p.receipt, p.amount, p.credited, p.balance, p.phone_hash, p.payer_name,
                   CASE WHEN p.credited = 'SUSPENSE' THEN 'deposit_suspense' ELSE 'deposit' END AS template,
                   CASE WHEN p.credited = 'SUSPENSE' THEN 'en' ELSE p.language END AS language,
                   CASE
                       WHEN p.credited <> 'SUSPENSE' THEN p.holder_phone
                       WHEN p.payer_phone IS NULL AND p.phone_hash IS NOT NULL THEN core.phone_of_hash(p.phone_hash)
                       ELSE p.payer_phone
                   END AS recipient
              FROM unnest(
                p_ids, p_receipts, p_amounts, p_payer_phones, p_phone_hashes, p_payer_names, p_holder_phones,
                p_languages, p_credited, p_balances
              ) AS p (
                id, receipt, amount, payer_phone, phone_hash, payer_name, holder_phone, language, credited, balance
              )
             WHERE p.id IS NOT NULL
          ) r
      ) t
      LEFT JOIN services.sms_templates m
        ON m.key = t.template AND m.language = t.language AND m.key IN ('deposit', 'deposit_suspense')
     WHERE t.recipient IS NOT NULL OR t.phone_hash IS NOT NULL;
END
$$;

-- Which payments of a batch may be posted. For services.record_deposits, before the door.
--
-- p_max: the largest amount that is posted without a person.
--
-- After: is_plain when all may be, as nearly always; then receipts and amounts are as given. Otherwise receipts has NULL
--        for what is no receipt, and amounts NULL for what is not to be posted. logged has the receipts that are in the
--        log and were never posted, NULL for none.
CREATE OR REPLACE FUNCTION services.screen_deposits(
    p_receipts text[], p_amounts numeric[], p_max numeric, p_is_release boolean,
    OUT receipts text[], OUT amounts numeric[], OUT logged text[], OUT is_plain boolean
)
LANGUAGE plpgsql
STABLE
AS $$
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
    v_screened    record; -- receipts, amounts, logged and is_plain: see services.screen_deposits
    v_post        record; -- what the door answered
    v_held        uuid[]; -- for what is held, the id of its rows
    v_outcomes    text[];
BEGIN
    -- ---- 1. Routing: the wallet that each account means ----

    -- Nearly all accounts are a wallet's number exactly; only for a batch with another one are the other ways tried.
    SELECT array_agg(w.id::text ORDER BY t.ord), array_agg(w.phone::text ORDER BY t.ord),
           array_agg(w.language::text ORDER BY t.ord)
      INTO v_targets, v_phones, v_languages
      FROM unnest(p_accounts) WITH ORDINALITY AS t (account, ord)
      LEFT JOIN core.wallets w ON w.id = t.account AND w.kind = 'CUSTOMER' AND w.id = ANY (p_accounts);
    IF array_position(v_targets, NULL) IS NOT NULL THEN
        SELECT r.wallets, r.phones, r.reasons, r.suggestions
          INTO v_targets, v_phones, v_reasons, v_suggestions
          FROM core.route_accounts(p_accounts => p_accounts, p_payers => p_phones, p_hashes => p_phone_hashes) AS r;
        SELECT array_agg(w.language::text ORDER BY t.ord)
          INTO v_languages
          FROM unnest(v_targets) WITH ORDINALITY AS t (wallet, ord)
          LEFT JOIN core.wallets w ON w.id = t.wallet AND w.id = ANY (v_targets);
        v_targets := array_replace(v_targets, NULL, c_suspense);
    END IF;

    -- ---- 2. Posting: what may be posted goes through the door ----

    SELECT * INTO v_screened
      FROM services.screen_deposits(
        p_receipts => p_receipts, p_amounts => p_amounts, p_max => v_max, p_is_release => p_is_release
      );
    SELECT * INTO v_post
      FROM core.post_transactions(
        p_references => p_receipts, p_types => array_fill('DEPOSIT'::text, ARRAY[n]),
        p_debits => array_fill('MPESA-FLOAT'::text, ARRAY[n]), p_credits => v_targets,
        p_fallbacks => array_fill(c_suspense, ARRAY[n]), p_amounts => v_screened.amounts,
        p_currencies => array_fill('KES'::text, ARRAY[n])
      );
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
        short_code, account, paid_at, phone_hash, payer_name, outcome, reason, suggestions, wallet_id
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
           t.credited
      FROM unnest(
        v_post.ids, p_receipts, p_amounts, p_short_codes, p_accounts, p_paid_at, p_phones, p_phone_hashes, p_names,
        p_payloads, p_body_starts, p_body_lengths, v_reasons, v_suggestions, v_post.reasons, v_post.credited, v_held
      ) AS t (
        id, receipt, amount, short_code, account, paid_at, phone, phone_hash, payer_name,
        payload, first, length, reason, suggestions, door_reason, credited, held
      )
     WHERE (t.id IS NOT NULL OR t.held IS NOT NULL) AND NOT p_is_release;

    PERFORM services.queue_deposit_sms(
        p_now => v_now, p_ids => v_post.ids, p_receipts => p_receipts, p_amounts => p_amounts,
        p_payer_phones => p_phones, p_phone_hashes => p_phone_hashes, p_payer_names => p_names,
        p_holder_phones => v_phones, p_languages => v_languages,
        p_credited => v_post.credited, p_balances => v_post.credit_balances
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
        id, kind, receipt, outcome, error, source, body, received_at, amount, short_code
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
           CASE WHEN t.outcome = 'conflict' THEN t.amount END, CASE WHEN t.outcome = 'conflict' THEN t.short_code END
      FROM unnest(
        v_post.ids, v_screened.receipts, p_kinds, p_sources, p_body_starts, p_body_lengths, v_reasons, v_outcomes,
        v_post.reasons, v_post.credited, v_held, p_amounts, p_short_codes
      ) WITH ORDINALITY AS t (
        id, receipt, kind, source, first, length, reason, outcome, door_reason, credited, held, amount, short_code, ord
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
        v_post.reasons, v_post.credited, v_post.credit_balances, v_post.hashes, v_screened.receipts
      ) WITH ORDINALITY AS t (
        id, amount, short_code, reason, suggestions, outcome, door_reason, credited, balance, hash, receipt, ord
      )
     WHERE t.outcome IN ('created', 'refused', 'held');

    IF 'duplicate' = ANY (v_outcomes) OR 'conflict' = ANY (v_outcomes) THEN
        RETURN QUERY
        SELECT t.ord::integer, t.outcome,
               CASE
                   WHEN x.id IS NULL THEN lower(l.outcome)
                   WHEN x.credit_wallet_id = c_suspense THEN 'suspense'
                   ELSE 'credited'
               END,
               l.reason::text, array_to_string(l.suggestions, ','),
               x.credit_wallet_id::text, x.id, coalesce(x.amount, l.amount), x.credit_balance_after,
               x.created_at::timestamp, x.verification_hash::text, l.short_code::text
          FROM unnest(p_receipts, v_outcomes) WITH ORDINALITY AS t (receipt, outcome, ord)
          LEFT JOIN core.transactions x ON x.reference = t.receipt AND x.reference = ANY (p_receipts)
          LEFT JOIN services.mpesa_logs l ON l.mpesa_receipt = t.receipt AND l.mpesa_receipt = ANY (p_receipts)
         WHERE t.outcome IN ('duplicate', 'conflict');
    END IF;
END
$$;

-- What a person decides about a payment that is kept and not posted: one above the limit, or one that was logged and
-- has no transaction. It is posted as any other payment is, once, or put aside.
--
-- p_decision: RELEASED or REJECTED. Who was put aside can be released later; what is posted stays posted.
-- p_key, p_digest: as for core.reverse_transaction.
-- After: outcome 'posted' (or 'noted', for a rejection), 'replayed' when it was decided so before or the key was used for
--        this very request, 'key_reused', or 'refused' with reason: unknown_transaction (no such payment was ever
--        logged), already_posted, invalid_amount. reference is the receipt.
CREATE OR REPLACE FUNCTION services.release_deposit(
    p_receipt text, p_decision text, p_by text, p_reason text, p_key text, p_digest text,
    OUT outcome text, OUT reason text
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    l        services.mpesa_logs;
    v_last   text;
    v_id     uuid;
    v_result text;
BEGIN
    -- Two people who decide about one payment decide one after the other.
    PERFORM pg_advisory_xact_lock(hashtextextended('services.mpesa_decisions ' || p_receipt, 0));
    outcome := core.find_request(p_key => p_key, p_digest => p_digest);
    IF outcome = 'replayed' THEN
        SELECT q.reason INTO reason FROM core.requests q WHERE q.idempotency_key = p_key;
    END IF;
    IF outcome IS NOT NULL THEN
        RETURN;
    END IF;

    SELECT * INTO l FROM services.mpesa_logs x WHERE x.mpesa_receipt = p_receipt;
    SELECT d.decision INTO v_last
      FROM services.mpesa_decisions d
     WHERE d.receipt = p_receipt AND d.decision IN ('RELEASED', 'REJECTED')
     ORDER BY d.id DESC
     LIMIT 1;
    outcome := CASE WHEN v_last = p_decision THEN 'replayed' END;
    reason := CASE
        WHEN outcome IS NOT NULL THEN NULL
        WHEN l.id IS NULL THEN 'unknown_transaction'
        WHEN EXISTS (SELECT FROM core.transactions t WHERE t.reference = p_receipt) THEN 'already_posted'
        WHEN p_decision = 'RELEASED' AND l.amount > 1000000000000 THEN 'invalid_amount'
    END;
    IF reason IS NOT NULL THEN
        outcome := 'refused';
        PERFORM core.refuse_request(p_key => p_key, p_digest => p_digest, p_reason => reason);
        RETURN;
    END IF;

    IF outcome IS NULL THEN
        outcome := CASE WHEN p_decision = 'RELEASED' THEN 'posted' ELSE 'noted' END;
        IF p_decision = 'RELEASED' THEN
            SELECT r.outcome INTO v_result
              FROM services.record_deposits(
                  p_receipts => ARRAY[l.mpesa_receipt::text], p_amounts => ARRAY[l.amount],
                  p_short_codes => ARRAY[coalesce(l.short_code, '')::text],
                  p_accounts => ARRAY[coalesce(l.account, '')], p_paid_at => ARRAY[l.paid_at],
                  p_phones => ARRAY[l.phone::text], p_phone_hashes => ARRAY[l.phone_hash::text],
                  p_names => ARRAY[l.payer_name], p_payloads => ARRAY['{}'], p_kinds => ARRAY['RELEASE'],
                  p_sources => ARRAY[NULL]::text[], p_body_starts => ARRAY[1],
                  p_body_lengths => ARRAY[octet_length(convert_to(p_by, 'UTF8'))],
                  p_bodies => convert_to(p_by, 'UTF8'), p_is_release => true
              ) AS r;
            IF v_result NOT IN ('credited', 'suspense') THEN
                RAISE EXCEPTION 'the payment was not posted: %', v_result USING ERRCODE = '40001';
            END IF;
        END IF;
        SELECT c.id INTO v_id
          FROM services.mpesa_callbacks c
         WHERE c.receipt = p_receipt AND c.outcome = 'HELD';
        PERFORM set_config('daftari.door', 'open', true);
        INSERT INTO services.mpesa_decisions (callback_id, receipt, decision, reason, decided_by)
        VALUES (v_id, p_receipt, p_decision, p_reason, p_by);
    END IF;
    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO core.requests (idempotency_key, digest, outcome, reference)
    VALUES (p_key, p_digest, 'POSTED', p_receipt);
    PERFORM set_config('daftari.door', '', true);
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
    PERFORM core.lock_wallets(ARRAY[t.credit_wallet_id, 'MPESA-FLOAT']);
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
            c.outcome <> 'CONFLICT' OR v_more IS NULL OR t.credit_wallet_id = 'SUSPENSE'
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

-- Puts a message into the inbox that moves no money: one that cannot be understood, that only asked, or whose recording
-- failed. After: the id of its row.
CREATE OR REPLACE FUNCTION services.store_callback(
    p_kind text, p_receipt text, p_outcome text, p_error text, p_source text, p_body bytea
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
    INSERT INTO services.mpesa_callbacks (kind, receipt, outcome, error, source, body)
    VALUES (p_kind, p_receipt, p_outcome, p_error, p_source, p_body)
    RETURNING id INTO v_id;
    PERFORM set_config('daftari.door', '', true);
    RETURN v_id;
END
$$;

-- ==== end of functions ====

CREATE TRIGGER mpesa_logs_through_the_door BEFORE INSERT ON services.mpesa_logs
    FOR EACH STATEMENT WHEN (current_setting('daftari.door', true) IS DISTINCT FROM 'open')
    EXECUTE FUNCTION core.refuse_write('Call services.record_deposits, or recordDeposit in @repo/db: a receipt that is logged by hand is never credited.');
CREATE TRIGGER mpesa_logs_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON services.mpesa_logs
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is the record of what M-PESA reported; use a fresh database for trials.');
CREATE TRIGGER mpesa_callbacks_through_the_door BEFORE INSERT ON services.mpesa_callbacks
    FOR EACH STATEMENT WHEN (current_setting('daftari.door', true) IS DISTINCT FROM 'open')
    EXECUTE FUNCTION core.refuse_write('Call services.store_callback, or storeCallback in @repo/db.');
CREATE TRIGGER mpesa_callbacks_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON services.mpesa_callbacks
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is the record of what reached us; use a fresh database for trials.');
CREATE TRIGGER mpesa_decisions_through_the_door BEFORE INSERT ON services.mpesa_decisions
    FOR EACH STATEMENT WHEN (current_setting('daftari.door', true) IS DISTINCT FROM 'open')
    EXECUTE FUNCTION core.refuse_write('Call services.release_deposit or services.resolve_callback, or releaseDeposit and resolveCallback in @repo/db.');
CREATE TRIGGER mpesa_decisions_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON services.mpesa_decisions
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is the record of who decided about a payment, and why.');
