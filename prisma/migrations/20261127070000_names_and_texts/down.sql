-- Any text is a name again, and texts are part of the function; texts that were changed are lost.

DROP FUNCTION services.set_sms_template(text, text, text, text, text);
DROP FUNCTION services.queue_movement_sms(text[], text[], text[], numeric[], text[], text[], numeric[], text[], smallint[]);
DROP TABLE "services"."sms_last_told";
DROP TABLE "services"."sms_template_changes";
DROP TABLE "services"."sms_templates";
DROP FUNCTION services.guard_sms_templates();
DROP FUNCTION services.sms_template_fault(text, text, text);
DROP FUNCTION services.sample_sms(text, text, text);
DROP FUNCTION services.sms_text(text[], text, text, numeric, text, text, text, numeric, text);
DROP FUNCTION services.sms_name(text);
DROP FUNCTION services.sms_reason(text, text);
DROP FUNCTION services.compile_sms_template(text);
DROP FUNCTION services.sms_placeholders(text);

-- The text that tells a customer what happened to his money, in English (en) or Swahili (sw).
--
-- Letters, digits and marks of the GSM-7 alphabet only, none of them from its extension, and with facts of the usual
-- lengths one part of 160 characters. A counterparty's name is cut and freed of what would need another alphabet.
--
-- p_template: deposit, deposit_suspense, transfer_out, transfer_in, transfer_refused, withdrawal, reversal_debit,
--             reversal_credit, suspense_assigned. Any other, and any other language, gives a plain sentence in English: news that is
--             worded badly must not undo the money that it tells about, so this never fails and is never NULL.
-- p_other:    the counterparty's name or number. p_balance: after it, NULL to leave it out.
--
-- In plpgsql: as an SQL function it would be started anew for every message, which costs ten times as much.
CREATE OR REPLACE FUNCTION services.sms_text(
    p_template text, p_language text, p_reference text, p_amount numeric, p_currency text, p_wallet text, p_other text,
    p_balance numeric
)
RETURNS text
LANGUAGE plpgsql
IMMUTABLE
AS $$
DECLARE
    c_money     constant text := 'FM99,999,999,999,999,990.00';
    v_reference constant text := coalesce(p_reference, '');
    v_currency  constant text := coalesce(p_currency, 'KES');
    v_money     constant text := v_currency || ' ' || coalesce(to_char(p_amount, c_money), '0.00');
    v_wallet    constant text := coalesce(p_wallet, '');
    v_other     text;
    v_text      text;
