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
