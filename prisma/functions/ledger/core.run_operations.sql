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
    v_reversed   text[]; -- the transactions that are to be reversed or assigned
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
     WHERE o.kind IN ('REVERSE', 'ASSIGN');
    SELECT array_agg(DISTINCT w.id) INTO v_wallets
      FROM (
        SELECT o.id FROM unnest(p_kinds, p_wallets) AS o (kind, id) WHERE o.kind <> 'CAPTURE'
        UNION ALL
        SELECT h.wallet_id::text FROM core.holds h WHERE h.id = ANY (p_holds)
        UNION ALL
        -- A capture pays out of its hold's lane, and its fee is earned in the lane of who pays it.
        SELECT unnest(ARRAY[
                   core.wallet_in_lane(p_wallet => o.id, p_lane => h.lane),
                   core.stripe_of(p_account => 'FEES', p_lane => h.lane),
                   core.stripe_of(p_account => 'FEES', p_lane => core.lane_of(o.id))
               ])
          FROM unnest(p_kinds, p_holds, p_wallets) AS o (kind, hold, id)
          JOIN core.holds h ON h.id = o.hold AND h.id = ANY (p_holds)
         WHERE o.kind = 'CAPTURE'
        UNION ALL
        SELECT unnest(ARRAY[t.debit_wallet_id, t.credit_wallet_id])::text
          FROM core.transactions t WHERE t.reference = ANY (v_reversed)
      ) w;
    PERFORM core.lock_wallets(v_wallets);

    FOR i IN 1 .. n LOOP
        -- What is to be reversed or assigned may have been posted while we waited for the locks, between other wallets
        -- than ours: they would be locked out of order. The batch is rolled back and repeated, and sees them from the
        -- start.
        IF p_kinds[i] IN ('REVERSE', 'ASSIGN') AND EXISTS (
            SELECT FROM core.transactions t
             WHERE t.reference = p_originals[i]
               AND NOT ARRAY[t.debit_wallet_id::text, t.credit_wallet_id::text] <@ v_wallets
        ) THEN
            RAISE EXCEPTION 'a transaction to be reversed or assigned was posted meanwhile' USING ERRCODE = '40001';
        END IF;
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
           o.reference, t.id, t.type::text, core.account_of(t.debit_wallet_id), core.account_of(t.credit_wallet_id), t.amount,
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
