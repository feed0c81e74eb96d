-- Before: money that a confirmation put into another wallet than the one that was asked for stays there; who assigned a payment
--         is not kept; a masked number suggests nobody; a deposit that does not name its payment leaves it open.
-- After:  a person moves it in one step (services.correct_payment); assignments have their decisions, with or without a reason;
--         wallets_mask_idx finds wallets by the end of a number and a word of a name, as suggestions; a deposit settles the
--         payment that it can be the money of, and a payment in suspense has one message.

-- AlterTable
ALTER TABLE "services"."mpesa_decisions" ALTER COLUMN "reason" DROP NOT NULL;
ALTER TABLE services.mpesa_decisions
    DROP CONSTRAINT mpesa_decisions_decision_check,
    ADD CONSTRAINT mpesa_decisions_decision_check CHECK (
        decision IN (
            'KEPT', 'CORRECTED', 'REPLAYED', 'RELEASED', 'REJECTED', 'REFUND', 'NO_REFUND', 'ASSIGNED', 'MOVED'
        )
    ),
    ADD CONSTRAINT mpesa_decisions_reason_check CHECK (reason IS NOT NULL OR decision = 'ASSIGNED');

-- ==== functions: written by db:migration, edit prisma/functions instead ====

DROP FUNCTION core.suggest_wallets(p_account text, p_phone text, p_phone_hash text);

DROP FUNCTION services.replay_callback(p_id uuid, p_by text, p_reason text, p_key text, p_digest text, p_receipt text, p_amount numeric, p_short_code text, p_account text, p_paid_at timestamp without time zone, p_phone text, p_phone_hash text, p_name text, p_payload text, p_body bytea, p_max_amount numeric, OUT outcome text, OUT reason text, OUT receipt text, OUT result text);

-- What a masked number and a name have in common with a wallet, for wallets_mask_idx: each word of the name behind the last
-- three digits of the number. Initials and other short words find nobody.
CREATE OR REPLACE FUNCTION core.mask_words(p_phone text, p_name text)
RETURNS text[]
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $$
    SELECT array_agg(DISTINCT right(p_phone, 3) || w) FROM unnest(core.name_words(p_name)) AS w
     WHERE p_phone ~ '[0-9]{3}$' AND length(w) > 2
$$;

-- Sends the money of a transaction back, whole or up to what is left of it.
--
-- The policy: a reversal never overdraws a wallet. When the money is spent it is refused (insufficient_funds), and
-- somebody decides; part of it can be asked for. A payment is reversed from suspense, or from the wallet that it was credited
-- to, only as long as it has not been assigned to another wallet: afterwards the assignment must be reversed first, or other
-- payers' money would be sent back. And an assignment goes back whole or not at all: a part of a payment would lie in suspense where it can
-- neither be assigned nor sent back.
--
-- p_amount: NULL for all that is left.
-- After: outcome 'posted' and the new reference; 'replayed' with the reference of then (or reason); 'key_reused'; or
--        'refused' with reason: unknown_transaction, not_reversible, already_reversed, exceeds_remaining,
--        not_divisible, already_assigned, or a reason of core.post_transactions.
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
        WHEN t.type = 'DEPOSIT' AND (core.current_assignment(t.reference)).reference IS NOT NULL THEN 'already_assigned'
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
$$;

