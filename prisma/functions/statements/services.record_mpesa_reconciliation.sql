-- Keeps a report and the run that made it. p_id comes from the report, so the same report is kept once; each run has a row.
-- p_by: who ran it; NULL stands for the database role. p_healed: payments that the run credited.
CREATE OR REPLACE FUNCTION services.record_mpesa_reconciliation(
    p_id uuid, p_short_code text, p_from timestamp, p_to timestamp, p_report text, p_healed integer, p_by text
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO services.mpesa_reconciliations (id, short_code, from_at, to_at, report)
    VALUES (p_id, p_short_code, p_from, p_to, p_report)
    ON CONFLICT (id) DO NOTHING;
    INSERT INTO services.mpesa_reconciliation_runs (reconciliation_id, healed, run_by)
    VALUES (p_id, p_healed, coalesce(p_by, session_user));
    PERFORM set_config('daftari.door', '', true);
END
$$;
