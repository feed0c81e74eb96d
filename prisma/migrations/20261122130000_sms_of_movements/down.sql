-- Restores the functions as they were before.

DROP TRIGGER "transactions_told" ON "core"."transactions";
DROP FUNCTION services.tell_of_transaction();
DROP FUNCTION services.record_transfers(text[], text[], text[], text[], text[], numeric[], text[], text[], boolean[]);
DROP FUNCTION services.queue_movement_sms(text[], text[], text[], numeric[], text[], text[], numeric[], boolean[], smallint[]);
DROP FUNCTION core.record_transfers(text[], text[], text[], text[], text[], numeric[], text[], text[]);

-- Records a batch of transfers between wallets, each once for its idempotency key, in one round trip.
--
-- Arrays of equal length, in the order in which they arrived. p_references are new references of ours; the fee of a
-- transfer, if a rule in core.fee_rules asks for one, is posted with it under the same reference with "-F" behind.
--
-- Before: nothing is locked.
-- After:  as core.post_transactions leaves it. One row an element, in no order: ord says which.
--   posted      new
--   replayed    the key was used for this very request: reason is set if it was refused then
--   key_reused  the key was used for another request
--   refused     nothing moved (reason; a system wallet is an unknown_wallet); remembered under the key
--   collision   the new reference is taken already: the caller must think of another one
-- balance_after is the debited wallet's, the fee included.
CREATE OR REPLACE FUNCTION core.record_transfers(
    p_keys       text[],
    p_digests    text[],
    p_references text[],
    p_debits     text[],
    p_credits    text[],
    p_amounts    numeric[],
    p_currencies text[],
    p_narratives text[]
)
RETURNS TABLE (
    ord integer, outcome text, reason text, reference text, transaction_id uuid, amount numeric, fee numeric,
    balance_after numeric, created_at timestamp, verification_hash text
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
-- As for core.post_transactions: tables are asked for arrays of keys, and what they answer is joined by hashing.
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_nestloop = off
-- A table without an index is read from end to end all the same, at a made-up price that would call for compiling.
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    n        constant integer := coalesce(array_length(p_keys, 1), 0);
    v_items  integer[]; -- which element each leg belongs to
    v_legs   record;
    v_post   record;
    v_fees   numeric[];
    v_system text[];
    v_earlier text[]; -- references of transactions that this batch asks for again
BEGIN
    -- A system wallet is nobody to a transfer: the float has no floor, so money could be made from it, and what waits
    -- in suspense is other people's. The door refuses a wallet without a name as unknown.
    SELECT array_agg(w.id::text) INTO v_system
      FROM core.wallets w
     WHERE w.id = ANY (p_debits || p_credits) AND w.kind = 'SYSTEM';
    IF v_system IS NOT NULL THEN
        SELECT array_agg(CASE WHEN t.debit <> ALL (v_system) THEN t.debit END ORDER BY t.ord),
               array_agg(CASE WHEN t.credit <> ALL (v_system) THEN t.credit END ORDER BY t.ord)
          INTO p_debits, p_credits
          FROM unnest(p_debits, p_credits) WITH ORDINALITY AS t (debit, credit, ord);
    END IF;

    -- One leg for the transfer and one for its fee, if it has one, behind it.
    SELECT array_agg(l.item ORDER BY l.item, l.leg) AS items,
           array_agg(CASE l.leg WHEN 1 THEN p_references[l.item] ELSE p_references[l.item] || '-F' END ORDER BY l.item, l.leg) AS refs,
           array_agg(CASE l.leg WHEN 1 THEN 'TRANSFER' ELSE 'FEE' END ORDER BY l.item, l.leg) AS types,
           array_agg(l.debit ORDER BY l.item, l.leg) AS debits,
           array_agg(l.credit ORDER BY l.item, l.leg) AS credits,
           array_agg(l.amount ORDER BY l.item, l.leg) AS amounts,
           array_agg(p_currencies[l.item] ORDER BY l.item, l.leg) AS currencies,
           array_agg(CASE l.leg WHEN 1 THEN p_keys[l.item] END ORDER BY l.item, l.leg) AS keys,
           array_agg(CASE l.leg WHEN 1 THEN p_digests[l.item] END ORDER BY l.item, l.leg) AS digests,
           array_agg(CASE l.leg WHEN 1 THEN p_narratives[l.item] END ORDER BY l.item, l.leg) AS narratives
      INTO v_legs
      FROM (
        SELECT t.item::integer, 1 AS leg, t.debit, t.credit, t.amount
          FROM unnest(p_debits, p_credits, p_amounts) WITH ORDINALITY AS t (debit, credit, amount, item)
        UNION ALL
        SELECT t.item::integer, 2, CASE f.payer WHEN 'SENDER' THEN t.debit ELSE t.credit END, 'FEES', f.fee
          FROM unnest(p_debits, p_credits, p_amounts, p_currencies) WITH ORDINALITY
               AS t (debit, credit, amount, currency, item)
         CROSS JOIN LATERAL core.fee_of('TRANSFER', t.currency, t.amount) AS f
         WHERE EXISTS (SELECT 1 FROM core.fee_rules)
      ) l;
    v_items := v_legs.items;

    SELECT *
      INTO v_post
      FROM core.post_transactions(
        v_legs.refs, v_legs.types, v_legs.debits, v_legs.credits, array_fill(NULL::text, ARRAY[array_length(v_items, 1)]),
        v_legs.amounts, v_legs.currencies, v_legs.keys, v_legs.digests,
        array_fill(NULL::uuid, ARRAY[array_length(v_items, 1)]), v_items, v_legs.narratives
      );

    SELECT array_agg(t.fee ORDER BY t.item)
      INTO v_fees
      FROM (
        SELECT x.item, coalesce(sum(x.amount) FILTER (WHERE x.type = 'FEE' AND x.outcome = 'created'), 0) AS fee
          FROM unnest(v_items, v_legs.types, v_legs.amounts, v_post.outcomes) AS x (item, type, amount, outcome)
         GROUP BY x.item
      ) t;

    RETURN QUERY
    SELECT t.item, CASE t.outcome WHEN 'created' THEN 'posted' WHEN 'refused' THEN 'refused' ELSE 'collision' END,
           t.reason, t.reference, t.id, t.amount, v_fees[t.item],
           -- The fee of the sender is the next leg and leaves his balance lower still.
           CASE WHEN v_legs.types[t.leg + 1] = 'FEE' AND v_legs.debits[t.leg + 1] = t.debit
                THEN v_post.debit_balances[t.leg + 1] ELSE t.balance END,
           v_post.posted_at, t.hash
      FROM unnest(
        v_items, v_legs.types, v_legs.refs, v_legs.debits, v_legs.amounts,
        v_post.outcomes, v_post.reasons, v_post.ids, v_post.debit_balances, v_post.hashes
      ) WITH ORDINALITY AS t (item, type, reference, debit, amount, outcome, reason, id, balance, hash, leg)
     WHERE t.type = 'TRANSFER' AND t.outcome IN ('created', 'refused', 'exists', 'exists_different');

    IF 'replayed' = ANY (v_post.outcomes) OR 'key_reused' = ANY (v_post.outcomes) THEN
        SELECT array_agg(q.reference::text) || array_agg(q.reference || '-F')
          INTO v_earlier
          FROM core.requests q
         WHERE q.idempotency_key = ANY (p_keys);

        RETURN QUERY
        SELECT t.item, t.outcome, q.reason::text, q.reference::text, x.id, x.amount, coalesce(f.amount, 0),
               CASE WHEN f.debit_wallet_id = x.debit_wallet_id THEN f.debit_balance_after ELSE x.debit_balance_after END,
               x.created_at::timestamp, x.verification_hash::text
          FROM unnest(v_items, v_legs.keys, v_post.outcomes) AS t (item, key, outcome)
          JOIN core.requests q ON q.idempotency_key = t.key AND q.idempotency_key = ANY (p_keys)
          LEFT JOIN core.transactions x ON x.reference = q.reference AND x.reference = ANY (v_earlier)
          LEFT JOIN core.transactions f ON f.reference = q.reference || '-F' AND f.reference = ANY (v_earlier)
         WHERE t.outcome IN ('replayed', 'key_reused');
    END IF;
END
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
    v_suggestions text[]; -- wallet numbers joined by commas, NULL for none
    v_outcomes text[];
    v_logged   text[]; -- receipts with a log row and no transaction
    v_post    record;
BEGIN
    -- Nearly everybody types the number exactly; who did not is looked for in the other ways.
    SELECT array_agg(w.id::text ORDER BY t.ord), array_agg(w.phone::text ORDER BY t.ord)
      INTO v_targets, v_phones
      FROM unnest(p_accounts) WITH ORDINALITY AS t (account, ord)
      LEFT JOIN core.wallets w ON w.id = t.account AND w.kind = 'CUSTOMER' AND w.id = ANY (p_accounts);
    IF array_position(v_targets, NULL) IS NOT NULL THEN
        SELECT r.wallets, r.phones, r.reasons, r.suggestions
          INTO v_targets, v_phones, v_reasons, v_suggestions
          FROM core.route_accounts(p_accounts) AS r;
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
