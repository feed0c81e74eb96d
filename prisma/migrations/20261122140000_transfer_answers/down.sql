-- Restores the functions as they were before.

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
-- balance_after is the debited wallet's, credit_balance_after the other's, the fee included.
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
    balance_after numeric, created_at timestamp, verification_hash text, credit_balance_after numeric
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
           v_post.posted_at, t.hash,
           CASE WHEN v_legs.types[t.leg + 1] = 'FEE' AND v_legs.debits[t.leg + 1] = t.credit
                THEN v_post.debit_balances[t.leg + 1] ELSE t.credit_balance END
      FROM unnest(
        v_items, v_legs.types, v_legs.refs, v_legs.debits, v_legs.credits, v_legs.amounts,
        v_post.outcomes, v_post.reasons, v_post.ids, v_post.debit_balances, v_post.credit_balances, v_post.hashes
      ) WITH ORDINALITY
        AS t (item, type, reference, debit, credit, amount, outcome, reason, id, balance, credit_balance, hash, leg)
     WHERE t.type = 'TRANSFER' AND t.outcome IN ('created', 'refused', 'exists', 'exists_different');

    IF 'replayed' = ANY (v_post.outcomes) OR 'key_reused' = ANY (v_post.outcomes) THEN
        SELECT array_agg(q.reference::text) || array_agg(q.reference || '-F')
          INTO v_earlier
          FROM core.requests q
         WHERE q.idempotency_key = ANY (p_keys);

        RETURN QUERY
        SELECT t.item, t.outcome, q.reason::text, q.reference::text, x.id, x.amount, coalesce(f.amount, 0),
               CASE WHEN f.debit_wallet_id = x.debit_wallet_id THEN f.debit_balance_after ELSE x.debit_balance_after END,
               x.created_at::timestamp, x.verification_hash::text,
               CASE WHEN f.debit_wallet_id = x.credit_wallet_id THEN f.debit_balance_after ELSE x.credit_balance_after END
          FROM unnest(v_items, v_legs.keys, v_post.outcomes) AS t (item, key, outcome)
          JOIN core.requests q ON q.idempotency_key = t.key AND q.idempotency_key = ANY (p_keys)
          LEFT JOIN core.transactions x ON x.reference = q.reference AND x.reference = ANY (v_earlier)
          LEFT JOIN core.transactions f ON f.reference = q.reference || '-F' AND f.reference = ANY (v_earlier)
         WHERE t.outcome IN ('replayed', 'key_reused');
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
    SELECT array_agg(r.ord) AS ords, array_agg(r.outcome) AS outcomes, array_agg(r.reason) AS reasons,
           array_agg(r.reference) AS refs, array_agg(r.transaction_id) AS ids, array_agg(r.amount) AS amounts,
           array_agg(r.fee) AS fees, array_agg(r.balance_after) AS balances, array_agg(r.created_at) AS times,
           array_agg(r.verification_hash) AS hashes, array_agg(r.credit_balance_after) AS credit_balances
      INTO v_done
      FROM core.record_transfers(
        p_keys, p_digests, p_references, p_debits, p_credits, p_amounts, p_currencies, p_narratives
      ) AS r;

    IF true = ANY (p_notify) THEN
        SELECT array_agg(n.template) AS templates, array_agg(n.wallet) AS wallets, array_agg(n.reference) AS refs,
               array_agg(n.amount) AS amounts, array_agg(p_currencies[n.ord]) AS currencies,
               array_agg(n.other) AS others, array_agg(n.balance) AS balances,
               array_agg(n.template <> 'transfer_refused') AS names_others,
               array_agg(CASE n.template WHEN 'transfer_refused' THEN 1 ELSE 0 END::smallint) AS priorities
          INTO v_news
          FROM (
            SELECT t.ord, 'transfer_out' AS template, p_debits[t.ord] AS wallet, t.reference, t.amount,
                   p_credits[t.ord] AS other, t.balance
              FROM unnest(v_done.ords, v_done.outcomes, v_done.refs, v_done.amounts, v_done.balances)
                   AS t (ord, outcome, reference, amount, balance)
             WHERE t.outcome = 'posted' AND p_notify[t.ord]
            UNION ALL
            SELECT t.ord, 'transfer_in', p_credits[t.ord], t.reference, t.amount, p_debits[t.ord], t.balance
              FROM unnest(v_done.ords, v_done.outcomes, v_done.refs, v_done.amounts, v_done.credit_balances)
                   AS t (ord, outcome, reference, amount, balance)
             WHERE t.outcome = 'posted' AND p_notify[t.ord]
            UNION ALL
            SELECT t.ord, 'transfer_refused', p_debits[t.ord], NULL, p_amounts[t.ord], p_credits[t.ord], NULL
              FROM unnest(v_done.ords, v_done.outcomes, v_done.reasons) AS t (ord, outcome, reason)
             WHERE t.outcome = 'refused' AND p_notify[t.ord]
               AND t.reason NOT IN ('invalid_amount', 'same_wallet')
          ) n;
        IF v_news.templates IS NOT NULL THEN
            PERFORM services.queue_movement_sms(
                v_news.templates, v_news.wallets, v_news.refs, v_news.amounts, v_news.currencies, v_news.others,
                v_news.balances, v_news.names_others, v_news.priorities
            );
        END IF;
    END IF;

    RETURN QUERY
    SELECT *
      FROM unnest(
        v_done.ords, v_done.outcomes, v_done.reasons, v_done.refs, v_done.ids, v_done.amounts, v_done.fees,
        v_done.balances, v_done.times, v_done.hashes
      );
END
$$;
