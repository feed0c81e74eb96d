-- Transfers and holds: what moves money between wallets, reserves it, sends it back, and what that costs.
--
-- Before: the door; a wallet's held money is a column that nothing fills.
-- After:  core.holds reserves money and the dearest fee of its capture; core.fee_rules says who pays how much, and
--         core.fee_rule_events who wanted it so and why. Transfers, holds, captures, reversals and assignments of money
--         in suspense go in batches and remember their idempotency keys, refusals included.

CREATE TABLE core.holds (
    id UUID NOT NULL DEFAULT core.new_id(),
    wallet_id VARCHAR(20) NOT NULL,
    amount DECIMAL(19,2) NOT NULL,
    -- Reserved beside the amount: the dearest fee of any capture.
    fee_held DECIMAL(19,2),
    captured DECIMAL(19,2) NOT NULL DEFAULT 0,
    capture_reference VARCHAR(50),
    status VARCHAR(20) NOT NULL DEFAULT 'ACTIVE',
    expires_at TIMESTAMP(3),
    narrative VARCHAR(255),
    created_at TIMESTAMP(3) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),
    closed_at TIMESTAMP(3),
    -- What the wallet had available afterwards: a repeated request is answered as it was at first.
    placed_available DECIMAL(19,2),
    closed_available DECIMAL(19,2),

    CONSTRAINT holds_pkey PRIMARY KEY (id),
    CONSTRAINT holds_status_check CHECK (status IN ('ACTIVE', 'CAPTURED', 'RELEASED', 'EXPIRED')),
    CONSTRAINT holds_amount_check CHECK (amount > 0),
    CONSTRAINT holds_fee_held_check CHECK (fee_held >= 0),
    CONSTRAINT holds_captured_check CHECK (captured BETWEEN 0 AND amount),
    CONSTRAINT holds_capture_check CHECK (capture_reference IS NULL OR status = 'CAPTURED'),
    CONSTRAINT holds_closed_check CHECK ((status = 'ACTIVE') = (closed_at IS NULL)),
    CONSTRAINT holds_wallet_id_fkey FOREIGN KEY (wallet_id)
        REFERENCES core.wallets (id) ON DELETE RESTRICT ON UPDATE RESTRICT
);

CREATE INDEX holds_wallet_id_idx ON core.holds (wallet_id);
CREATE UNIQUE INDEX holds_capture_reference_key ON core.holds (capture_reference);
-- The expiry looks for what is due among what is still active.
CREATE INDEX holds_due_idx ON core.holds (expires_at) WHERE status = 'ACTIVE';

CREATE TABLE core.fee_rules (
    id UUID NOT NULL DEFAULT core.new_id(),
    transaction_type VARCHAR(20) NOT NULL,
    currency CHAR(3) NOT NULL DEFAULT 'KES',
    -- The rule applies to amounts from here up to the next rule's.
    min_amount DECIMAL(19,2) NOT NULL DEFAULT 0,
    flat DECIMAL(19,2) NOT NULL DEFAULT 0,
    -- A part of the amount: 0.01 is one per cent.
    rate DECIMAL(9,6) NOT NULL DEFAULT 0,
    payer VARCHAR(10) NOT NULL DEFAULT 'SENDER',
    valid_from TIMESTAMP(3) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),
    valid_until TIMESTAMP(3),

    CONSTRAINT fee_rules_pkey PRIMARY KEY (id),
    CONSTRAINT fee_rules_type_check CHECK (transaction_type IN ('TRANSFER', 'WITHDRAWAL')),
    CONSTRAINT fee_rules_payer_check CHECK (payer IN ('SENDER', 'RECEIVER')),
    CONSTRAINT fee_rules_min_amount_check CHECK (min_amount >= 0),
    CONSTRAINT fee_rules_amounts_check CHECK (flat >= 0 AND rate >= 0 AND rate < 1),
    CONSTRAINT fee_rules_period_check CHECK (valid_until >= valid_from)
);

CREATE TABLE core.fee_rule_events (
    rule_id UUID NOT NULL,
    version INTEGER NOT NULL,
    kind VARCHAR(10) NOT NULL,
    valid_until TIMESTAMP(3),
    former_until TIMESTAMP(3),
    replaced_by UUID,
    actor VARCHAR(100) NOT NULL,
    note TEXT NOT NULL,
    created_at TIMESTAMP(3) NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),

    CONSTRAINT fee_rule_events_pkey PRIMARY KEY (rule_id, version),
    CONSTRAINT fee_rule_events_kind_check CHECK (kind IN ('SET', 'REPLACED', 'ENDED', 'RESTORED')),
    CONSTRAINT fee_rule_events_rule_id_fkey FOREIGN KEY (rule_id)
        REFERENCES core.fee_rules (id) ON DELETE RESTRICT ON UPDATE RESTRICT
);

-- ==== functions: written by db:migration, edit prisma/functions instead ====

-- Where a suspense deposit's money is: reference is the assignment by which it is in a customer's wallet, or NULL when
-- it is still (or again) in suspense; next_reference is what its next assignment will be called. The first assignment
-- of a receipt is AS-<receipt>, later ones AS<n>-<receipt>: a receipt may end like "-2", but no number has a hyphen.
-- A receipt of more than 45 characters, which M-PESA never sent, leaves no room for that and is named by its hash.
CREATE OR REPLACE FUNCTION core.current_assignment(p_receipt text, OUT reference text, OUT next_reference text)
LANGUAGE plpgsql
VOLATILE
AS $$
DECLARE
    v_name constant text := CASE
        WHEN length(p_receipt) <= 45 THEN p_receipt
        ELSE upper(left(encode(sha256(convert_to(p_receipt, 'UTF8')), 'hex'), 40))
    END;
    v_time integer := 1;
    a      core.transactions;