BEGIN
    IF p_template IN ('transfer_out', 'transfer_in', 'transfer_refused') THEN
        -- Accents go, and with them what is not a plain letter; of a name in another script nothing is left.
        v_other := coalesce(
            nullif(btrim(left(btrim(regexp_replace(
                CASE WHEN p_other ~ '[^ -~]' THEN normalize(p_other, NFKD) ELSE p_other END,
                '[^A-Za-z0-9 .,''&/()+*:-]', '', 'g'
            )), 25)), ''),
            CASE WHEN p_language = 'sw' THEN 'mteja' ELSE 'a customer' END
        );
    END IF;

    IF p_language = 'sw' THEN
        v_text := CASE p_template
            WHEN 'deposit' THEN v_reference || ' imethibitishwa. Umepokea ' || v_money || ' kwenye pochi ' || v_wallet || '.'
            WHEN 'deposit_suspense' THEN v_reference || ' imethibitishwa. ' || v_money
                || ' zimepokelewa na ziko salama, ila bado hazina pochi. Wasiliana nasi kwa namba hii.'
            WHEN 'transfer_out' THEN v_reference || ' imethibitishwa. Umetuma ' || v_money || ' kwa ' || v_other || '.'
            WHEN 'transfer_in' THEN v_reference || ' imethibitishwa. Umepokea ' || v_money || ' kutoka kwa ' || v_other || '.'
            WHEN 'transfer_refused' THEN v_money || ' kwa ' || v_other || ' hazikutumwa. Pesa haijatoka kwenye pochi yako.'
            WHEN 'withdrawal' THEN v_reference || ' imethibitishwa. ' || v_money || ' zimetolewa kutoka pochi yako ' || v_wallet || '.'
            WHEN 'reversal_debit' THEN v_reference || ' imethibitishwa. ' || v_money || ' zimerudishwa kutoka pochi yako ' || v_wallet || '.'
            WHEN 'reversal_credit' THEN v_reference || ' imethibitishwa. ' || v_money || ' zimerudishwa kwenye pochi yako ' || v_wallet || '.'
            WHEN 'suspense_assigned' THEN v_reference || ': ' || v_money || ' zilizosubiri sasa ziko kwenye pochi ' || v_wallet || '.'
            ELSE v_reference || ' confirmed. ' || v_money || '.'
        END;
    ELSE
        v_text := CASE p_template
            WHEN 'deposit' THEN v_reference || ' confirmed. ' || v_money || ' received in wallet ' || v_wallet || '.'
            WHEN 'deposit_suspense' THEN v_reference || ' confirmed. ' || v_money
                || ' received and safe, but not in a wallet yet. Contact us with this code.'
            WHEN 'transfer_out' THEN v_reference || ' confirmed. ' || v_money || ' sent to ' || v_other || '.'
            WHEN 'transfer_in' THEN v_reference || ' confirmed. ' || v_money || ' received from ' || v_other || '.'
            WHEN 'transfer_refused' THEN v_money || ' to ' || v_other || ' was not sent. No money has left your wallet.'
            WHEN 'withdrawal' THEN v_reference || ' confirmed. ' || v_money || ' was paid out of your wallet ' || v_wallet || '.'
            WHEN 'reversal_debit' THEN v_reference || ' confirmed. ' || v_money || ' was taken back from your wallet ' || v_wallet || '.'
            WHEN 'reversal_credit' THEN v_reference || ' confirmed. ' || v_money || ' was returned to your wallet ' || v_wallet || '.'
            WHEN 'suspense_assigned' THEN v_reference || ': ' || v_money || ' that waited is now in wallet ' || v_wallet || '.'
            ELSE v_reference || ' confirmed. ' || v_money || '.'
        END;
    END IF;

    IF p_balance IS NULL OR p_template = 'deposit_suspense' THEN
        RETURN v_text;
    END IF;
    RETURN v_text
           || CASE
                  WHEN p_template = 'transfer_refused' THEN CASE WHEN p_language = 'sw' THEN ' Salio ' ELSE ' Balance ' END
                  WHEN p_language = 'sw' THEN ' Salio jipya '
                  ELSE ' New balance '
              END
           || v_currency || ' ' || to_char(p_balance, c_money) || '.';
END
$$;

