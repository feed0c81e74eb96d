-- Takes back what people have decided and what only their decisions need. A payment that is held would have no place
-- any more: its log row counts as one that is older than the ledger then.

-- ==== functions: written by db:migration, edit prisma/functions instead ====

DROP FUNCTION core.route_accounts(p_accounts text[], p_payers text[], p_hashes text[], OUT wallets text[], OUT phones text[], OUT reasons text[], OUT suggestions text[]);

DROP FUNCTION services.record_deposits(p_receipts text[], p_amounts numeric[], p_short_codes text[], p_accounts text[], p_paid_at timestamp without time zone[], p_phones text[], p_phone_hashes text[], p_names text[], p_payloads text[], p_kinds text[], p_sources text[], p_body_starts integer[], p_body_lengths integer[], p_bodies bytea, p_max_amount numeric, p_is_release boolean);

CREATE OR REPLACE FUNCTION core.route_accounts(p_accounts text[], OUT wallets text[], OUT phones text[], OUT reasons text[], OUT suggestions text[])
 RETURNS record
 LANGUAGE plpgsql
 STABLE
 SET search_path TO 'pg_catalog', 'pg_temp'
 SET plan_cache_mode TO 'force_generic_plan'
 SET enable_nestloop TO 'on'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
AS $function$
BEGIN
    SELECT array_agg(r.wallet_id ORDER BY t.ord), array_agg(r.phone ORDER BY t.ord), array_agg(r.reason ORDER BY t.ord),
           array_agg(
               CASE
                   WHEN r.reason IN ('wrong_check_digit', 'unknown_account')
                       THEN array_to_string(core.nearest_wallets(t.account), ',')
               END ORDER BY t.ord
           )
      INTO wallets, phones, reasons, suggestions
      FROM unnest(p_accounts) WITH ORDINALITY AS t (account, ord)
     CROSS JOIN LATERAL core.route_account(t.account) AS r;
END
$function$;

CREATE OR REPLACE FUNCTION services.record_deposits(p_receipts text[], p_amounts numeric[], p_short_codes text[], p_accounts text[], p_paid_at timestamp without time zone[], p_phones text[], p_phone_hashes text[], p_names text[], p_payloads text[], p_kinds text[], p_sources text[], p_body_starts integer[], p_body_lengths integer[], p_bodies bytea)
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

    PERFORM set_config('daftari.door', 'open', true);
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
               m.formats, t.language, t.receipt, t.amount, 'KES', t.credited, services.sms_name(t.payer_name),
               CASE WHEN t.template = 'deposit' THEN t.balance END, NULL
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
            SELECT p.id, p.receipt, p.amount, p.credited, p.balance, p.phone_hash, p.payer_name,
                   CASE WHEN p.credited = c_suspense THEN 'deposit_suspense' ELSE 'deposit' END AS template,
                   CASE WHEN p.credited = c_suspense THEN 'en' ELSE p.language END AS language,
                   CASE
                       WHEN p.credited <> c_suspense THEN p.holder_phone
                       WHEN p.payer_phone IS NULL AND p.phone_hash IS NOT NULL THEN core.phone_of_hash(p.phone_hash)
                       ELSE p.payer_phone
                   END AS recipient
              FROM unnest(
                v_post.ids, p_receipts, p_amounts, p_phones, p_phone_hashes, p_names, v_phones, v_languages,
                v_post.credited, v_post.credit_balances
              ) AS p (
                id, receipt, amount, payer_phone, phone_hash, payer_name, holder_phone, language, credited, balance
              )
             WHERE p.id IS NOT NULL
          ) r
      ) t
      LEFT JOIN services.sms_templates m
        ON m.key = t.template AND m.language = t.language AND m.key IN ('deposit', 'deposit_suspense')
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
    PERFORM set_config('daftari.door', '', true);

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
$function$;

DROP FUNCTION core.suggest_wallets(p_account text, p_phone text, p_phone_hash text);

DROP FUNCTION services.release_deposit(p_receipt text, p_decision text, p_by text, p_reason text, p_key text, p_digest text, OUT outcome text, OUT reason text);

DROP FUNCTION services.resolve_callback(p_id uuid, p_decision text, p_by text, p_reason text, p_key text, p_digest text, OUT outcome text, OUT reason text, OUT reference text);

-- ==== end of functions ====

-- What is held counts as logged and not posted, as rows that are older than the ledger do; what was released is what it
-- became.
ALTER TABLE services.mpesa_logs DISABLE TRIGGER mpesa_logs_append_only;
UPDATE services.mpesa_logs l
   SET outcome = CASE t.credit_wallet_id WHEN 'SUSPENSE' THEN 'SUSPENSE' ELSE 'CREDITED' END,
       reason = NULL, wallet_id = t.credit_wallet_id
  FROM core.transactions t
 WHERE t.reference = l.mpesa_receipt AND l.outcome = 'HELD';
UPDATE services.mpesa_logs SET outcome = NULL, reason = NULL WHERE outcome = 'HELD';
ALTER TABLE services.mpesa_logs ENABLE TRIGGER mpesa_logs_append_only;
ALTER TABLE services.mpesa_callbacks DISABLE TRIGGER mpesa_callbacks_append_only;
UPDATE services.mpesa_callbacks SET outcome = 'FAILED' WHERE outcome = 'HELD';
ALTER TABLE services.mpesa_callbacks ENABLE TRIGGER mpesa_callbacks_append_only;

DROP TABLE services.mpesa_decisions;
DROP INDEX services.idx_mpesa_logs_created;
DROP INDEX services.idx_mpesa_logs_unposted;
CREATE INDEX idx_mpesa_logs_unposted ON services.mpesa_logs (mpesa_receipt) WHERE outcome IS NULL;
DROP INDEX services.idx_mpesa_callbacks_attention;
CREATE INDEX idx_mpesa_callbacks_attention ON services.mpesa_callbacks (outcome, received_at)
    WHERE outcome IN ('CONFLICT', 'QUARANTINED', 'FAILED');
ALTER TABLE services.mpesa_callbacks DROP COLUMN short_code, DROP COLUMN amount;
ALTER TABLE services.mpesa_callbacks DROP CONSTRAINT mpesa_callbacks_outcome_check;
ALTER TABLE services.mpesa_callbacks
    ADD CONSTRAINT mpesa_callbacks_outcome_check CHECK (
        outcome IN ('CREDITED', 'DUPLICATE', 'SUSPENSE', 'CONFLICT', 'QUARANTINED', 'VALIDATED', 'FAILED')
    );
ALTER TABLE services.mpesa_logs DROP CONSTRAINT mpesa_logs_outcome_check;
ALTER TABLE services.mpesa_logs ADD CONSTRAINT mpesa_logs_outcome_check CHECK (outcome IN ('CREDITED', 'SUSPENSE'));
