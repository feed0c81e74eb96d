-- Queues the messages that tell customers about movements of their wallets, in the transaction that moved the money.
--
-- Arrays of equal length, one element a message: to the holder of p_wallets[i], in their language. p_others[i] is the
-- other side of the movement: the text has its holder's name, as customers of mobile money expect once money has
-- moved; where p_reasons[i] says why nothing moved it has the number alone, for a refusal must not tell whose it is.
--
-- A refusal costs its caller nothing and us a message, so a wallet gets at most one an hour.
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
    p_reasons      text[] DEFAULT NULL, -- why nothing moved, NULL where it did
    p_priorities   smallint[] DEFAULT NULL -- 0 by default
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
    v_told  bigint[]; -- which elements are refusals that are told
    v_door  text;
BEGIN
    IF 'transfer_refused' = ANY (p_templates) THEN
        -- A caller that has opened the door has more to write.
        v_door := coalesce(current_setting('daftari.door', true), '');
        PERFORM set_config('daftari.door', 'open', true);
        -- The first batch locks the row of a wallet; the next one sees what it wrote. In order of wallets, so that
        -- two batches never wait for each other.
        WITH first AS (
            SELECT DISTINCT ON (t.wallet) t.wallet, t.ord
              FROM unnest(p_templates, p_wallets) WITH ORDINALITY AS t (template, wallet, ord)
              JOIN core.wallets w ON w.id = t.wallet AND w.id = ANY (p_wallets) AND w.kind = 'CUSTOMER'
             WHERE t.template = 'transfer_refused'
             ORDER BY t.wallet, t.ord
        ), told AS (
            INSERT INTO services.sms_last_told AS l (wallet_id, template, told_at)
            SELECT f.wallet, 'transfer_refused', v_now FROM first f ORDER BY f.wallet
                ON CONFLICT (wallet_id, template) DO UPDATE
               SET told_at = EXCLUDED.told_at
             WHERE l.told_at <= EXCLUDED.told_at - interval '1 hour'
            RETURNING l.wallet_id
        )
        SELECT array_agg(f.ord) INTO v_told FROM told JOIN first f ON f.wallet = told.wallet_id;
        PERFORM set_config('daftari.door', v_door, true);
    END IF;

    WITH party AS MATERIALIZED (
        SELECT w.id::text, w.kind, w.phone, w.holder_name, w.language::text, w.status, w.lane
          FROM core.wallets w
         WHERE w.id = ANY (v_all)
    ), wording AS MATERIALIZED (
        SELECT m.key::text, m.language::text, m.formats FROM services.sms_templates m WHERE m.key = ANY (p_templates)
    )
    INSERT INTO services.sms_logs (
        id, recipient, message, status, created_at, next_attempt_at, transaction_reference, template, language, priority,
        lane
    )
    SELECT core.uuid_v7(p_milliseconds => v_ms, p_sequence => t.ord::integer & 4095), p.phone,
           services.sms_text(
               p_formats => m.formats, p_language => p.language, p_reference => t.reference, p_amount => t.amount,
               p_currency => t.currency, p_wallet => t.wallet,
               p_name => CASE
                   WHEN t.reason IS NULL AND o.kind = 'CUSTOMER' THEN services.sms_name(o.holder_name)
                   ELSE core.account_of(t.other)
               END,
               p_balance => t.balance,
               p_reason => CASE WHEN t.reason LIKE 'wallet\_%' AND p.status <> 'ACTIVE' THEN 'own_wallet' ELSE t.reason END
           ),
           'PENDING', v_now, v_now, t.reference, t.template, p.language, coalesce(t.priority, 0), p.lane
      FROM unnest(
        p_templates, p_wallets, p_references, p_amounts, p_currencies, p_others, p_balances, p_reasons, p_priorities
      ) WITH ORDINALITY
        AS t (template, wallet, reference, amount, currency, other, balance, reason, priority, ord)
      JOIN party p ON p.id = t.wallet
      LEFT JOIN party o ON o.id = t.other
      LEFT JOIN wording m ON m.key = t.template AND m.language = p.language
     WHERE p.kind = 'CUSTOMER' AND p.phone IS NOT NULL
       AND (t.template <> 'transfer_refused' OR t.ord = ANY (v_told));
END
$$;
