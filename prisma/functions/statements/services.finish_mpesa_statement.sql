-- Ends the import of a statement: writes what the file stated and what its rows came to, once, in the transaction that
-- began it.
--
-- Before: services.begin_mpesa_statement and all calls of services.add_mpesa_statement_lines.
CREATE OR REPLACE FUNCTION services.finish_mpesa_statement(
    p_id uuid, p_from timestamp, p_to timestamp,
    p_opening numeric, p_closing numeric, p_stated_paid_in numeric, p_stated_withdrawn numeric,
    p_paid_in numeric, p_withdrawn numeric, p_first_balance numeric, p_last_balance numeric,
    p_balance_breaks integer, p_first_break integer,
    p_rows integer, p_lines integer, p_skipped integer, p_skipped_rows text[]
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    UPDATE services.mpesa_statements s
       SET from_at = p_from, to_at = p_to, opening = p_opening, closing = p_closing,
           stated_paid_in = p_stated_paid_in, stated_withdrawn = p_stated_withdrawn,
           paid_in = p_paid_in, withdrawn = p_withdrawn, first_balance = p_first_balance, last_balance = p_last_balance,
           balance_breaks = p_balance_breaks, first_break = p_first_break,
           rows = p_rows, lines = p_lines, skipped = p_skipped, duplicate_lines = p_rows - p_lines - p_skipped,
           skipped_rows = p_skipped_rows
     WHERE s.id = p_id;
    PERFORM set_config('daftari.door', '', true);
END
$$;
