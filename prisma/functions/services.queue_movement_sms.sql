-- Queues the messages that tell customers about movements of their wallets, in the transaction that moved the money.
--
-- Arrays of equal length, one element a message: to the holder of p_wallets[i], in his language. p_others[i] is the
-- other side of the movement: the text has its holder's name, as customers of mobile money expect once money has
-- moved; where p_names_others is false it has the number alone, for a refusal must not tell whose number it is.
--
-- Before: the movements are made.
-- After:  one PENDING row an element; none for a wallet that is not a customer's.
CREATE OR REPLACE FUNCTION services.queue_movement_sms(
    p_templates    text[],
    p_wallets      text[],
    p_references   text[],
    p_amounts      numeric[],
    p_currencies   text[],
    p_others       text[],
    p_balances     numeric[],
    p_names_others boolean[],
    p_priorities   smallint[]
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
-- As for core.post_transactions: tables are asked for arrays of keys, and what they answer is joined by hashing.
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_nestloop = off
SET jit = off
AS $$
DECLARE
    v_now   constant timestamp := date_trunc('milliseconds', clock_timestamp() AT TIME ZONE 'UTC');
    v_ms    constant bigint := (extract(epoch FROM v_now) * 1000)::bigint;
    v_all   constant text[] := p_wallets || p_others;
BEGIN
    WITH party AS MATERIALIZED (
        SELECT w.id::text, w.kind, w.phone, w.holder_name, w.language::text
          FROM core.wallets w
         WHERE w.id = ANY (v_all)
    )
    INSERT INTO services.sms_logs (
        id, recipient, message, status, created_at, next_attempt_at, transaction_reference, template, language, priority
    )
    SELECT core.uuid_v7(v_ms, t.ord::integer & 4095), p.phone,
           services.sms_text(
               t.template, p.language, t.reference, t.amount, t.currency, t.wallet,
               CASE WHEN t.names_other AND o.kind = 'CUSTOMER' THEN o.holder_name ELSE t.other END, t.balance
           ),
           'PENDING', v_now, v_now, t.reference, t.template, p.language, t.priority
      FROM unnest(
        p_templates, p_wallets, p_references, p_amounts, p_currencies, p_others, p_balances, p_names_others, p_priorities
      ) WITH ORDINALITY
        AS t (template, wallet, reference, amount, currency, other, balance, names_other, priority, ord)
      JOIN party p ON p.id = t.wallet
      LEFT JOIN party o ON o.id = t.other
     WHERE p.kind = 'CUSTOMER' AND p.phone IS NOT NULL;
END
$$;