BEGIN
    LOOP
        next_reference := 'AS' || CASE WHEN v_time > 1 THEN v_time::text ELSE '' END || '-' || v_name;
        SELECT * INTO a FROM core.transactions x WHERE x.reference = next_reference;
        EXIT WHEN a.id IS NULL;
        IF a.type = 'ASSIGNMENT' AND core.remaining_of(a.id) > 0 THEN
            reference := a.reference;
        END IF;
        v_time := v_time + 1;
    END LOOP;
END
$$;

-- Moves a payment from suspense to the wallet that it was meant for, once.
--
-- p_key, p_digest: as for core.reverse_transaction, or NULL for both. After its assignment has been reversed a payment
--        can be assigned again, and a late repeat of the first request must not do so: with a key it is told what was
--        answered then.
-- After: outcome 'posted' and the reference; 'replayed' when it is in that wallet already, or the key was used for this
--        very request before (reason is set if it was refused then); 'key_reused'; or 'refused' with reason:
--        unknown_transaction, not_in_suspense, already_reversed, already_assigned (to another wallet), or a reason of
--        core.post_transactions.
CREATE OR REPLACE FUNCTION core.assign_suspense(
    p_receipt text, p_wallet text, p_key text DEFAULT NULL, p_digest text DEFAULT NULL,
    OUT outcome text, OUT reason text, OUT reference text
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    t          core.transactions;
    v_assigned record;
    v_current  core.transactions;
    v_post     record;
BEGIN
    PERFORM core.lock_wallets(ARRAY[p_wallet, 'SUSPENSE']);
    outcome := core.find_request(p_key => p_key, p_digest => p_digest);
    IF outcome = 'replayed' THEN
        SELECT q.reason, q.reference INTO reason, reference
          FROM core.requests q WHERE q.idempotency_key = p_key;
    END IF;
    IF outcome IS NOT NULL THEN
        RETURN;
    END IF;

    SELECT * INTO t FROM core.transactions x WHERE x.reference = p_receipt AND x.type = 'DEPOSIT';
    SELECT * INTO v_assigned FROM core.current_assignment(p_receipt);
    SELECT * INTO v_current FROM core.transactions x WHERE x.reference = v_assigned.reference;
    reason := CASE
        WHEN t.id IS NULL THEN 'unknown_transaction'
        WHEN t.credit_wallet_id <> 'SUSPENSE' THEN 'not_in_suspense'
        WHEN v_current.credit_wallet_id <> p_wallet THEN 'already_assigned'
        WHEN core.remaining_of(t.id) < t.amount THEN 'already_reversed'
        WHEN NOT EXISTS (SELECT 1 FROM core.wallets w WHERE w.id = p_wallet AND w.kind = 'CUSTOMER') THEN 'unknown_wallet'
    END;
    IF reason IS NOT NULL THEN
        outcome := 'refused';
        IF p_key IS NOT NULL THEN
            PERFORM core.refuse_request(p_key => p_key, p_digest => p_digest, p_reason => reason);
        END IF;
        RETURN;
    END IF;
    IF v_current.id IS NOT NULL THEN
        outcome := 'replayed';
        reference := v_current.reference;
        IF p_key IS NOT NULL THEN
            PERFORM set_config('daftari.door', 'open', true);
            INSERT INTO core.requests (idempotency_key, digest, outcome, reference)
            VALUES (p_key, p_digest, 'POSTED', v_current.reference);
            PERFORM set_config('daftari.door', '', true);
        END IF;
        RETURN;
    END IF;

    reference := v_assigned.next_reference;
    SELECT * INTO v_post FROM core.post_transactions(
        p_references => ARRAY[reference], p_types => ARRAY['ASSIGNMENT'], p_debits => ARRAY['SUSPENSE'],
        p_credits => ARRAY[p_wallet], p_fallbacks => NULL, p_amounts => ARRAY[t.amount],
        p_currencies => ARRAY[t.currency::text], p_keys => ARRAY[p_key], p_digests => ARRAY[p_digest]
    );
    -- Its key may have been spent on other wallets than ours since it was looked for.
    outcome := CASE
        WHEN v_post.outcomes[1] = 'created' THEN 'posted'
        WHEN v_post.outcomes[1] IN ('refused', 'key_reused') THEN v_post.outcomes[1]
        ELSE 'collision'
    END;
    reason := v_post.reasons[1];
END
$$;

-- The fee of a transaction by the rules in force at p_at (UTC): of the rules of its type and currency, the one with the
-- highest lower bound that the amount reaches. No row when no rule applies or the fee comes to nothing.
--
-- p_at: one moment for a whole batch, so that no rule begins in the middle of it.
CREATE OR REPLACE FUNCTION core.fee_of(p_type text, p_currency text, p_amount numeric, p_at timestamp)
RETURNS TABLE (fee numeric, payer text, rule_id uuid)
LANGUAGE sql
STABLE
AS $$
    SELECT f.fee, f.payer, f.id
      FROM (
        SELECT round(r.flat + p_amount * r.rate, 2) AS fee, r.payer::text, r.id
          FROM core.fee_rules r
         WHERE r.transaction_type = p_type AND r.currency = p_currency AND r.min_amount <= p_amount
           AND r.valid_from <= p_at AND (r.valid_until IS NULL OR r.valid_until > p_at)
         ORDER BY r.min_amount DESC, r.valid_from DESC, r.id DESC
         LIMIT 1
      ) f
     WHERE f.fee > 0
$$;

-- Pays out of a hold, whole or part; the rest goes back to the wallet, and the hold is closed.
--
-- Its fee is that of the rules in force now, and never so high that there is not enough money for it: the holder pays
-- what was reserved for it at most, whatever has become of the rules since; a receiver, what they have with what they
-- receive. A hold from before fees were reserved (fee_held NULL) has the rest of its wallet for it.
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
    v_held numeric; -- amount and fee
    v_type text;
    v_rule record;
    v_payer text;
    v_fee  numeric;
    v_legs integer;
    v_post record;
BEGIN
    PERFORM core.lock_wallets(
        ARRAY[(SELECT b.wallet_id FROM core.holds b WHERE b.id = p_hold_id)::text, p_to, 'FEES']
    );
    outcome := core.find_request(p_key => p_key, p_digest => p_digest);
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
        PERFORM core.refuse_request(p_key => p_key, p_digest => p_digest, p_reason => reason);
        RETURN;
    END IF;

    SELECT * INTO w FROM core.wallets WHERE id = h.wallet_id;
    v_type := CASE WHEN (SELECT kind FROM core.wallets WHERE id = p_to) = 'CUSTOMER' THEN 'TRANSFER' ELSE 'WITHDRAWAL' END;
    v_held := h.amount + coalesce(h.fee_held, 0);
    SELECT * INTO v_rule FROM core.fee_of(
        p_type => v_type, p_currency => w.currency, p_amount => p_amount, p_at => v_now
    );
    v_payer := CASE v_rule.payer WHEN 'SENDER' THEN h.wallet_id ELSE p_to END;
    -- A wallet without a floor has no limit: least() passes over NULL.
    v_fee := least(v_rule.fee, CASE v_rule.payer
        WHEN 'SENDER' THEN coalesce(h.fee_held, w.balance - w.held - w.min_balance + h.amount - p_amount)
        ELSE p_amount + (SELECT b.balance - b.held - b.min_balance FROM core.wallets b WHERE b.id = p_to)
    END);
    v_legs := CASE WHEN v_rule.fee IS NULL OR v_fee <= 0 OR v_payer = 'FEES' THEN 1 ELSE 2 END;

    -- The money must be free to move for the door to move it; nobody else can take it, the wallet is locked.
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE core.wallets SET held = held - v_held WHERE id = h.wallet_id;
    PERFORM set_config('daftari.door', '', true);
    SELECT * INTO v_post FROM core.post_transactions(
        p_references => (ARRAY[p_reference, p_reference || '-F'])[1:v_legs],
        p_types => (ARRAY[v_type, 'FEE'])[1:v_legs], p_debits => (ARRAY[h.wallet_id::text, v_payer])[1:v_legs],
        p_credits => (ARRAY[p_to, 'FEES'])[1:v_legs], p_fallbacks => NULL,
        p_amounts => (ARRAY[p_amount, v_fee])[1:v_legs],
        p_currencies => (ARRAY[w.currency::text, w.currency::text])[1:v_legs],
        p_keys => (ARRAY[p_key, NULL])[1:v_legs], p_digests => (ARRAY[p_digest, NULL])[1:v_legs],
        p_groups => (ARRAY[1, 1])[1:v_legs], p_narratives => (ARRAY[p_narrative, NULL])[1:v_legs]
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
        UPDATE core.wallets SET held = held + v_held WHERE id = h.wallet_id;
    END IF;
    PERFORM set_config('daftari.door', '', true);
END
$$;

-- Ends a fee rule, now or at a later moment. One that has not begun by then never holds, and the rule that it was to
-- replace goes on in its place.
--
-- p_at: NULL for now. UTC. p_actor, p_note: who wants it, and why; kept in core.fee_rule_events.
-- After: outcome 'posted'; 'replayed' when it ends (or ended) then already; or 'refused' with reason: unknown_fee_rule,
--        time_passed (what was charged stays as it was), fee_rule_ended (it ends before that).
CREATE OR REPLACE FUNCTION core.end_fee_rule(
    p_id uuid, p_at timestamp, p_actor text, p_note text, OUT outcome text, OUT reason text
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_now   timestamp;
    v_at    timestamp;
    v_next  uuid;
    r       core.fee_rules;
    p       record;
BEGIN
    LOCK TABLE core.fee_rules IN SHARE ROW EXCLUSIVE MODE;
    v_now := date_trunc('milliseconds', clock_timestamp() AT TIME ZONE 'UTC');
    SELECT * INTO r FROM core.fee_rules x WHERE x.id = p_id;
    v_at := greatest(coalesce(p_at, v_now), r.valid_from);
    IF r.valid_until = v_at OR p_at IS NULL AND r.valid_until <= v_at THEN
        outcome := 'replayed';
        RETURN;
    END IF;
    reason := CASE
        WHEN r.id IS NULL THEN 'unknown_fee_rule'
        WHEN p_at < v_now THEN 'time_passed'
        WHEN r.valid_until < v_at THEN 'fee_rule_ended'
    END;
    outcome := CASE WHEN reason IS NULL THEN 'posted' ELSE 'refused' END;
    IF reason IS NOT NULL THEN
        RETURN;
    END IF;

    PERFORM set_config('daftari.door', 'open', true);
    UPDATE core.fee_rules x SET valid_until = v_at WHERE x.id = p_id;
    INSERT INTO core.fee_rule_events (rule_id, version, kind, valid_until, actor, note)
    SELECT p_id, count(*) + 1, 'ENDED', v_at, p_actor, p_note FROM core.fee_rule_events e WHERE e.rule_id = p_id;
    IF v_at = r.valid_from THEN
        -- What it was to replace goes on: until it would have ended before, and no longer than this one would have held.
        SELECT q.id, e.former_until INTO p
          FROM core.fee_rules q
          JOIN core.fee_rule_events e ON e.rule_id = q.id AND e.replaced_by = p_id
         WHERE q.valid_until = v_at AND q.valid_from < v_at AND e.valid_until = v_at
         ORDER BY e.version DESC
         LIMIT 1;
        IF FOUND THEN
            UPDATE core.fee_rules x SET valid_until = least(p.former_until, r.valid_until) WHERE x.id = p.id;
            SELECT e.replaced_by INTO v_next
              FROM core.fee_rule_events e
             WHERE e.rule_id = p_id AND e.valid_until = r.valid_until AND e.replaced_by IS NOT NULL
             ORDER BY e.version DESC
             LIMIT 1;
            INSERT INTO core.fee_rule_events (
                rule_id, version, kind, valid_until, former_until, replaced_by, actor, note
            )
            SELECT p.id, count(*) + 1, 'RESTORED', least(p.former_until, r.valid_until), p.former_until, v_next,
                   p_actor, p_note
              FROM core.fee_rule_events e
             WHERE e.rule_id = p.id;
        END IF;
    END IF;
    PERFORM set_config('daftari.door', '', true);
END
$$;

-- Gives a hold's money back to its wallet, the reserved fee with it. p_status is why: RELEASED, or EXPIRED for one whose time is over.
--
-- After: outcome 'posted'; 'replayed' when it was closed in this way already; or 'refused' with reason unknown_hold,
--        hold_closed (in another way), not_expired. The hold keeps what was available afterwards.
CREATE OR REPLACE FUNCTION core.release_hold(p_hold_id uuid, p_status text, OUT outcome text, OUT reason text)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_now constant timestamp := clock_timestamp() AT TIME ZONE 'UTC';
    h core.holds;
    v_available numeric;
BEGIN
    PERFORM core.lock_wallets(ARRAY[(SELECT b.wallet_id FROM core.holds b WHERE b.id = p_hold_id)]);
    SELECT * INTO h FROM core.holds WHERE id = p_hold_id;
    IF h.status = p_status THEN
        outcome := 'replayed';
        RETURN;
    END IF;
    reason := CASE
        WHEN h.id IS NULL THEN 'unknown_hold'
        WHEN h.status <> 'ACTIVE' THEN 'hold_closed'
        WHEN p_status = 'EXPIRED' AND (h.expires_at IS NULL OR h.expires_at > v_now) THEN 'not_expired'
    END;
    outcome := CASE WHEN reason IS NULL THEN 'posted' ELSE 'refused' END;
    IF reason IS NULL THEN
        PERFORM set_config('daftari.door', 'open', true);
        UPDATE core.wallets b SET held = b.held - h.amount - coalesce(h.fee_held, 0), updated_at = greatest(b.updated_at, v_now)
         WHERE b.id = h.wallet_id
        RETURNING b.balance - b.held INTO v_available;
        UPDATE core.holds SET status = p_status, closed_at = v_now, closed_available = v_available WHERE id = h.id;
        PERFORM set_config('daftari.door', '', true);
    END IF;
END
$$;

-- Gives back the money of holds whose time is over, the longest over first, p_limit at most. One that cannot be given
-- back (what its wallet has reserved is wrong, say) stops none of the others and stays as it is.
--
-- p_after_time, p_after_id: expires_at and id of the last hold that was looked at before; NULL to begin with the first.
-- After: a row for each hold looked at, in that order: outcome posted, or refused when somebody else closed it meanwhile,
--        or failed, with what failed: the SQLSTATE and the constraint, if there is one.
CREATE OR REPLACE FUNCTION core.expire_holds(p_limit integer, p_after_time timestamp, p_after_id uuid)
RETURNS TABLE (hold_id uuid, expires_at timestamp, outcome text, failure text)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    v_now   constant timestamp(3) := clock_timestamp() AT TIME ZONE 'UTC';
    v_after constant timestamp(3) := coalesce(p_after_time, '-infinity');
    v_due   uuid[];
    h       core.holds;
    v_constraint text;
BEGIN
    v_due := ARRAY(
        SELECT x.id
          FROM core.holds x
         WHERE x.status = 'ACTIVE' AND x.expires_at <= v_now AND x.expires_at >= v_after
           AND (x.expires_at > v_after OR p_after_id IS NULL OR x.id > p_after_id)
         ORDER BY x.expires_at, x.id
         LIMIT p_limit
    );
    PERFORM core.lock_wallets(ARRAY(SELECT x.wallet_id::text FROM core.holds x WHERE x.id = ANY (v_due)));

    FOR h IN SELECT * FROM core.holds x WHERE x.id = ANY (v_due) ORDER BY x.expires_at, x.id LOOP
        hold_id := h.id; expires_at := h.expires_at; failure := NULL;
        BEGIN
            SELECT f.outcome INTO outcome FROM core.release_hold(p_hold_id => h.id, p_status => 'EXPIRED') AS f;
        EXCEPTION WHEN OTHERS THEN
            -- Only what is wrong with this one: a deadlock, a time limit or a full disk is everybody's.
            IF left(SQLSTATE, 2) NOT IN ('22', '23', 'DF', 'P0') THEN
                RAISE;
            END IF;
            GET STACKED DIAGNOSTICS v_constraint = CONSTRAINT_NAME;
            outcome := 'failed';
            failure := concat_ws(' ', SQLSTATE, nullif(v_constraint, ''));
        END;
        RETURN NEXT;
    END LOOP;
END
$$;

-- The fee that a hold reserves beside its amount: the greatest that a capture of any part of it could cost the holder by
-- the rules in force at p_at (UTC), whether it becomes a TRANSFER or a WITHDRAWAL; 0 for none.
--
-- Within a bracket the fee grows with the amount, so it is greatest at the bracket's upper end or at the whole amount.
-- A lower bracket may be dearer than a higher one: all of them count. Fees that the receiver pays do not count.
CREATE OR REPLACE FUNCTION core.fee_to_hold(p_currency text, p_amount numeric, p_at timestamp)
RETURNS numeric
LANGUAGE plpgsql
STABLE
AS $$
BEGIN
    RETURN (
        SELECT coalesce(max(round(b.flat + b.top * b.rate, 2)), 0)
          FROM (
            SELECT r.flat, r.rate, r.payer,
                   least(
                       p_amount,
                       lead(r.min_amount) OVER (PARTITION BY r.transaction_type ORDER BY r.min_amount) - 0.01
                   ) AS top
              FROM (
                SELECT DISTINCT ON (f.transaction_type, f.min_amount)
                       f.transaction_type, f.min_amount, f.flat, f.rate, f.payer
                  FROM core.fee_rules f
                 WHERE f.currency = p_currency AND f.min_amount <= p_amount
                   AND f.valid_from <= p_at AND (f.valid_until IS NULL OR f.valid_until > p_at)
                 ORDER BY f.transaction_type, f.min_amount, f.valid_from DESC, f.id DESC
              ) r
          ) b
         WHERE b.payer = 'SENDER' AND b.top > 0
    );
END
$$;

-- Trigger function: what is charged changes through functions that keep who wanted it and why, or not at all.
CREATE OR REPLACE FUNCTION core.guard_fee_rules()
RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    RAISE EXCEPTION '% on %.% is refused: nobody could tell who changed what is charged, and why',
        TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'DF003',
              HINT = 'Call core.set_fee_rule or core.end_fee_rule, or setFeeRule and endFeeRule in @repo/db.';
END
$$;

-- Trigger function: a hold changes together with what its wallet has reserved, or not at all.
CREATE OR REPLACE FUNCTION core.guard_holds()
RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    RAISE EXCEPTION '% on core.holds is refused: it would leave the wallet''s held money behind', TG_OP
        USING ERRCODE = 'DF003',
              HINT = 'Call core.place_hold, core.capture_hold or core.release_hold, or hold and its like in @repo/db.';
END
$$;

-- Reserves money of a wallet: it stays in the balance and can no longer be spent. What is promised must be payable, so
-- the fee that its capture may take is reserved with it (core.fee_to_hold).
--
-- After: outcome 'posted' and the new hold; 'replayed' with the hold of then (or reason, if it was refused then);
--        'key_reused'; or 'refused' with reason: unknown_wallet, wallet_frozen, wallet_closed, invalid_amount,
--        expiry_passed (it would end before it begins), insufficient_funds (for amount and fee). The hold keeps what was
--        available after it, so that a repeat is told the same whatever has happened since.
CREATE OR REPLACE FUNCTION core.place_hold(
    p_key text, p_digest text, p_wallet text, p_amount numeric, p_expires_at timestamp, p_narrative text,
    OUT outcome text, OUT reason text, OUT hold_id uuid
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_now constant timestamp := clock_timestamp() AT TIME ZONE 'UTC';
    v_fee numeric;
    w     core.wallets;
BEGIN
    PERFORM core.lock_wallets(ARRAY[p_wallet]);
    outcome := core.find_request(p_key => p_key, p_digest => p_digest);
    IF outcome = 'replayed' THEN
        SELECT q.reason, q.reference::uuid INTO reason, hold_id
          FROM core.requests q WHERE q.idempotency_key = p_key;
    END IF;
    IF outcome IS NOT NULL THEN
        RETURN;
    END IF;

    SELECT * INTO w FROM core.wallets WHERE id = p_wallet AND kind = 'CUSTOMER';
    v_fee := core.fee_to_hold(p_currency => w.currency, p_amount => p_amount, p_at => v_now);
    reason := CASE
        WHEN w.id IS NULL THEN 'unknown_wallet'
        WHEN w.status = 'FROZEN' THEN 'wallet_frozen'
        WHEN w.status = 'CLOSED' THEN 'wallet_closed'
        WHEN p_amount <= 0 OR p_amount <> round(p_amount, 2) THEN 'invalid_amount'
        WHEN p_expires_at <= v_now THEN 'expiry_passed'
        WHEN w.balance - w.held - w.min_balance < p_amount + v_fee THEN 'insufficient_funds'
    END;
    IF reason IS NOT NULL THEN
        outcome := 'refused';
        PERFORM core.refuse_request(p_key => p_key, p_digest => p_digest, p_reason => reason);
        RETURN;
    END IF;

    outcome := 'posted';
    hold_id := core.new_id();
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE core.wallets
       SET held = held + p_amount + v_fee, updated_at = greatest(updated_at, v_now)
     WHERE id = p_wallet;
    INSERT INTO core.holds (id, wallet_id, amount, fee_held, expires_at, narrative, placed_available)
    VALUES (hold_id, p_wallet, p_amount, v_fee, p_expires_at, p_narrative, w.balance - w.held - p_amount - v_fee);
    INSERT INTO core.requests (idempotency_key, digest, outcome, reference)
    VALUES (p_key, p_digest, 'POSTED', hold_id::text);
    PERFORM set_config('daftari.door', '', true);
END
$$;

-- Records a batch of transfers between wallets, each once for its idempotency key, in one round trip.
--
-- Arrays of equal length, in the order in which they arrived. p_references are new references of ours; the fee of a
-- transfer, if a rule in core.fee_rules asks for one, is posted with it under the same reference with "-F" behind.
--
-- Before: nothing is locked.
-- After:  as core.post_transactions leaves it. The answers are arrays in the order of the batch; outcomes:
--           posted      new
--           replayed    the key was used for this very request: a reason is set if it was refused then
--           key_reused  the key was used for another request
--           refused     nothing moved (reason; a system wallet is an unknown_wallet); remembered under the key
--           collision   the new reference is taken already: the caller must think of another one
--         What was posted, now or then, has its transaction and fee; balances are what the debited wallet had
--         afterwards and credit_balances what the other one had, the fee paid.
CREATE OR REPLACE FUNCTION core.record_transfers(
    p_keys       text[],
    p_digests    text[],
    p_references text[],
    p_debits     text[],
    p_credits    text[],
    p_amounts    numeric[],
    p_currencies text[],
    p_narratives text[],
    OUT outcomes        text[],
    OUT reasons         text[],
    OUT refs            text[],
    OUT ids             uuid[],
    OUT fees            numeric[],
    OUT balances        numeric[],
    OUT credit_balances numeric[],
    OUT times           timestamp[],
    OUT hashes          text[]
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
DECLARE
    n         constant integer := coalesce(array_length(p_references, 1), 0);
    v_legs    integer := n;
    v_items   integer[]; -- which element each leg belongs to; NULL: no transfer has a fee, and leg and element are one
    v_batch   record;    -- the legs as the door takes them
    v_post    record;
    v_system  text[];
    v_earlier text[]; -- references of transactions that this batch asks for again
    r         record;
    v_now     constant timestamp := clock_timestamp() AT TIME ZONE 'UTC';
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

    fees := array_fill(0.00, ARRAY[n]);
    IF EXISTS (SELECT FROM core.fee_rules) THEN
        -- One leg for the transfer and one for its fee, if it has one, behind it.
        SELECT array_agg(l.item ORDER BY l.item, l.leg) AS items,
               array_agg(l.reference ORDER BY l.item, l.leg) AS refs,
               array_agg(CASE l.leg WHEN 1 THEN 'TRANSFER' ELSE 'FEE' END ORDER BY l.item, l.leg) AS types,
               array_agg(l.debit ORDER BY l.item, l.leg) AS debits,
               array_agg(l.credit ORDER BY l.item, l.leg) AS credits,
               array_agg(l.amount ORDER BY l.item, l.leg) AS amounts,
               array_agg(l.currency ORDER BY l.item, l.leg) AS currencies,
               array_agg(l.key ORDER BY l.item, l.leg) AS keys,
               array_agg(l.digest ORDER BY l.item, l.leg) AS digests,
               array_agg(l.narrative ORDER BY l.item, l.leg) AS narratives
          INTO v_batch
          FROM (
            SELECT t.item::integer, 1 AS leg, t.reference, t.debit, t.credit, t.amount, t.currency, t.key, t.digest,
                   t.narrative
              FROM unnest(p_references, p_debits, p_credits, p_amounts, p_currencies, p_keys, p_digests, p_narratives)
                   WITH ORDINALITY AS t (reference, debit, credit, amount, currency, key, digest, narrative, item)
            UNION ALL
            SELECT t.item::integer, 2, t.reference || '-F', CASE f.payer WHEN 'SENDER' THEN t.debit ELSE t.credit END,
                   'FEES', f.fee, t.currency, NULL, NULL, NULL
              FROM unnest(p_references, p_debits, p_credits, p_amounts, p_currencies) WITH ORDINALITY
                   AS t (reference, debit, credit, amount, currency, item)
             CROSS JOIN LATERAL core.fee_of(
                 p_type => 'TRANSFER', p_currency => t.currency, p_amount => t.amount, p_at => v_now
             ) AS f
          ) l;
        v_items := v_batch.items;
        v_legs := coalesce(array_length(v_items, 1), 0);
    ELSE
        SELECT p_references AS refs, array_fill('TRANSFER'::text, ARRAY[n]) AS types, p_debits AS debits,
               p_credits AS credits, p_amounts AS amounts, p_currencies AS currencies, p_keys AS keys,
               p_digests AS digests, p_narratives AS narratives
          INTO v_batch;
    END IF;

    SELECT *
      INTO v_post
      FROM core.post_transactions(
          p_references => v_batch.refs, p_types => v_batch.types, p_debits => v_batch.debits,
          p_credits => v_batch.credits, p_fallbacks => NULL,
          p_amounts => v_batch.amounts, p_currencies => v_batch.currencies, p_keys => v_batch.keys,
          p_digests => v_batch.digests, p_groups => v_items, p_narratives => v_batch.narratives
      );

    outcomes := v_post.outcomes; reasons := v_post.reasons; ids := v_post.ids; hashes := v_post.hashes;
    balances := v_post.debit_balances; credit_balances := v_post.credit_balances;
    -- A fee that the sender pays lowers the sender's balance further; one that the receiver pays, the receiver's.
    IF v_legs > n THEN
        SELECT array_agg(t.outcome ORDER BY t.item), array_agg(t.reason ORDER BY t.item), array_agg(t.id ORDER BY t.item),
               array_agg(t.hash ORDER BY t.item),
               array_agg(CASE WHEN f.debit = t.debit THEN f.balance ELSE t.balance END ORDER BY t.item),
               array_agg(CASE WHEN f.debit = t.credit THEN f.balance ELSE t.credit_balance END ORDER BY t.item),
               array_agg(CASE WHEN t.outcome = 'created' THEN coalesce(f.amount, 0) ELSE 0 END ORDER BY t.item)
          INTO outcomes, reasons, ids, hashes, balances, credit_balances, fees
          FROM unnest(
            v_items, v_batch.types, v_batch.debits, v_batch.credits, v_post.outcomes, v_post.reasons, v_post.ids,
            v_post.hashes, v_post.debit_balances, v_post.credit_balances
          ) AS t (item, type, debit, credit, outcome, reason, id, hash, balance, credit_balance)
          LEFT JOIN unnest(v_items, v_batch.types, v_batch.debits, v_batch.amounts, v_post.debit_balances)
               AS f (item, type, debit, amount, balance) ON f.item = t.item AND f.type = 'FEE'
         WHERE t.type = 'TRANSFER';
    END IF;
    refs := p_references; times := array_fill(v_post.posted_at, ARRAY[n]);

    IF 'replayed' = ANY (outcomes) THEN
        SELECT array_agg(q.reference::text) || array_agg(q.reference || '-F')
          INTO v_earlier
          FROM core.requests q
         WHERE q.idempotency_key = ANY (p_keys);
        FOR r IN
            SELECT t.ord, q.reason::text, q.reference::text, x.id, coalesce(f.amount, 0) AS fee,
                   CASE WHEN f.debit_wallet_id = x.debit_wallet_id THEN f.debit_balance_after ELSE x.debit_balance_after END
                       AS balance,
                   CASE WHEN f.debit_wallet_id = x.credit_wallet_id THEN f.debit_balance_after ELSE x.credit_balance_after END
                       AS credit_balance,
                   x.created_at::timestamp, x.verification_hash::text
              FROM unnest(p_keys, outcomes) WITH ORDINALITY AS t (key, outcome, ord)
              JOIN core.requests q ON q.idempotency_key = t.key AND q.idempotency_key = ANY (p_keys)
              LEFT JOIN core.transactions x ON x.reference = q.reference AND x.reference = ANY (v_earlier)
              LEFT JOIN core.transactions f ON f.reference = q.reference || '-F' AND f.reference = ANY (v_earlier)
             WHERE t.outcome = 'replayed'
        LOOP
            reasons[r.ord] := r.reason; refs[r.ord] := r.reference; ids[r.ord] := r.id; fees[r.ord] := r.fee;
            balances[r.ord] := r.balance; credit_balances[r.ord] := r.credit_balance;
            times[r.ord] := r.created_at; hashes[r.ord] := r.verification_hash;
        END LOOP;
    END IF;

    outcomes := array_replace(outcomes, 'created', 'posted');
    outcomes := array_replace(array_replace(outcomes, 'exists', 'collision'), 'exists_different', 'collision');
    -- It is the reference of its fee that is taken.
    outcomes := array_replace(outcomes, 'skipped', 'collision');
END
$$;

-- Sends the money of a transaction back, whole or up to what is left of it.
--
-- The policy: a reversal never overdraws a wallet. When the money is spent it is refused (insufficient_funds), and
-- somebody decides; part of it can be asked for. A payment in suspense is reversed from suspense only as long as it
-- has not been assigned to a wallet: afterwards the assignment must be reversed first, or other payers' money would
-- be sent back. And an assignment goes back whole or not at all: a part of a payment would lie in suspense where it can
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
        WHEN t.type = 'DEPOSIT' AND t.credit_wallet_id = 'SUSPENSE' AND (core.current_assignment(t.reference)).reference IS NOT NULL
            THEN 'already_assigned'
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

-- Does a batch of operations on the ledger in one round trip: the single functions one after the other, in this order,
-- each with the answer that it would give alone.
--
-- Arrays of equal length, one element an operation; NULL where its kind does not use it.
--   HOLD     core.place_hold           key, digest, wallet, amount, expiry, narrative
--   CAPTURE  core.capture_hold         key, digest, hold, wallet (where to), amount, new reference, narrative
--   RELEASE  core.release_hold         hold
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
    hold_capture text, hold_expires_at timestamp, hold_created_at timestamp, hold_available numeric, hold_fee_held numeric
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
                  p_key => p_keys[i], p_digest => p_digests[i], p_wallet => p_wallets[i], p_amount => p_amounts[i],
                  p_expires_at => p_expiries[i], p_narrative => p_narratives[i]
              ) AS f;
        WHEN 'CAPTURE' THEN
            SELECT f.outcome, f.reason, p_holds[i] AS hold_id, f.reference INTO r
              FROM core.capture_hold(
                  p_key => p_keys[i], p_digest => p_digests[i], p_hold_id => p_holds[i], p_to => p_wallets[i],
                  p_amount => p_amounts[i], p_reference => p_references[i], p_narrative => p_narratives[i]
              ) AS f;
        WHEN 'RELEASE' THEN
            SELECT f.outcome, f.reason, p_holds[i] AS hold_id, NULL AS reference INTO r
              FROM core.release_hold(p_hold_id => p_holds[i], p_status => 'RELEASED') AS f;
        WHEN 'REVERSE' THEN
            -- It may have been posted while we waited for the locks, between other wallets than ours: they would be
            -- locked out of order. The batch is rolled back and repeated, and sees them from the start.
            IF EXISTS (
                SELECT FROM core.transactions t
                 WHERE t.reference = p_originals[i]
                   AND NOT ARRAY[t.debit_wallet_id::text, t.credit_wallet_id::text] <@ v_wallets
            ) THEN
                RAISE EXCEPTION 'a transaction to be reversed was posted meanwhile' USING ERRCODE = '40001';
            END IF;
            SELECT f.outcome, f.reason, NULL::uuid AS hold_id, f.reference INTO r
              FROM core.reverse_transaction(
                  p_key => p_keys[i], p_digest => p_digests[i], p_original => p_originals[i],
                  p_amount => p_amounts[i], p_reference => p_references[i], p_narrative => p_narratives[i]
              ) AS f;
        WHEN 'ASSIGN' THEN
            SELECT f.outcome, f.reason, NULL::uuid AS hold_id, f.reference INTO r
              FROM core.assign_suspense(
                  p_receipt => p_originals[i], p_wallet => p_wallets[i], p_key => p_keys[i],
                  p_digest => p_digests[i]
              ) AS f;
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
           ),
           coalesce(h.fee_held, 0)
      FROM unnest(p_kinds, v_outcomes, v_reasons, v_references, v_holds) WITH ORDINALITY
           AS o (kind, outcome, reason, reference, hold, ord)
      LEFT JOIN core.transactions t ON t.reference = o.reference AND t.reference = ANY (v_references)
      LEFT JOIN core.transactions f
        ON f.reference = o.reference || '-F' AND f.type = 'FEE'
           AND f.reference = ANY (ARRAY(SELECT v.reference || '-F' FROM unnest(v_references) AS v (reference)))
      LEFT JOIN core.holds h ON h.id = o.hold AND h.id = ANY (v_holds);
END
$$;

-- Sets what is charged for a type of transaction from a lower bound of its amount on, once for its key.
--
-- There is one rule at a time for a type, currency and lower bound: the one in force when the new rule begins ends then.
--
-- p_valid_from:  NULL for now. p_valid_until: NULL for as long as no other rule takes its place. UTC.
-- p_actor, p_note: who wants it, and why; kept in core.fee_rule_events.
-- After: outcome 'posted' and the new rule; 'replayed' with the rule of then (or reason, if it was refused then);
--        'key_reused'; or 'refused' with reason: time_passed (it would begin in the past or end before it begins: what was
--        charged stays as it was), fee_rule_planned (another rule begins while this one would hold; that one must be
--        ended first).
CREATE OR REPLACE FUNCTION core.set_fee_rule(
    p_key text, p_digest text, p_type text, p_currency text, p_min_amount numeric, p_flat numeric, p_rate numeric,
    p_payer text, p_valid_from timestamp, p_valid_until timestamp, p_actor text, p_note text,
    OUT outcome text, OUT reason text, OUT rule_id uuid
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_now  timestamp;
    v_from timestamp;
    r      core.fee_rules;
BEGIN
    -- One change of the rules at a time; those who charge by them read on.
    LOCK TABLE core.fee_rules IN SHARE ROW EXCLUSIVE MODE;
    v_now := date_trunc('milliseconds', clock_timestamp() AT TIME ZONE 'UTC');
    -- Of two changes within one millisecond the second begins in the next.
    WHILE p_valid_from IS NULL AND EXISTS (SELECT FROM core.fee_rules x WHERE x.valid_from = v_now) LOOP
        PERFORM pg_sleep(0.001);
        v_now := date_trunc('milliseconds', clock_timestamp() AT TIME ZONE 'UTC');
    END LOOP;
    v_from := coalesce(p_valid_from, v_now);
    outcome := core.find_request(p_key => p_key, p_digest => p_digest);
    IF outcome = 'replayed' THEN
        SELECT q.reason, q.reference::uuid INTO reason, rule_id
          FROM core.requests q WHERE q.idempotency_key = p_key;
    END IF;
    IF outcome IS NOT NULL THEN
        RETURN;
    END IF;

    reason := CASE
        WHEN v_from < v_now OR p_valid_until <= v_from THEN 'time_passed'
        WHEN EXISTS (
            SELECT FROM core.fee_rules x
             WHERE x.transaction_type = p_type AND x.currency = p_currency AND x.min_amount = p_min_amount
               AND x.valid_from >= v_from AND (p_valid_until IS NULL OR x.valid_from < p_valid_until)
               AND (x.valid_until IS NULL OR x.valid_until > x.valid_from)
        ) THEN 'fee_rule_planned'
    END;
    IF reason IS NOT NULL THEN
        outcome := 'refused';
        PERFORM core.refuse_request(p_key => p_key, p_digest => p_digest, p_reason => reason);
        RETURN;
    END IF;

    outcome := 'posted';
    rule_id := core.new_id();
    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO core.fee_rules (id, transaction_type, currency, min_amount, flat, rate, payer, valid_from, valid_until)
    VALUES (rule_id, p_type, p_currency, p_min_amount, p_flat, p_rate, p_payer, v_from, p_valid_until);
    INSERT INTO core.fee_rule_events (rule_id, version, kind, valid_until, actor, note)
    VALUES (set_fee_rule.rule_id, 1, 'SET', p_valid_until, p_actor, p_note);
    FOR r IN
        SELECT x.*
          FROM core.fee_rules x
         WHERE x.transaction_type = p_type AND x.currency = p_currency AND x.min_amount = p_min_amount
           AND x.valid_from < v_from AND (x.valid_until IS NULL OR x.valid_until > v_from)
    LOOP
        UPDATE core.fee_rules x SET valid_until = v_from WHERE x.id = r.id;
        INSERT INTO core.fee_rule_events (
            rule_id, version, kind, valid_until, former_until, replaced_by, actor, note
        )
        SELECT r.id, count(*) + 1, 'REPLACED', v_from, r.valid_until, set_fee_rule.rule_id, p_actor, p_note
          FROM core.fee_rule_events e
         WHERE e.rule_id = r.id;
    END LOOP;
    INSERT INTO core.requests (idempotency_key, digest, outcome, reference)
    VALUES (p_key, p_digest, 'POSTED', rule_id::text);
    PERFORM set_config('daftari.door', '', true);
END
$$;

-- ==== end of functions ====

CREATE TRIGGER holds_through_the_door BEFORE INSERT OR UPDATE OR DELETE ON core.holds
    FOR EACH ROW WHEN (current_setting('daftari.door', true) IS DISTINCT FROM 'open')
    EXECUTE FUNCTION core.guard_holds();
CREATE TRIGGER holds_never_truncated BEFORE TRUNCATE ON core.holds
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('Release holds instead; use a fresh database for trials.');
CREATE TRIGGER fee_rules_through_the_door BEFORE INSERT OR UPDATE OR DELETE ON core.fee_rules
    FOR EACH ROW WHEN (current_setting('daftari.door', true) IS DISTINCT FROM 'open')
    EXECUTE FUNCTION core.guard_fee_rules();
CREATE TRIGGER fee_rules_never_truncated BEFORE TRUNCATE ON core.fee_rules
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('End rules instead; use a fresh database for trials.');
CREATE TRIGGER fee_rule_events_through_the_door BEFORE INSERT ON core.fee_rule_events
    FOR EACH ROW WHEN (current_setting('daftari.door', true) IS DISTINCT FROM 'open')
    EXECUTE FUNCTION core.guard_fee_rules();
CREATE TRIGGER fee_rule_events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON core.fee_rule_events
    FOR EACH STATEMENT EXECUTE FUNCTION core.refuse_change('It is the record of who changed what is charged.');
