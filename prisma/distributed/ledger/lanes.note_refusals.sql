-- Which refusals of a batch are told: one an hour for each wallet. For services.queue_movement_sms of a distributed database.
--
-- After: their places in the batch. The first batch locks the row of a wallet; the next one sees what it wrote. In order of
--        wallets, so that two batches never wait for each other.
CREATE OR REPLACE FUNCTION lanes.note_refusals(p_templates text[], p_wallets text[], p_now timestamp)
RETURNS bigint[]
LANGUAGE plpgsql
VOLATILE
AS $$
DECLARE
    v_told  bigint[];
    v_first record;
BEGIN
    FOR v_first IN
        SELECT DISTINCT ON (t.wallet) t.wallet, t.ord
          FROM unnest(p_templates, p_wallets) WITH ORDINALITY AS t (template, wallet, ord)
          JOIN lanes.wallets_of(p_wallets) w ON w.id = t.wallet AND w.kind = 'CUSTOMER'
         WHERE t.template = 'transfer_refused'
         ORDER BY t.wallet, t.ord
    LOOP
        INSERT INTO services.sms_last_told AS l (wallet_id, template, told_at)
        VALUES (v_first.wallet, 'transfer_refused', p_now)
            ON CONFLICT (wallet_id, template) DO UPDATE
           SET told_at = EXCLUDED.told_at
         WHERE l.told_at <= EXCLUDED.told_at - interval '1 hour';
        IF FOUND THEN
            v_told := v_told || v_first.ord;
        END IF;
    END LOOP;
    RETURN v_told;
END
$$;
