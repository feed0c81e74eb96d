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
