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
                   core.stripe_of(
                       p_account => 'FEES',
                       p_lane => core.lane_of(CASE f.payer WHEN 'SENDER' THEN t.debit ELSE t.credit END)
                   ), f.fee, t.currency, NULL, NULL, NULL
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
