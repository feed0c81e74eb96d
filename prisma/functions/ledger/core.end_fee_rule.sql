-- Ends a fee rule, now or at a later moment. One that has not begun by then never holds, and the rule that it was to
-- replace goes on in its place.
--
-- p_at: NULL for now. UTC. p_actor, p_note: who wants it, and why; kept in core.fee_rule_events.
-- After: outcome 'posted'; 'replayed' when it ends (or ended) then already; or 'refused' with reason: unknown_fee_rule,
--        time_passed (what was charged stays as it was), fee_rule_ended (it ends before that).
CREATE OR REPLACE FUNCTION core.end_fee_rule(
    p_id uuid, p_at timestamp, p_actor text, p_note text, OUT outcome text, OUT reason text
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_now   timestamp;
    v_at    timestamp;
    v_next  uuid;
    r       core.fee_rules;
    p       record;
BEGIN
    LOCK TABLE core.fee_rules IN SHARE ROW EXCLUSIVE MODE;
    v_now := date_trunc('milliseconds', clock_timestamp() AT TIME ZONE 'UTC');
    SELECT * INTO r FROM core.fee_rules x WHERE x.id = p_id;
    v_at := greatest(coalesce(p_at, v_now), r.valid_from);
    IF r.valid_until = v_at OR p_at IS NULL AND r.valid_until <= v_at THEN
        outcome := 'replayed';
        RETURN;
    END IF;
    reason := CASE
        WHEN r.id IS NULL THEN 'unknown_fee_rule'
        WHEN p_at < v_now THEN 'time_passed'
        WHEN r.valid_until < v_at THEN 'fee_rule_ended'
    END;
    outcome := CASE WHEN reason IS NULL THEN 'posted' ELSE 'refused' END;
    IF reason IS NOT NULL THEN
        RETURN;
    END IF;

    PERFORM set_config('daftari.door', 'open', true);
    UPDATE core.fee_rules x SET valid_until = v_at WHERE x.id = p_id;
    INSERT INTO core.fee_rule_events (rule_id, version, kind, valid_until, actor, note)
    SELECT p_id, count(*) + 1, 'ENDED', v_at, p_actor, p_note FROM core.fee_rule_events e WHERE e.rule_id = p_id;
    IF v_at = r.valid_from THEN
        -- What it was to replace goes on: until it would have ended before, and no longer than this one would have held.
        SELECT q.id, e.former_until INTO p
          FROM core.fee_rules q
          JOIN core.fee_rule_events e ON e.rule_id = q.id AND e.replaced_by = p_id
         WHERE q.valid_until = v_at AND q.valid_from < v_at AND e.valid_until = v_at
         ORDER BY e.version DESC
         LIMIT 1;
        IF FOUND THEN
            UPDATE core.fee_rules x SET valid_until = least(p.former_until, r.valid_until) WHERE x.id = p.id;
            SELECT e.replaced_by INTO v_next
              FROM core.fee_rule_events e
             WHERE e.rule_id = p_id AND e.valid_until = r.valid_until AND e.replaced_by IS NOT NULL
             ORDER BY e.version DESC
             LIMIT 1;
            INSERT INTO core.fee_rule_events (
                rule_id, version, kind, valid_until, former_until, replaced_by, actor, note
            )
            SELECT p.id, count(*) + 1, 'RESTORED', least(p.former_until, r.valid_until), p.former_until, v_next,
                   p_actor, p_note
              FROM core.fee_rule_events e
             WHERE e.rule_id = p.id;
        END IF;
    END IF;
    PERFORM set_config('daftari.door', '', true);
END
$$;
