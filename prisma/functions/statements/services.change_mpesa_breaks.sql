-- What people do about breaks, many at a time.
--
-- p_action: assign (to p_assignee), propose (a reason, with comment and evidence), approve (another person than the one who
--           proposed), reject, resolve (what was approved is done), reopen (with a comment).
-- p_versions: what the caller saw; NULL for no such check. A break that has changed since is refused as stale.
-- After: one row an id, in their order: outcome 'changed', or 'refused' with reason: unknown_break, stale, wrong_status or
--        same_person. p_is_trial: nothing is changed, and the outcomes are those that there would be.
CREATE OR REPLACE FUNCTION services.change_mpesa_breaks(
    p_ids uuid[], p_versions integer[], p_action text, p_by text, p_assignee text, p_reason text, p_comment text,
    p_evidence text, p_is_trial boolean
)
RETURNS TABLE (id uuid, outcome text, reason text)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- In one order for everybody, so that two who change the same breaks do not wait in a circle.
    PERFORM FROM services.mpesa_breaks b WHERE b.id = ANY (p_ids) ORDER BY b.id FOR UPDATE;
    PERFORM set_config('daftari.door', 'open', true);
    RETURN QUERY
    WITH judged AS MATERIALIZED (
        SELECT x.id, x.place, b.status AS was,
               CASE
                   WHEN b.id IS NULL THEN 'unknown_break'
                   WHEN b.version <> p_versions[x.place] THEN 'stale'
                   WHEN NOT b.status = ANY (CASE p_action
                       WHEN 'assign' THEN ARRAY['OPEN', 'ASSIGNED']
                       WHEN 'propose' THEN ARRAY['OPEN', 'ASSIGNED']
                       WHEN 'resolve' THEN ARRAY['APPROVED']
                       WHEN 'reopen' THEN ARRAY['RESOLVED', 'APPROVED']
                       ELSE ARRAY['PROPOSED']
                   END) THEN 'wrong_status'
                   WHEN p_action = 'approve' AND b.proposed_by = p_by THEN 'same_person'
               END AS fault
          FROM (
            SELECT DISTINCT ON (u.id) u.id, u.place FROM unnest(p_ids) WITH ORDINALITY AS u (id, place) ORDER BY u.id, u.place
          ) x
          LEFT JOIN services.mpesa_breaks b ON b.id = x.id
    ), changed AS (
        UPDATE services.mpesa_breaks b
           SET status = CASE p_action
                   WHEN 'assign' THEN 'ASSIGNED'
                   WHEN 'propose' THEN 'PROPOSED'
                   WHEN 'approve' THEN 'APPROVED'
                   WHEN 'resolve' THEN 'RESOLVED'
                   WHEN 'reject' THEN CASE WHEN b.assignee IS NULL THEN 'OPEN' ELSE 'ASSIGNED' END
                   ELSE 'OPEN'
               END,
               assignee = CASE p_action WHEN 'assign' THEN p_assignee ELSE b.assignee END,
               proposed_by = CASE p_action WHEN 'propose' THEN p_by WHEN 'reject' THEN NULL WHEN 'reopen' THEN NULL ELSE b.proposed_by END,
               reason = CASE p_action WHEN 'propose' THEN p_reason WHEN 'reject' THEN NULL WHEN 'reopen' THEN NULL ELSE b.reason END,
               comment = coalesce(p_comment, b.comment), evidence = coalesce(p_evidence, b.evidence),
               version = b.version + 1
          FROM judged j
         WHERE b.id = j.id AND j.fault IS NULL AND NOT p_is_trial
        RETURNING b.id, b.version, b.status
    ), events AS (
        INSERT INTO services.mpesa_break_events (break_id, version, action, status, actor, assignee, reason, comment, evidence)
        SELECT c.id, c.version, p_action, c.status, p_by, p_assignee, p_reason, p_comment, p_evidence FROM changed c
        RETURNING break_id
    )
    SELECT j.id, CASE WHEN j.fault IS NULL THEN 'changed' ELSE 'refused' END, j.fault FROM judged j ORDER BY j.place;
    PERFORM set_config('daftari.door', '', true);
END
$$;
