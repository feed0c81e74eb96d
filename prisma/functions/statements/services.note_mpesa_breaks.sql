-- Keeps what is open in a period of a short code, so that people can work on it.
--
-- What is open for the first time is OPEN. What nobody needs to act on any more is RESOLVED, with is_explained, unless a
-- person had resolved it: then the truth came later than their decision, and it is OPEN again, as is what has changed since.
-- Due are 100,000 and more within a day, 10,000 and more within three days, less within seven.
--
-- p_by: who reconciles; NULL stands for the database role. After: noted, how many were found, changed or ended.
CREATE OR REPLACE FUNCTION services.note_mpesa_breaks(
    p_short_code text, p_from timestamp, p_to timestamp, p_by text, OUT noted integer
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_by constant text := coalesce(p_by, session_user);
BEGIN
    -- Two who reconcile one short code at the same time do this one after the other.
    PERFORM pg_advisory_xact_lock(hashtextextended('services.mpesa_breaks ' || p_short_code, 0));
    PERFORM set_config('daftari.door', 'open', true);
    WITH items AS MATERIALIZED (
        SELECT l.line_id AS subject, 'statement' AS side, l.state, l.reason, l.is_open, l.kind, l.receipt AS reference, l.amount,
               l.ledger_amount, l.happened_at
          FROM services.mpesa_line_states(p_short_code => p_short_code, p_from => p_from, p_to => p_to) l
        UNION ALL
        SELECT m.transaction_id, 'ledger', m.state, m.reason, m.is_open, 'movement', m.reference, m.amount, m.amount, m.happened_at
          FROM services.mpesa_movement_states(p_short_code => p_short_code, p_from => p_from, p_to => p_to) m
    ), found AS (
        INSERT INTO services.mpesa_breaks AS b (
            short_code, subject_id, side, state, why, reference, kind, amount, ledger_amount, happened_at, due_at
        )
        SELECT p_short_code, i.subject, i.side, i.state, i.reason, i.reference, i.kind, i.amount, i.ledger_amount, i.happened_at,
               i.happened_at + CASE
                   WHEN i.amount >= 100000 THEN interval '1 day'
                   WHEN i.amount >= 10000 THEN interval '3 days'
                   ELSE interval '7 days'
               END
          FROM items i
         WHERE i.is_open
         ORDER BY i.subject
        ON CONFLICT (short_code, subject_id) DO UPDATE
           SET state = EXCLUDED.state, why = EXCLUDED.why, amount = EXCLUDED.amount, ledger_amount = EXCLUDED.ledger_amount,
               status = 'OPEN', is_explained = false, proposed_by = NULL, reason = NULL, version = b.version + 1
         WHERE b.state <> EXCLUDED.state OR b.why IS DISTINCT FROM EXCLUDED.why OR b.amount <> EXCLUDED.amount
            OR b.ledger_amount IS DISTINCT FROM EXCLUDED.ledger_amount OR b.is_explained
        RETURNING b.id, b.version, b.status
    ), ended AS (
        UPDATE services.mpesa_breaks b
           -- A movement that a line explains is in no state of its own.
           SET state = coalesce(i.state, 'matched'),
               why = CASE b.status WHEN 'RESOLVED' THEN 'explained_after_decision' ELSE i.reason END,
               is_explained = b.status <> 'RESOLVED',
               status = CASE b.status WHEN 'RESOLVED' THEN 'OPEN' ELSE 'RESOLVED' END,
               version = b.version + 1
          FROM services.mpesa_breaks x
          LEFT JOIN items i ON i.subject = x.subject_id
         WHERE b.id = x.id AND x.short_code = p_short_code AND x.happened_at >= p_from AND x.happened_at < p_to
           AND i.is_open IS NOT TRUE AND NOT x.is_explained
           AND x.why IS DISTINCT FROM 'explained_after_decision'
        RETURNING b.id, b.version, b.status
    ), events AS (
        INSERT INTO services.mpesa_break_events (break_id, version, action, status, actor)
        SELECT f.id, f.version, CASE WHEN f.version = 1 THEN 'found' ELSE 'changed' END, f.status, v_by FROM found f
        UNION ALL
        SELECT e.id, e.version, CASE e.status WHEN 'OPEN' THEN 'changed' ELSE 'explained' END, e.status, v_by FROM ended e
        RETURNING 1
    )
    SELECT count(*) INTO noted FROM events;
    PERFORM set_config('daftari.door', '', true);
END
$$;
