-- Takes inquiries that are due; nobody else gets them for p_lease_ms. An inquiry that was asked p_most times without an
-- answer ENDs.
CREATE OR REPLACE FUNCTION services.claim_inquiries(p_limit integer, p_lease_ms integer, p_most integer)
RETURNS TABLE (id uuid, receipt text, attempts integer)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    v_now constant timestamp := clock_timestamp() AT TIME ZONE 'UTC';
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    RETURN QUERY
    WITH due AS (
        SELECT q.id FROM services.mpesa_inquiries q
         WHERE q.due_at <= v_now
         ORDER BY q.due_at
         LIMIT p_limit
           FOR UPDATE SKIP LOCKED
    ), taken AS (
        UPDATE services.mpesa_inquiries q
           SET attempts = q.attempts + CASE WHEN q.attempts < p_most THEN 1 ELSE 0 END,
               status = CASE WHEN q.attempts < p_most THEN q.status ELSE 'ENDED' END,
               due_at = CASE WHEN q.attempts < p_most THEN v_now + p_lease_ms * interval '1 millisecond' END,
               updated_at = v_now
          FROM due
         WHERE q.id = due.id
        RETURNING q.id, q.receipt::text, q.attempts::integer, q.status
    )
    SELECT t.id, t.receipt, t.attempts FROM taken t WHERE t.status = 'OPEN';
    PERFORM set_config('daftari.door', '', true);
END
$$;
