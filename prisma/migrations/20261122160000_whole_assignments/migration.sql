-- An assignment is reversed whole or not at all, a key that was spent elsewhere meanwhile is called reused, and payments
-- with the longest receipts can be assigned. Changes functions only.

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
    outcome := core.find_request(p_key, p_digest);
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
            PERFORM core.refuse_request(p_key, p_digest, reason);
        END IF;
        RETURN;
    END IF;
    IF v_current.id IS NOT NULL THEN
        outcome := 'replayed';
        reference := v_current.reference;
        IF p_key IS NOT NULL THEN
            INSERT INTO core.requests (idempotency_key, digest, outcome, reference)
            VALUES (p_key, p_digest, 'POSTED', v_current.reference);
        END IF;
        RETURN;
    END IF;

    reference := v_assigned.next_reference;
    SELECT * INTO v_post FROM core.post_transactions(
        ARRAY[reference], ARRAY['ASSIGNMENT'], ARRAY['SUSPENSE'], ARRAY[p_wallet], ARRAY[NULL]::text[],
        ARRAY[t.amount], ARRAY[t.currency::text], ARRAY[p_key], ARRAY[p_digest], ARRAY[NULL]::uuid[]
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
    outcome := core.find_request(p_key, p_digest);
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
        PERFORM core.refuse_request(p_key, p_digest, reason);
        RETURN;
    END IF;

    SELECT * INTO v_post FROM core.post_transactions(
        ARRAY[p_reference], ARRAY['REVERSAL'], ARRAY[t.credit_wallet_id::text], ARRAY[t.debit_wallet_id::text],
        ARRAY[NULL]::text[], ARRAY[p_amount], ARRAY[t.currency::text], ARRAY[p_key], ARRAY[p_digest], ARRAY[t.id],
        NULL, ARRAY[p_narrative]
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