-- Wallets that the payer of an account may have meant, and why: at most five, the likeliest first, each once.
--
-- reason: near_number         one digit of the number differs, or two neighbours are swapped
--         account_phone       what was typed is the phone number of this wallet, and of others
--         payer_phone         the number that paid is this wallet's, and no other's
--         payer_phone_hash    the same, of a number that came as its hash
--         payer_mask_and_name the number that paid came masked: what is shown of it fits this wallet's number, and a word of
--                             the payer's name is in its holder's
CREATE OR REPLACE FUNCTION core.suggest_wallets(
    p_account text, p_phone text, p_phone_hash text, p_name text DEFAULT NULL
)
RETURNS TABLE (wallet text, reason text)
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
-- It is asked about one payment at a time, and must not read all wallets because there were few when it was planned.
SET enable_seqscan = off
AS $$
    SELECT s.wallet, s.reason
      FROM (
        SELECT c.wallet, (array_agg(c.reason ORDER BY c.rank))[1] AS reason, min(c.rank) AS rank, min(c.place) AS place
          FROM (
            SELECT n.wallet, 'near_number' AS reason, 1 AS rank, 0 AS place
              FROM unnest(core.nearest_wallets(p_account)) AS n (wallet)
             UNION ALL
            SELECT w.id, 'account_phone', 2, 0
              FROM core.wallets w
             WHERE w.phone = core.normalize_phone(regexp_replace(coalesce(p_account, ''), '[\s\u00a0-]', '', 'g'))
               AND w.kind = 'CUSTOMER' AND w.status <> 'CLOSED'
             UNION ALL
            SELECT min(w.id), CASE WHEN p_phone IS NULL THEN 'payer_phone_hash' ELSE 'payer_phone' END, 3, 0
              FROM core.wallets w
             WHERE w.phone = coalesce(
                       core.normalize_phone(p_phone),
                       CASE WHEN p_phone IS NULL AND p_phone_hash IS NOT NULL THEN core.phone_of_hash(p_phone_hash) END
                   )
               AND w.kind = 'CUSTOMER' AND w.status <> 'CLOSED'
            HAVING count(*) = 1
             UNION ALL
            -- The more words fit, the likelier.
            SELECT w.id, 'payer_mask_and_name', 4, -cardinality(ARRAY(
                       SELECT unnest(core.name_words(w.holder_name)) INTERSECT SELECT unnest(core.name_words(p_name))
                   ))
              FROM core.wallets w
             WHERE core.mask_words(p_phone => w.phone, p_name => w.holder_name)
                   && core.mask_words(p_phone => p_phone, p_name => p_name)
               AND p_phone LIKE '%*%' AND w.kind = 'CUSTOMER' AND w.status <> 'CLOSED'
               AND services.may_be_phone(p_phone => w.phone, p_told => p_phone, p_hash => NULL)
          ) c
         GROUP BY c.wallet
         ORDER BY rank, place, c.wallet
         LIMIT 5
      ) s
$$;

