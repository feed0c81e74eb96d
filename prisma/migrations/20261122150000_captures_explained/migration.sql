-- A hold that was paid out names the transaction that did it, and the customers are told of it.
--
-- Before: a captured hold says how much of it was paid and not where to; nobody hears of money that leaves this way.
-- After:  holds have capture_reference (not known of older captures), and a capture queues an SMS to the wallet that
--         pays, and to the one that is paid if it is a customer's. No row is touched.

ALTER TABLE "core"."holds" ADD COLUMN "capture_reference" VARCHAR(50);
ALTER TABLE "core"."holds" ADD CONSTRAINT "holds_capture_check" CHECK (capture_reference IS NULL OR status = 'CAPTURED');
CREATE UNIQUE INDEX "holds_capture_reference_key" ON "core"."holds"("capture_reference");

-- Pays out of a hold, whole or part; the rest goes back to the wallet, and the hold is closed.
--
-- p_amount: NULL for the whole. p_to: a system wallet (a WITHDRAWAL) or a customer's (a TRANSFER).
-- After: outcome 'posted' and the transaction's reference; 'replayed' with the reference of then (or reason);
--        'key_reused'; or 'refused' with reason: unknown_hold, hold_closed (captured, released or expired already),
--        exceeds_hold, or a reason of core.post_transactions. A refused capture leaves the hold as it was;
--        one that is done leaves with it its transaction and what was available afterwards.
CREATE OR REPLACE FUNCTION core.capture_hold(
    p_key text, p_digest text, p_hold_id uuid, p_to text, p_amount numeric, p_reference text, p_narrative text,
    OUT outcome text, OUT reason text, OUT reference text
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_now  constant timestamp := clock_timestamp() AT TIME ZONE 'UTC';
    h      core.holds;
    w      core.wallets;
    v_type text;
    v_fee  record;
    v_legs integer;
    v_post record;
BEGIN
    PERFORM core.lock_wallets(
        ARRAY[(SELECT b.wallet_id FROM core.holds b WHERE b.id = p_hold_id)::text, p_to, 'FEES']
    );
    outcome := core.find_request(p_key, p_digest);
    IF outcome = 'replayed' THEN
        SELECT q.reason, q.reference INTO reason, reference
          FROM core.requests q WHERE q.idempotency_key = p_key;
    END IF;
    IF outcome IS NOT NULL THEN
        RETURN;
    END IF;

    SELECT * INTO h FROM core.holds WHERE id = p_hold_id;
    p_amount := coalesce(p_amount, h.amount);
    reason := CASE
        WHEN h.id IS NULL THEN 'unknown_hold'
        WHEN h.status <> 'ACTIVE' OR h.expires_at <= v_now THEN 'hold_closed'
        WHEN p_amount > h.amount THEN 'exceeds_hold'
        -- What waits in suspense came in under a receipt, by which it is assigned or sent back.
        WHEN p_to = 'SUSPENSE' THEN 'unknown_wallet'
    END;
    IF reason IS NOT NULL THEN
        outcome := 'refused';
        PERFORM core.refuse_request(p_key, p_digest, reason);
        RETURN;
    END IF;

    SELECT * INTO w FROM core.wallets WHERE id = h.wallet_id;
    v_type := CASE WHEN (SELECT kind FROM core.wallets WHERE id = p_to) = 'CUSTOMER' THEN 'TRANSFER' ELSE 'WITHDRAWAL' END;
    SELECT f.fee, CASE f.payer WHEN 'SENDER' THEN h.wallet_id ELSE p_to END AS wallet
      INTO v_fee FROM core.fee_of(v_type, w.currency, p_amount) AS f;
    v_legs := CASE WHEN v_fee.fee IS NULL THEN 1 ELSE 2 END;

    -- The money must be free to move for the door to move it; nobody else can take it, the wallet is locked.
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE core.wallets SET held = held - h.amount WHERE id = h.wallet_id;
    PERFORM set_config('daftari.door', '', true);
    SELECT * INTO v_post FROM core.post_transactions(
        (ARRAY[p_reference, p_reference || '-F'])[1:v_legs],
        (ARRAY[v_type, 'FEE'])[1:v_legs],
        (ARRAY[h.wallet_id::text, v_fee.wallet::text])[1:v_legs],
        (ARRAY[p_to, 'FEES'])[1:v_legs],
        (ARRAY[NULL, NULL]::text[])[1:v_legs],
        (ARRAY[p_amount, v_fee.fee])[1:v_legs],
        (ARRAY[w.currency::text, w.currency::text])[1:v_legs],
        (ARRAY[p_key, NULL])[1:v_legs],
        (ARRAY[p_digest, NULL])[1:v_legs],
        (ARRAY[NULL, NULL]::uuid[])[1:v_legs],
        (ARRAY[1, 1])[1:v_legs],
        (ARRAY[p_narrative, NULL])[1:v_legs]
    );
    PERFORM set_config('daftari.door', 'open', true);
    IF v_post.outcomes[1] = 'created' THEN
        outcome := 'posted';
        reference := p_reference;
        UPDATE core.holds
           SET status = 'CAPTURED', captured = p_amount, capture_reference = p_reference, closed_at = v_now,
               closed_available = (SELECT b.balance - b.held FROM core.wallets b WHERE b.id = h.wallet_id)
         WHERE id = h.id;
    ELSE
        -- Its key may have been spent on other wallets than ours since it was looked for.
        outcome := CASE WHEN v_post.outcomes[1] IN ('refused', 'key_reused') THEN v_post.outcomes[1] ELSE 'collision' END;
        reason := v_post.reasons[1];
        UPDATE core.wallets SET held = held + h.amount WHERE id = h.wallet_id;
    END IF;
    PERFORM set_config('daftari.door', '', true);
END
$$;

-- One more column in its answer makes another function to PostgreSQL.
DROP FUNCTION core.run_operations;

-- Does a batch of operations on the ledger in one round trip: the single functions one after the other, in this order,
-- each with the answer that it would give alone.
--
-- Arrays of equal length, one element an operation; NULL where its kind does not use it.
--   HOLD     core.place_hold           key, digest, wallet, amount, expiry, narrative
--   CAPTURE  core.capture_hold         key, digest, hold, wallet (where to), amount, new reference, narrative
--   RELEASE  core.release_hold         hold
--   EXPIRE   core.release_hold         hold
--   REVERSE  core.reverse_transaction  key, digest, original, amount, new reference, narrative
--   ASSIGN   core.assign_suspense      original (the receipt), wallet, key and digest or neither
--
-- Before: nothing is locked; the caller's transaction is READ COMMITTED.
-- After:  every wallet of the batch is locked until the caller commits, taken before anything was done, in the one
--         global order. A hold is read and changed only under the lock of its wallet, so it needs no order of its own.
--         Keys are written as the operations come: two batches that use two keys for different requests the other way
--         round may be told to try again by the server's deadlock detection. One row an element, in no order: ord says
--         which. outcome and reason are those of the single function; of what was posted, now or then:
--           reference .. remaining       the transaction as it was answered then; remaining of what a reversal reverses
--           hold_id .. hold_available    the hold as it was answered then: holds of releases before this was kept show
--                                        what is available now
CREATE OR REPLACE FUNCTION core.run_operations(
    p_kinds      text[],
    p_keys       text[],
    p_digests    text[],
    p_holds      uuid[],
    p_originals  text[],
    p_wallets    text[],
    p_amounts    numeric[],
    p_expiries   timestamp[],
    p_references text[],
    p_narratives text[]
)
RETURNS TABLE (
    ord integer, outcome text, reason text,
    reference text, transaction_id uuid, type text, debit_wallet text, credit_wallet text, amount numeric,
    currency text, fee numeric, balance_after numeric, created_at timestamp, verification_hash text, remaining numeric,
    hold_id uuid, hold_wallet text, hold_amount numeric, hold_captured numeric, hold_status text,
    hold_capture text, hold_expires_at timestamp, hold_created_at timestamp, hold_available numeric
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
-- As for core.post_transactions: look-ups by key, also in the functions that are called from here, whose plans may be
-- made while the tables are empty.
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_nestloop = off
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    n            constant integer := coalesce(array_length(p_kinds, 1), 0);
    v_reversed   text[]; -- the transactions that are to be reversed
    v_wallets    text[]; -- all that may be touched
    v_outcomes   text[] := array_fill(NULL::text, ARRAY[n]);
    v_reasons    text[] := v_outcomes;
    v_references text[] := v_outcomes;
    v_holds      uuid[] := array_fill(NULL::uuid, ARRAY[n]);
    r            record;
BEGIN
    IF n <> ANY (ARRAY[
        cardinality(p_keys), cardinality(p_digests), cardinality(p_holds), cardinality(p_originals),
        cardinality(p_wallets), cardinality(p_amounts), cardinality(p_expiries), cardinality(p_references),
        cardinality(p_narratives)
    ]) IS NOT FALSE THEN
        RAISE EXCEPTION 'the arrays of a batch must have one length' USING ERRCODE = '22023';
    END IF;

    SELECT array_agg(o.original) INTO v_reversed
      FROM unnest(p_kinds, p_originals) AS o (kind, original)
     WHERE o.kind = 'REVERSE';
    SELECT array_agg(DISTINCT w.id) INTO v_wallets
      FROM (
        SELECT o.id FROM unnest(p_wallets) AS o (id)
        UNION ALL
        SELECT h.wallet_id::text FROM core.holds h WHERE h.id = ANY (p_holds)
        UNION ALL
        SELECT unnest(ARRAY[t.debit_wallet_id, t.credit_wallet_id])::text
          FROM core.transactions t WHERE t.reference = ANY (v_reversed)
        UNION ALL
        SELECT s.id FROM (VALUES ('FEES', 'CAPTURE'), ('SUSPENSE', 'ASSIGN')) AS s (id, kind)
         WHERE s.kind = ANY (p_kinds)
      ) w;
    PERFORM core.lock_wallets(v_wallets);

    FOR i IN 1 .. n LOOP
        CASE p_kinds[i]
        WHEN 'HOLD' THEN
            SELECT f.outcome, f.reason, f.hold_id, NULL AS reference INTO r
              FROM core.place_hold(
                p_keys[i], p_digests[i], p_wallets[i], p_amounts[i], p_expiries[i], p_narratives[i]
              ) AS f;
        WHEN 'CAPTURE' THEN
            SELECT f.outcome, f.reason, p_holds[i] AS hold_id, f.reference INTO r
              FROM core.capture_hold(
                p_keys[i], p_digests[i], p_holds[i], p_wallets[i], p_amounts[i], p_references[i], p_narratives[i]
              ) AS f;
        WHEN 'RELEASE', 'EXPIRE' THEN
            SELECT f.outcome, f.reason, p_holds[i] AS hold_id, NULL AS reference INTO r
              FROM core.release_hold(p_holds[i], CASE p_kinds[i] WHEN 'RELEASE' THEN 'RELEASED' ELSE 'EXPIRED' END) AS f;
        WHEN 'REVERSE' THEN
            -- It may have been posted while we waited for the locks, between other wallets than ours: they would be
            -- locked out of order. The batch is undone and said again, and sees them from the start.
            IF EXISTS (
                SELECT FROM core.transactions t
                 WHERE t.reference = p_originals[i]
                   AND NOT ARRAY[t.debit_wallet_id::text, t.credit_wallet_id::text] <@ v_wallets
            ) THEN
                RAISE EXCEPTION 'a transaction to be reversed was posted meanwhile' USING ERRCODE = '40001';
            END IF;
            SELECT f.outcome, f.reason, NULL::uuid AS hold_id, f.reference INTO r
              FROM core.reverse_transaction(
                p_keys[i], p_digests[i], p_originals[i], p_amounts[i], p_references[i], p_narratives[i]
              ) AS f;
        WHEN 'ASSIGN' THEN
            SELECT f.outcome, f.reason, NULL::uuid AS hold_id, f.reference INTO r
              FROM core.assign_suspense(p_originals[i], p_wallets[i], p_keys[i], p_digests[i]) AS f;
        ELSE
            RAISE EXCEPTION 'there is no operation of kind %', p_kinds[i] USING ERRCODE = '22023';
        END CASE;
        v_outcomes[i] := r.outcome;
        v_reasons[i] := r.reason;
        IF r.outcome IN ('posted', 'replayed') AND r.reason IS NULL THEN
            v_references[i] := r.reference;
            v_holds[i] := r.hold_id;
        END IF;
    END LOOP;

    RETURN QUERY
    SELECT o.ord::integer, o.outcome, o.reason,
           o.reference, t.id, t.type::text, t.debit_wallet_id::text, t.credit_wallet_id::text, t.amount,
           t.currency::text, coalesce(f.amount, 0),
           CASE WHEN f.debit_wallet_id = t.debit_wallet_id THEN f.debit_balance_after ELSE t.debit_balance_after END,
           t.created_at::timestamp, t.verification_hash::text,
           -- All reversals of a transaction take from the same wallet, whose versions are their order.
           CASE WHEN o.kind = 'REVERSE' THEN (
               SELECT x.amount - (
                          SELECT sum(y.amount) FROM core.transactions y
                           WHERE y.reverses_id = t.reverses_id AND y.debit_version <= t.debit_version
                      )
                 FROM core.transactions x
                WHERE x.id = t.reverses_id
           ) END,
           h.id, h.wallet_id::text, h.amount,
           CASE WHEN o.kind = 'HOLD' THEN 0 ELSE h.captured END,
           CASE WHEN o.kind = 'HOLD' THEN 'ACTIVE' ELSE h.status::text END,
           CASE WHEN o.kind <> 'HOLD' THEN h.capture_reference::text END,
           h.expires_at::timestamp, h.created_at::timestamp,
           coalesce(
               CASE WHEN o.kind = 'HOLD' THEN h.placed_available ELSE h.closed_available END,
               (SELECT b.balance - b.held FROM core.wallets b WHERE b.id = h.wallet_id)
           )
      FROM unnest(p_kinds, v_outcomes, v_reasons, v_references, v_holds) WITH ORDINALITY
           AS o (kind, outcome, reason, reference, hold, ord)
      LEFT JOIN core.transactions t ON t.reference = o.reference AND t.reference = ANY (v_references)
      LEFT JOIN core.transactions f
        ON f.reference = o.reference || '-F' AND f.type = 'FEE'
           AND f.reference = ANY (ARRAY(SELECT v.reference || '-F' FROM unnest(v_references) AS v (reference)))
      LEFT JOIN core.holds h ON h.id = o.hold AND h.id = ANY (v_holds);
END
$$;

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

CREATE OR REPLACE TRIGGER "holds_told" AFTER UPDATE ON "core"."holds"
    FOR EACH ROW WHEN (OLD.status = 'ACTIVE' AND NEW.status = 'CAPTURED')
    EXECUTE FUNCTION services.tell_of_capture();
