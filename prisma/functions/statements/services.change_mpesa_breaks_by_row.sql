-- What people do about breaks, for each something of its own: the rows of a sheet.
--
-- Arrays of equal length, one element a break, and no break twice. services.change_mpesa_breaks decides about each.
-- p_skips_refused: change the others when some are refused; without it one refusal keeps all from being changed.
-- After: one row an id, in their order, with the outcome that services.change_mpesa_breaks gave it.
CREATE OR REPLACE FUNCTION services.change_mpesa_breaks_by_row(
    p_ids uuid[], p_versions integer[], p_actions text[], p_by text, p_assignees text[], p_reasons text[],
    p_comments text[], p_evidences text[], p_is_trial boolean, p_skips_refused boolean
)
RETURNS TABLE (id uuid, outcome text, reason text)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_is_trial boolean := p_is_trial;
BEGIN
    -- In one order for everybody: two sheets with the same breaks in another order would otherwise wait in a circle.
    PERFORM FROM services.mpesa_breaks b WHERE b.id = ANY (p_ids) ORDER BY b.id FOR UPDATE;
    -- What is locked stays as it is, so a trial says what will be.
    IF NOT p_is_trial AND NOT p_skips_refused THEN
        v_is_trial := EXISTS (
            SELECT FROM services.change_mpesa_breaks_by_row(
                p_ids => p_ids, p_versions => p_versions, p_actions => p_actions, p_by => p_by, p_assignees => p_assignees,
                p_reasons => p_reasons, p_comments => p_comments, p_evidences => p_evidences, p_is_trial => true,
                p_skips_refused => false
            ) t
             WHERE t.outcome = 'refused'
        );
    END IF;
    RETURN QUERY
    SELECT c.id, c.outcome, c.reason
      FROM unnest(p_ids, p_versions, p_actions, p_assignees, p_reasons, p_comments, p_evidences) WITH ORDINALITY
           AS r (id, version, action, assignee, reason, comment, evidence, place)
     CROSS JOIN LATERAL services.change_mpesa_breaks(
        p_ids => ARRAY[r.id], p_versions => ARRAY[r.version], p_action => r.action, p_by => p_by,
        p_assignee => r.assignee, p_reason => r.reason, p_comment => r.comment, p_evidence => r.evidence,
        p_is_trial => v_is_trial
     ) c
     ORDER BY r.place;
END
$$;
