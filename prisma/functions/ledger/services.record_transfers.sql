-- core.record_transfers, with messages to the customers: both sides of a transfer, or the sender when it was refused.
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
          p_keys => p_keys, p_digests => p_digests, p_references => p_references, p_debits => p_debits,
          p_credits => p_credits, p_amounts => p_amounts, p_currencies => p_currencies, p_narratives => p_narratives
      );

    IF true = ANY (p_notify) THEN
        SELECT array_agg(n.template) AS templates, array_agg(n.wallet) AS wallets, array_agg(n.reference) AS refs,
               array_agg(t.amount) AS amounts, array_agg(t.currency) AS currencies, array_agg(n.other) AS others,
               array_agg(n.balance) AS balances, array_agg(n.reason) AS reasons,
               array_agg(n.priority::smallint) AS priorities
          INTO v_news
          FROM unnest(
            p_debits, p_credits, p_amounts, p_currencies, p_notify, v_done.outcomes, v_done.reasons, v_done.refs,
            v_done.balances, v_done.credit_balances
          ) AS t (debit, credit, amount, currency, notify, outcome, reason, reference, balance, credit_balance)
         CROSS JOIN LATERAL (
            VALUES ('transfer_out', 'posted', t.debit, t.credit, t.reference, t.balance, NULL, 0),
                   ('transfer_in', 'posted', t.credit, t.debit, t.reference, t.credit_balance, NULL, 0),
                   ('transfer_refused', 'refused', t.debit, t.credit, NULL, NULL, t.reason, 1)
         ) AS n (template, outcome, wallet, other, reference, balance, reason, priority)
         WHERE t.notify AND n.outcome = t.outcome
           AND (t.reason IS NULL OR t.reason NOT IN ('invalid_amount', 'same_wallet'));
        IF v_news.templates IS NOT NULL THEN
            PERFORM services.queue_movement_sms(
                p_templates => v_news.templates, p_wallets => v_news.wallets, p_references => v_news.refs,
                p_amounts => v_news.amounts, p_currencies => v_news.currencies, p_others => v_news.others,
                p_balances => v_news.balances, p_reasons => v_news.reasons, p_priorities => v_news.priorities
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