-- A person moves the money of a receipt of a payment to the other one of two wallets, once: its messages contradict each other
-- (flagged OTHER_WALLET), and it is where the first of them wanted it. Where that was a confirmation, the money goes to the
-- wallet that the payment was asked for; where it was the payment itself, to the wallet that the confirmation named.
-- It is an assignment like one out of suspense: callers that ask where the money of the receipt is find it by
-- core.current_assignment.
--
-- p_receipt: NULL for the payment's own. p_key, p_digest: as for core.reverse_transaction.
-- Locks: the decisions about the receipt; both wallets, in the one global order; then the payment.
-- After: outcome 'posted', 'replayed' when it is in that wallet already or the key was used for this very request, 'key_reused',
--        or 'refused' with reason: unknown_payment, nothing_to_correct, already_assigned (a person moved it to a third wallet),
--        already_reversed, not_correctable (its amount was corrected), or a reason of core.post_transactions: a correction never
--        overdraws. receipt, reference, source, target and amount say what was moved, now or then.
CREATE OR REPLACE FUNCTION services.correct_payment(
    p_id uuid, p_receipt text, p_by text, p_reason text, p_key text, p_digest text,
    OUT outcome text, OUT reason text, OUT receipt text, OUT reference text, OUT source text, OUT target text,
    OUT amount numeric
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    p          services.mpesa_payments;
    t          core.transactions;
    v_assigned record;
    v_current  text; -- the wallet that it was assigned to
    v_receipt  text;
    v_post     record;
BEGIN
    SELECT * INTO p FROM services.mpesa_payments x WHERE x.id = p_id;
    v_receipt := coalesce(p_receipt, p.receipt);
    -- Two people who decide about one receipt decide one after the other.
    PERFORM pg_advisory_xact_lock(hashtextextended('services.mpesa_decisions ' || coalesce(v_receipt, p_id::text), 0));
    SELECT * INTO t FROM core.transactions x WHERE x.reference = v_receipt AND x.type = 'DEPOSIT';
    target := p.wallet_id;
    IF t.credit_wallet_id = p.wallet_id THEN
        SELECT w.wallet_id INTO target
          FROM services.mpesa_witnesses w
         WHERE w.receipt = v_receipt AND w.wallet_id IS NOT NULL
         ORDER BY w.created_at, w.kind
         LIMIT 1;
    END IF;
    PERFORM core.lock_wallets(ARRAY[target, t.credit_wallet_id]::text[]);
    receipt := v_receipt;
    source := core.account_of(t.credit_wallet_id);
    amount := t.amount;
    outcome := core.find_request(p_key => p_key, p_digest => p_digest);
    IF outcome = 'replayed' THEN
        SELECT q.reason, q.reference INTO reason, reference FROM core.requests q WHERE q.idempotency_key = p_key;
    END IF;
    IF outcome IS NOT NULL THEN
        RETURN;
    END IF;

    SELECT * INTO v_assigned FROM core.current_assignment(v_receipt);
    SELECT x.credit_wallet_id INTO v_current FROM core.transactions x WHERE x.reference = v_assigned.reference;
    reason := CASE
        WHEN p.id IS NULL THEN 'unknown_payment'
        WHEN t.id IS NULL OR source = 'SUSPENSE' OR target IS NULL
             OR NOT EXISTS (
                 SELECT FROM services.mpesa_payment_events e
                  WHERE e.payment_id = p_id AND e.kind = 'OTHER_WALLET' AND e.receipt = v_receipt
             )
             OR EXISTS (SELECT FROM services.mpesa_payments o WHERE o.receipt = v_receipt AND o.id <> p_id)
            THEN 'nothing_to_correct'
        WHEN v_current <> target THEN 'already_assigned'
        WHEN v_current IS NOT NULL THEN NULL
        WHEN core.remaining_of(t.id) < t.amount THEN 'already_reversed'
        WHEN EXISTS (SELECT FROM core.transactions x WHERE x.reference = 'CR-' || v_receipt) THEN 'not_correctable'
    END;
    IF reason IS NULL AND v_current IS NOT NULL THEN
        outcome := 'replayed';
        reference := v_assigned.reference;
    ELSIF reason IS NULL THEN
        SELECT * INTO v_post FROM core.post_transactions(
            p_references => ARRAY[v_assigned.next_reference], p_types => ARRAY['ASSIGNMENT'],
            p_debits => ARRAY[t.credit_wallet_id]::text[], p_credits => ARRAY[target]::text[], p_fallbacks => NULL,
            p_amounts => ARRAY[t.amount], p_currencies => ARRAY[t.currency::text],
            p_narratives => ARRAY['Correction: M-PESA payment ' || v_receipt || ' went to the wrong wallet']
        );
        IF v_post.outcomes[1] NOT IN ('created', 'refused') THEN
            RAISE EXCEPTION 'the correction met another one: %', v_post.outcomes[1] USING ERRCODE = '40001';
        END IF;
        outcome := 'posted';
        reason := v_post.reasons[1];
        reference := v_assigned.next_reference;
    END IF;
    IF reason IS NOT NULL THEN
        outcome := 'refused';
        reference := NULL;
        PERFORM core.refuse_request(p_key => p_key, p_digest => p_digest, p_reason => reason);
        RETURN;
    END IF;

    IF outcome = 'posted' THEN
        PERFORM FROM services.mpesa_payments x WHERE x.id = p_id FOR UPDATE;
        PERFORM services.note_payment(p_id => p_id, p_kind => 'CORRECTED', p_receipt => v_receipt);
    END IF;
    PERFORM set_config('daftari.door', 'open', true);
    IF outcome = 'posted' THEN
        INSERT INTO services.mpesa_decisions (receipt, decision, reason, decided_by, reference)
        VALUES (v_receipt, 'MOVED', p_reason, p_by, v_assigned.next_reference);
        -- What else contradicts something still waits for a person.
        UPDATE services.mpesa_payments x
           SET is_flagged = EXISTS (
                   SELECT FROM services.mpesa_payment_events e
                    WHERE e.payment_id = p_id AND (
                        e.kind IN ('SECOND_RECEIPT', 'OTHER_PAYMENT', 'CONFLICT', 'UNPROVEN', 'NOT_ASSIGNED')
                        OR e.kind = 'OTHER_WALLET' AND NOT EXISTS (
                            SELECT FROM services.mpesa_payment_events c
                             WHERE c.payment_id = p_id AND c.kind = 'CORRECTED' AND c.receipt = e.receipt
                        )
                    )
               ),
               updated_at = clock_timestamp() AT TIME ZONE 'UTC'
         WHERE x.id = p_id;
    END IF;
    INSERT INTO core.requests (idempotency_key, digest, outcome, reference)
    VALUES (p_key, p_digest, 'POSTED', coalesce(reference, v_receipt));
    PERFORM set_config('daftari.door', '', true);
END
$$;

-- A payer whose number came masked could not be told that their payment waits in suspense. Now the whole number is known, and
-- they are told, once.
CREATE OR REPLACE FUNCTION services.tell_masked(p_receipt text, p_phone text)
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE services.sms_logs l
       SET recipient = p_phone, recipient_hash = NULL, status = 'PENDING', phase = 'QUEUED', error_code = NULL,
           error_message = NULL, settled_at = NULL, next_attempt_at = clock_timestamp() AT TIME ZONE 'UTC'
     WHERE l.transaction_reference = p_receipt AND l.template = 'deposit_suspense' AND l.error_code = 'masked_number'
       AND l.attempts = 0 AND l.created_at > (clock_timestamp() AT TIME ZONE 'UTC') - interval '1 hour';
    IF FOUND THEN
        PERFORM pg_notify('daftari_sms', '');
    END IF;
    PERFORM set_config('daftari.door', '', true);
END
$$;

-- The money of a payment that waited in suspense was assigned to its wallet, or could not be (p_reason says why): then it
-- is flagged, and a person decides. A payer who could not be told that it waits, because their number came masked, is told
-- now: the request knows the number.
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
        IF p_reason <> 'already_assigned' AND p_reason <> 'already_reversed' THEN
            PERFORM services.tell_masked(p_receipt => p.receipt, p_phone => p.phone);
        END IF;
    END IF;
END
$$;

-- Settles payments that we asked for by deposits that nobody said were theirs: of such a payment the callback was lost, or comes
-- later, and a confirmation or a pulled row reports its money. For services.follow_deposits.
--
-- Arrays of equal length, one element a payment; p_ids: NULL for what was not posted; p_wallets: who was credited.
-- A deposit settles a payment of the same wallet, amount and short code that has no receipt, whatever was thought of it, when
-- it was paid from two minutes before the request (clocks differ) to an hour after it, its payer's number is told and agrees,
-- and its account is the reference that the prompt showed, or there is none, as at a till: money that was meant for something else
-- must not pay an order. Where two payments may be meant, the callback or M-PESA's answer must say which.
-- What the callback of a request or a proof of M-PESA reports names its payment, and is settled by services.record_payments.
-- Locks: the payments, in order of their ids; the wallets of the batch are locked already.
CREATE OR REPLACE FUNCTION services.settle_by_deposits(
    p_ids uuid[], p_receipts text[], p_kinds text[], p_amounts numeric[], p_short_codes text[], p_accounts text[],
    p_paid_at timestamp[], p_phones text[], p_phone_hashes text[], p_wallets text[]
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
-- The settings are those of services.record_deposits, which does without joins of one row at a time: hence the subquery.
AS $$
DECLARE
    v_payments uuid[];
    v_receipts text[];
    v_has_none boolean;
BEGIN
    -- Nearly all deposits are of wallets that were asked for nothing, and this costs less than the question which.
    IF NOT EXISTS (
        SELECT FROM services.mpesa_payments p
         WHERE p.wallet_id = ANY (p_wallets) AND p.receipt IS NULL
           AND p.created_at >= (SELECT min(t.at) FROM unnest(p_paid_at) AS t (at)) - interval '1 hour'
    ) THEN
        RETURN;
    END IF;
    SELECT array_agg(m.payment::uuid ORDER BY m.payment, m.ord), array_agg(m.receipt ORDER BY m.payment, m.ord)
      INTO v_payments, v_receipts
      FROM (
        SELECT t.ord, t.receipt, (
                   SELECT min(p.id::text)
                     FROM services.mpesa_payments p
                    WHERE p.wallet_id = t.wallet
                      AND p.created_at BETWEEN t.paid_at - interval '1 hour' AND t.paid_at + interval '2 minutes'
                      AND p.receipt IS NULL AND p.amount = t.amount AND p.short_code = t.short_code
                      AND (coalesce(t.account, '') = '' OR upper(btrim(t.account)) = upper(p.reference))
                      AND services.may_be_phone(p_phone => p.phone, p_told => t.phone, p_hash => t.phone_hash)
                   HAVING count(*) = 1
               ) AS payment
          FROM unnest(
            p_ids, p_receipts, p_kinds, p_amounts, p_short_codes, p_accounts, p_paid_at, p_phones, p_phone_hashes, p_wallets
          ) WITH ORDINALITY AS t (id, receipt, kind, amount, short_code, account, paid_at, phone, phone_hash, wallet, ord)
         WHERE t.id IS NOT NULL AND t.kind NOT IN ('STK_CALLBACK', 'STATUS_RESULT')
           AND (t.phone IS NOT NULL OR t.phone_hash IS NOT NULL)
      ) m
     WHERE m.payment IS NOT NULL;
    FOR i IN 1 .. coalesce(cardinality(v_payments), 0) LOOP
        SELECT p.receipt IS NULL INTO v_has_none FROM services.mpesa_payments p WHERE p.id = v_payments[i] FOR UPDATE;
        -- Two deposits of one batch may fit: the first one is taken.
        IF v_has_none THEN
            PERFORM services.change_payment(
                p_id => v_payments[i], p_status => 'PAID', p_result_code => '0', p_receipt => v_receipts[i]
            );
            PERFORM services.note_payment(
                p_id => v_payments[i], p_kind => 'PAID', p_reason => 'matched', p_receipt => v_receipts[i]
            );
        END IF;
    END LOOP;
END
$$;

-- Keeps what further messages told of receipts that are recorded, one row for each kind of message: a C2B confirmation knows
-- the account and the name, the callback of a request the whole number. For services.record_deposits.
--
-- Arrays of equal length; p_outcomes as services.record_deposits answers them. A repeat of the message that was recorded
-- first tells nothing new. A message whose account names another wallet than the one that a payment was asked for, and that has
-- its money, flags the payment OTHER_WALLET: the money stays where it is.
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
DECLARE
    v_other record;
BEGIN
    FOR v_other IN
        WITH told AS (
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
            ON CONFLICT (receipt, kind) DO NOTHING
            RETURNING receipt, wallet_id
        )
        SELECT p.id, told.receipt
          FROM told
          JOIN services.mpesa_payments p ON p.receipt = told.receipt AND p.wallet_id <> told.wallet_id
         ORDER BY p.id
    LOOP
        PERFORM FROM services.mpesa_payments p WHERE p.id = v_other.id FOR UPDATE;
        PERFORM services.flag_payment(
            p_id => v_other.id, p_kind => 'OTHER_WALLET', p_reason => NULL, p_receipt => v_other.receipt
        );
    END LOOP;
    -- Flagging has closed it, and the caller has more to write.
    PERFORM set_config('daftari.door', 'open', true);
END
$$;

-- What follows from a batch of payments besides its money: what further messages told of receipts is kept, endpoints learn of
-- what came, and payments that we asked for are settled. For services.record_deposits, which has opened the door.
--
-- Arrays of equal length, one element a payment. p_receipts: NULL for what is no receipt. p_ids: NULL for what was not posted.
-- p_outcomes: as services.compare_deposits says them. p_wallets: who was credited. p_door_reasons, p_reasons (may be NULL): why
-- not who was meant.
CREATE OR REPLACE FUNCTION services.follow_deposits(
    p_receipts text[], p_ids uuid[], p_outcomes text[], p_kinds text[], p_amounts numeric[], p_short_codes text[],
    p_accounts text[], p_paid_at timestamp[], p_phones text[], p_phone_hashes text[], p_names text[], p_wallets text[],
    p_door_reasons text[], p_reasons text[], p_now timestamp
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $$
BEGIN
    IF 'duplicate' = ANY (p_outcomes) OR 'conflict' = ANY (p_outcomes) THEN
        PERFORM services.note_witnesses(
            p_receipts => p_receipts, p_outcomes => p_outcomes, p_kinds => p_kinds, p_amounts => p_amounts,
            p_short_codes => p_short_codes, p_accounts => p_accounts, p_phones => p_phones,
            p_phone_hashes => p_phone_hashes, p_names => p_names
        );
    END IF;
    IF EXISTS (SELECT FROM services.webhooks w WHERE w.status = 'ACTIVE') THEN
        PERFORM services.queue_deposit_webhooks(
            p_receipts => p_receipts, p_amounts => p_amounts, p_short_codes => p_short_codes, p_paid_at => p_paid_at,
            p_outcomes => p_outcomes, p_wallets => p_wallets, p_door_reasons => p_door_reasons, p_reasons => p_reasons,
            p_now => p_now
        );
    END IF;
    PERFORM services.settle_by_deposits(
        p_ids => p_ids, p_receipts => p_receipts, p_kinds => p_kinds, p_amounts => p_amounts,
        p_short_codes => p_short_codes, p_accounts => p_accounts, p_paid_at => p_paid_at, p_phones => p_phones,
        p_phone_hashes => p_phone_hashes, p_wallets => p_wallets
    );
END
$$;

-- Writes down who assigned a payment in suspense, and why, in the statement that assigned it.
--
-- p_reference: of the assignment that was just posted; NULL where none was, and nothing is written.
CREATE OR REPLACE FUNCTION services.note_assignment(p_receipt text, p_reference text, p_by text, p_reason text)
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF p_reference IS NULL THEN
        RETURN;
    END IF;
    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO services.mpesa_decisions (receipt, decision, reason, decided_by, reference)
    VALUES (p_receipt, 'ASSIGNED', p_reason, p_by, p_reference);
    PERFORM set_config('daftari.door', '', true);
END
$$;

-- Takes back a payment that M-PESA took back, as a line of its statements shows it, once.
--
-- The policy: what the customer still has of it is recovered from the wallet that has the payment now, up to what can be
-- spent there; the rest is owed, and stands in RECEIVABLES until somebody collects it. A frozen or closed wallet owes all of
-- it. What waits in suspense goes back whole.
--
-- After: outcome 'posted' with what was recovered and what is owed; 'known' when the line explains a movement already;
--        'left' when less of the payment is left than M-PESA took, so that a person must look, or the line is no such
--        reversal. The line explains the first of the two movements.
CREATE OR REPLACE FUNCTION services.post_mpesa_reversal(
    p_line uuid, OUT outcome text, OUT recovered numeric, OUT owed numeric
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
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
    IF v_wallet IS DISTINCT FROM (
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
    PERFORM services.follow_deposits(
        p_receipts => v_receipts, p_ids => v_ids, p_outcomes => v_outcomes, p_kinds => p_kinds, p_amounts => p_amounts,
        p_short_codes => p_short_codes, p_accounts => p_accounts, p_paid_at => p_paid_at, p_phones => p_phones,
        p_phone_hashes => p_phone_hashes, p_names => p_names, p_wallets => v_accounts,
        p_door_reasons => v_door_reasons, p_reasons => v_reasons, p_now => v_now
    );
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

-- A person has a message of the inbox that waits for one (QUARANTINED or FAILED) taken in again, as it was received or corrected: it
-- reports a payment, and that goes through services.record_payments like any report, once.
--
-- p_id: of the message, whose row stays as it is. p_body: what is taken in now; it gets a row of its own, of the kind REPLAY.
-- p_receipt to p_payload: what p_body says, as services.record_deposits takes it.
-- p_payment to p_checkout: the payment that it settles, and what M-PESA calls it, as services.record_payments takes it.
-- p_key, p_digest: as for core.reverse_transaction.
-- After: outcome 'posted' and result, what became of the payment (credited, suspense, held, duplicate or conflict); 'replayed'
--        when this message was taken in before, with the receipt of that time in receipt; 'key_reused'; or 'refused' with reason:
--        unknown_callback, nothing_to_resolve (no such outcome, or it only asked), already_resolved in another way, or why the
--        payment can be booked nowhere.
CREATE OR REPLACE FUNCTION services.replay_callback(
    p_id uuid, p_by text, p_reason text, p_key text, p_digest text,
    p_receipt text, p_amount numeric, p_short_code text, p_account text, p_paid_at timestamp, p_phone text,
    p_phone_hash text, p_name text, p_payload text, p_body bytea, p_max_amount numeric DEFAULT NULL,
    p_payment uuid DEFAULT NULL, p_merchant text DEFAULT NULL, p_checkout text DEFAULT NULL,
    OUT outcome text, OUT reason text, OUT receipt text, OUT result text
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
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
          FROM services.record_payments(
              p_payments => ARRAY[p_payment], p_merchants => ARRAY[p_merchant], p_checkouts => ARRAY[p_checkout],
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
$$;

-- What a person decides about a message in the inbox that waits for one (CONFLICT, QUARANTINED or FAILED).
--
-- p_decision: KEPT, what is recorded stays as it is and the message needs nobody any more; or CORRECTED, the message is
--         right and the deposit that it contradicts is not: the difference moves between the float and the wallet that
--         was credited, once for each receipt, as CR-<receipt>. A difference in the short code alone moves nothing.
-- p_key, p_digest: as for core.reverse_transaction.
-- After: outcome 'posted', 'noted' when no money moved, 'replayed', 'key_reused', or 'refused' with reason:
--        unknown_callback, nothing_to_resolve (no such outcome), already_resolved, not_correctable (its money went
--        through suspense, was moved to another wallet, was sent back in part, or was corrected before, or there is no deposit), or a reason of
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
            OR core.remaining_of(t.id) < t.amount OR (core.current_assignment(c.receipt)).reference IS NOT NULL
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

-- A payment came into suspense, and its payer could not be told, because their number came masked. It is assigned shortly
-- afterwards, as the money of a till is when the callback of its request comes: the message that waits for a number becomes the
-- one about the assignment, so that each payment has one message. For services.tell_of_transaction.
--
-- After: whether there was such a message. Of older ones the record stays that nobody was told.
CREATE OR REPLACE FUNCTION services.retell_masked(p_assignment core.transactions)
RETURNS boolean
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_now  constant timestamp(3) := clock_timestamp() AT TIME ZONE 'UTC';
    v_id   uuid;
    v_door text;
    v_done boolean;
BEGIN
    SELECT l.id INTO v_id
      FROM services.sms_logs l
     WHERE l.transaction_reference = regexp_replace(p_assignment.reference, '^AS[0-9]*-', '')
       AND l.template = 'deposit_suspense' AND l.error_code = 'masked_number' AND l.attempts = 0
       AND l.created_at > v_now - interval '1 hour';
    IF v_id IS NULL THEN
        RETURN false;
    END IF;
    v_door := coalesce(current_setting('daftari.door', true), '');
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE services.sms_logs l
       SET recipient = w.phone, recipient_hash = NULL, template = 'suspense_assigned', language = w.language, lane = w.lane,
           transaction_reference = p_assignment.reference, status = 'PENDING', phase = 'QUEUED',
           error_code = NULL, error_message = NULL, settled_at = NULL, next_attempt_at = v_now,
           message = services.sms_text(
               p_formats => m.formats, p_language => w.language, p_reference => p_assignment.reference,
               p_amount => p_assignment.amount, p_currency => p_assignment.currency, p_wallet => w.id,
               p_name => core.account_of(p_assignment.debit_wallet_id), p_balance => p_assignment.credit_balance_after
           )
      FROM core.wallets w
      LEFT JOIN services.sms_templates m ON m.key = 'suspense_assigned' AND m.language = w.language
     WHERE l.id = v_id AND w.id = p_assignment.credit_wallet_id AND w.phone IS NOT NULL;
    v_done := FOUND;
    PERFORM set_config('daftari.door', v_door, true);
    RETURN v_done;
END
$$;

-- A receipt of a payment was recorded; this says what that means for the payment. For services.record_payments.
--
-- p_outcome, p_original, p_wallet: of services.record_deposits. The first receipt settles the payment, whatever was thought
-- of it. What does not agree with what we asked for moves no money and is flagged:
--   SECOND_RECEIPT    it had a receipt before: this is a second deposit
--   OTHER_PAYMENT     another payment of ours has this receipt
--   OTHER_WALLET      the receipt was credited to another wallet before; its money stays there. What comes later and names
--                     another wallet is flagged by services.note_witnesses
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
    PERFORM services.name_payment(
        p_id => p_id, p_merchant_request_id => p_merchant_request_id, p_checkout_request_id => p_checkout_request_id
    );
    IF p.id IS NULL OR p.receipt = p_receipt THEN
        RETURN;
    END IF;
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

-- Trigger function: a reversal and an assignment are told to the customers whose wallets they touch, whichever way they
-- were posted. They are rare; deposits and transfers are told by the functions that record them, a batch at a time.
CREATE OR REPLACE FUNCTION services.tell_of_transaction()
RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
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
    ELSIF core.account_of(NEW.debit_wallet_id) <> 'SUSPENSE' THEN
        -- A payment that was credited to the wrong wallet. Whose that was concerns neither.
        PERFORM services.queue_movement_sms(
            p_templates => ARRAY['reversal_debit', 'deposit'],
            p_wallets => ARRAY[NEW.debit_wallet_id, NEW.credit_wallet_id]::text[],
            p_references => ARRAY[NEW.reference, NEW.reference]::text[], p_amounts => ARRAY[NEW.amount, NEW.amount],
            p_currencies => ARRAY[NEW.currency, NEW.currency]::text[], p_others => ARRAY[NULL, NULL]::text[],
            p_balances => ARRAY[NEW.debit_balance_after, NEW.credit_balance_after]
        );
    ELSIF NOT services.retell_masked(p_assignment => NEW) THEN
        PERFORM services.queue_movement_sms(
            p_templates => ARRAY['suspense_assigned'], p_wallets => ARRAY[NEW.credit_wallet_id]::text[],
            p_references => ARRAY[NEW.reference]::text[], p_amounts => ARRAY[NEW.amount],
            p_currencies => ARRAY[NEW.currency]::text[], p_others => ARRAY[NEW.debit_wallet_id]::text[],
            p_balances => ARRAY[NEW.credit_balance_after]
        );
    END IF;
    RETURN NULL;
END
$$;

-- ==== end of functions ====

CREATE INDEX wallets_mask_idx ON core.wallets USING gin (core.mask_words(phone::text, holder_name::text)) WHERE kind = 'CUSTOMER';
