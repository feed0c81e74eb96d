-- Ends the closing that services.begin_mpesa_period began.
--
-- p_report: the report with which the period is closed; NULL when its totals do not agree.
-- Locks: the periods of the short code, as services.begin_mpesa_period does; else one that begins meanwhile, and has seen no
--        closed period, closes it a second time.
-- After: is_closed. The period is CLOSED or REFUSED; one that somebody else has given up meanwhile stays what it is.
CREATE OR REPLACE FUNCTION services.end_mpesa_period(
    p_id uuid, p_report uuid, p_closing numeric, p_float numeric, p_items text, OUT is_closed boolean
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('services.mpesa_periods ' || p.short_code, 0))
       FROM services.mpesa_periods p
      WHERE p.id = p_id;
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE services.mpesa_periods p
       SET status = CASE WHEN p_report IS NULL THEN 'REFUSED' ELSE 'CLOSED' END,
           report_id = p_report, closing = p_closing, "float" = p_float, items = p_items
     WHERE p.id = p_id AND p.status = 'CLOSING';
    is_closed := FOUND AND p_report IS NOT NULL;
    PERFORM set_config('daftari.door', '', true);
END
$$;