-- Queues the messages that tell customers about movements of their wallets, in the transaction that moved the money.
--
-- Arrays of equal length, one element a message: to the holder of p_wallets[i], in his language. p_others[i] is the
-- other side of the movement: the text has its holder's name, as customers of mobile money expect once money has
-- moved; where p_names_others is false it has the number alone, for a refusal must not tell whose number it is.
--
-- Before: the movements are made.
-- After:  one PENDING row an element; none for a wallet that is not a customer's.
CREATE OR REPLACE FUNCTION services.queue_movement_sms(
    p_templates    text[],
    p_wallets      text[],
    p_references   text[],
    p_amounts      numeric[],
    p_currencies   text[],
    p_others       text[],
    p_balances     numeric[],
    p_names_others boolean[],
    p_priorities   smallint[]
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
-- As for core.post_transactions: tables are asked for arrays of keys, and what they answer is joined by hashing.
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_nestloop = off
SET jit = off
AS $$
DECLARE
    v_now   constant timestamp := date_trunc('milliseconds', clock_timestamp() AT TIME ZONE 'UTC');
    v_ms    constant bigint := (extract(epoch FROM v_now) * 1000)::bigint;
    v_all   constant text[] := p_wallets || p_others;
BEGIN
    WITH party AS MATERIALIZED (
        SELECT w.id::text, w.kind, w.phone, w.holder_name, w.language::text
          FROM core.wallets w
         WHERE w.id = ANY (v_all)
    )
    INSERT INTO services.sms_logs (
        id, recipient, message, status, created_at, next_attempt_at, transaction_reference, template, language, priority
    )
    SELECT core.uuid_v7(v_ms, t.ord::integer & 4095), p.phone,
           services.sms_text(
               t.template, p.language, t.reference, t.amount, t.currency, t.wallet,
               CASE WHEN t.names_other AND o.kind = 'CUSTOMER' THEN o.holder_name ELSE t.other END, t.balance
           ),
           'PENDING', v_now, v_now, t.reference, t.template, p.language, t.priority
      FROM unnest(
        p_templates, p_wallets, p_references, p_amounts, p_currencies, p_others, p_balances, p_names_others, p_priorities
      ) WITH ORDINALITY
        AS t (template, wallet, reference, amount, currency, other, balance, names_other, priority, ord)
      JOIN party p ON p.id = t.wallet
      LEFT JOIN party o ON o.id = t.other
     WHERE p.kind = 'CUSTOMER' AND p.phone IS NOT NULL;
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
-- As for core.post_transactions: tables are asked for arrays of keys, and what they answer is joined by hashing.
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_nestloop = off
SET jit = off
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
    v_languages text[];
    v_suggestions text[]; -- wallet numbers joined by commas, NULL for none
    v_outcomes text[];
    v_logged   text[]; -- receipts with a log row and no transaction
    v_post    record;
BEGIN
    -- Nearly everybody types the number exactly; who did not is looked for in the other ways.
    SELECT array_agg(w.id::text ORDER BY t.ord), array_agg(w.phone::text ORDER BY t.ord),
           array_agg(w.language::text ORDER BY t.ord)
      INTO v_targets, v_phones, v_languages
      FROM unnest(p_accounts) WITH ORDINALITY AS t (account, ord)
      LEFT JOIN core.wallets w ON w.id = t.account AND w.kind = 'CUSTOMER' AND w.id = ANY (p_accounts);
    IF array_position(v_targets, NULL) IS NOT NULL THEN
        SELECT r.wallets, r.phones, r.reasons, r.suggestions
          INTO v_targets, v_phones, v_reasons, v_suggestions
          FROM core.route_accounts(p_accounts) AS r;
        SELECT array_agg(w.language::text ORDER BY t.ord)
          INTO v_languages
          FROM unnest(v_targets) WITH ORDINALITY AS t (wallet, ord)
          LEFT JOIN core.wallets w ON w.id = t.wallet AND w.id = ANY (v_targets);
        v_targets := array_replace(v_targets, NULL, c_suspense);
    END IF;

    -- Rows that are older than the ledger, from a database that logged payments and credited them in another way: to
    -- credit them now could be once too often. Nothing adds such rows any more, so they can be read before the locks.
    SELECT array_agg(l.mpesa_receipt::text)
      INTO v_logged
      FROM services.mpesa_logs l
     WHERE l.outcome IS NULL AND l.mpesa_receipt = ANY (p_receipts);
    IF v_logged IS NOT NULL THEN
        SELECT array_agg(l.receipt)
          INTO v_logged
          FROM unnest(v_logged) AS l (receipt)
          LEFT JOIN core.transactions x ON x.reference = l.receipt AND x.reference = ANY (v_logged)
         WHERE x.id IS NULL;
    END IF;

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

    -- The holder of the wallet is told, or, when the money waits, the payer. One whose number came as a hash is told
    -- where the provider accepts hashes; a masked number cannot be sent to, and the row says so.
    INSERT INTO services.sms_logs (
        id, recipient, recipient_hash, message, status, phase, error_code, error_message, created_at, next_attempt_at,
        transaction_reference, template, language
    )
    SELECT t.id, CASE WHEN t.is_number THEN t.recipient END, CASE WHEN t.is_hash THEN t.phone_hash END,
           services.sms_text(
               t.template, t.language, t.receipt, t.amount, 'KES', t.credited, NULL,
               CASE WHEN t.template = 'deposit' THEN t.balance END
           ),
           CASE WHEN t.is_number OR t.is_hash THEN 'PENDING' ELSE 'FAILED' END,
           CASE WHEN t.is_number OR t.is_hash THEN 'QUEUED' ELSE 'DONE' END,
           CASE WHEN t.is_number OR t.is_hash THEN NULL ELSE 'masked_number' END,
           CASE
               WHEN t.is_number OR t.is_hash THEN NULL
               ELSE 'M-PESA masks the payer''s number: he cannot be told that his money waits until he asks.'
           END,
           v_now, v_now, t.receipt, t.template, t.language
      FROM (
        SELECT r.*, coalesce(r.recipient ~ '^[0-9]{9,15}$', false) AS is_number,
               r.recipient IS NULL AND length(r.phone_hash) = 64 AS is_hash
          FROM (
            SELECT p.id, p.receipt, p.amount, p.credited, p.balance, p.phone_hash,
                   CASE WHEN p.credited = c_suspense THEN 'deposit_suspense' ELSE 'deposit' END AS template,
                   CASE WHEN p.credited = c_suspense THEN 'en' ELSE p.language END AS language,
                   CASE
                       WHEN p.credited <> c_suspense THEN p.holder_phone
                       WHEN p.payer_phone IS NULL AND p.phone_hash IS NOT NULL THEN core.phone_of_hash(p.phone_hash)
                       ELSE p.payer_phone
                   END AS recipient
              FROM unnest(
                v_post.ids, p_receipts, p_amounts, p_phones, p_phone_hashes, v_phones, v_languages, v_post.credited,
                v_post.credit_balances
              ) AS p (id, receipt, amount, payer_phone, phone_hash, holder_phone, language, credited, balance)
             WHERE p.id IS NOT NULL
          ) r
      ) t
     WHERE t.recipient IS NOT NULL OR t.phone_hash IS NOT NULL;

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
          LEFT JOIN core.transactions x ON x.reference = t.receipt AND x.reference = ANY (p_receipts)
          LEFT JOIN services.mpesa_logs l ON l.mpesa_receipt = t.receipt AND l.mpesa_receipt = ANY (p_receipts);
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
          LEFT JOIN core.transactions x ON x.reference = t.receipt AND x.reference = ANY (p_receipts)
          LEFT JOIN services.mpesa_logs l ON l.mpesa_receipt = t.receipt AND l.mpesa_receipt = ANY (p_receipts)
         WHERE t.outcome IN ('duplicate', 'conflict');
    END IF;
END
$$;

-- core.record_transfers, and the customers are told: both sides of a transfer, and the sender when his was refused.
--
-- p_notify[i]: false for a transfer that nobody shall hear of. A refusal is told as what can wait, and only where
--              the customer asked for something sensible: not for an amount or a pair of wallets that could never be.
CREATE OR REPLACE FUNCTION services.record_transfers(
    p_keys       text[],
    p_digests    text[],
    p_references text[],
    p_debits     text[],
    p_credits    text[],
    p_amounts    numeric[],
    p_currencies text[],
    p_narratives text[],
    p_notify     boolean[]
)
RETURNS TABLE (
    ord integer, outcome text, reason text, reference text, transaction_id uuid, amount numeric, fee numeric,
    balance_after numeric, created_at timestamp, verification_hash text
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    v_done record;
    v_news record;
BEGIN
    SELECT *
      INTO v_done
      FROM core.record_transfers(
        p_keys, p_digests, p_references, p_debits, p_credits, p_amounts, p_currencies, p_narratives
      );

    IF true = ANY (p_notify) THEN
        SELECT array_agg(n.template) AS templates, array_agg(n.wallet) AS wallets, array_agg(n.reference) AS refs,
               array_agg(t.amount) AS amounts, array_agg(t.currency) AS currencies, array_agg(n.other) AS others,
               array_agg(n.balance) AS balances, array_agg(n.names_other) AS names_others,
               array_agg(n.priority::smallint) AS priorities
          INTO v_news
          FROM unnest(
            p_debits, p_credits, p_amounts, p_currencies, p_notify, v_done.outcomes, v_done.reasons, v_done.refs,
            v_done.balances, v_done.credit_balances
          ) AS t (debit, credit, amount, currency, notify, outcome, reason, reference, balance, credit_balance)
         CROSS JOIN LATERAL (
            VALUES ('transfer_out', 'posted', t.debit, t.credit, t.reference, t.balance, true, 0),
                   ('transfer_in', 'posted', t.credit, t.debit, t.reference, t.credit_balance, true, 0),
                   ('transfer_refused', 'refused', t.debit, t.credit, NULL, NULL, false, 1)
         ) AS n (template, outcome, wallet, other, reference, balance, names_other, priority)
         WHERE t.notify AND n.outcome = t.outcome
           AND (t.reason IS NULL OR t.reason NOT IN ('invalid_amount', 'same_wallet'));
        IF v_news.templates IS NOT NULL THEN
            PERFORM services.queue_movement_sms(
                v_news.templates, v_news.wallets, v_news.refs, v_news.amounts, v_news.currencies, v_news.others,
                v_news.balances, v_news.names_others, v_news.priorities
            );
        END IF;
    END IF;

    RETURN QUERY
    SELECT t.ord::integer, t.outcome, t.reason, t.reference, t.id, t.amount, t.fee, t.balance, t.created_at, t.hash
      FROM unnest(
        v_done.outcomes, v_done.reasons, v_done.refs, v_done.ids, p_amounts, v_done.fees, v_done.balances,
        v_done.times, v_done.hashes
      ) WITH ORDINALITY AS t (outcome, reason, reference, id, amount, fee, balance, created_at, hash, ord);
END
$$;

-- Trigger function: what is paid out of a hold is told to the customers whose wallets it touches, whichever way it was
-- captured. Its fee is posted by then, so what the wallets have now is what is left in them.
CREATE OR REPLACE FUNCTION services.tell_of_capture()
RETURNS trigger
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t core.transactions;
BEGIN
    SELECT * INTO t FROM core.transactions x WHERE x.reference = NEW.capture_reference;
    PERFORM services.queue_movement_sms(
        ARRAY[CASE t.type WHEN 'WITHDRAWAL' THEN 'withdrawal' ELSE 'transfer_out' END, 'transfer_in'],
        ARRAY[t.debit_wallet_id, t.credit_wallet_id]::text[], ARRAY[t.reference, t.reference]::text[],
        ARRAY[t.amount, t.amount], ARRAY[t.currency, t.currency]::text[],
        ARRAY[t.credit_wallet_id, t.debit_wallet_id]::text[],
        ARRAY[
            (SELECT w.balance FROM core.wallets w WHERE w.id = t.debit_wallet_id),
            (SELECT w.balance FROM core.wallets w WHERE w.id = t.credit_wallet_id)
        ],
        ARRAY[true, true], ARRAY[0, 0]::smallint[]
    );
    RETURN NULL;
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
            ARRAY['reversal_debit', 'reversal_credit'], ARRAY[NEW.debit_wallet_id, NEW.credit_wallet_id]::text[],
            ARRAY[NEW.reference, NEW.reference]::text[], ARRAY[NEW.amount, NEW.amount],
            ARRAY[NEW.currency, NEW.currency]::text[], ARRAY[NEW.credit_wallet_id, NEW.debit_wallet_id]::text[],
            ARRAY[NEW.debit_balance_after, NEW.credit_balance_after], ARRAY[true, true], ARRAY[0, 0]::smallint[]
        );
    ELSE
        PERFORM services.queue_movement_sms(
            ARRAY['suspense_assigned'], ARRAY[NEW.credit_wallet_id]::text[], ARRAY[NEW.reference]::text[],
            ARRAY[NEW.amount], ARRAY[NEW.currency]::text[], ARRAY[NEW.debit_wallet_id]::text[],
            ARRAY[NEW.credit_balance_after], ARRAY[true], ARRAY[0]::smallint[]
        );
    END IF;
    RETURN NULL;
END
$$;

DROP TRIGGER "wallets_holder_rename" ON "core"."wallets";
DROP TRIGGER "wallets_holder_name" ON "core"."wallets";
DROP FUNCTION core.check_holder_name();
DROP FUNCTION core.is_holder_name(text);
