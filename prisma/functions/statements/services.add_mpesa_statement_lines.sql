-- Adds lines to a statement that services.begin_mpesa_statement began in the same transaction.
--
-- Arrays of equal length, one element a row of the file. Amounts have two decimals, of p_paid_in and p_withdrawn one is 0.
-- After: each line is there once. Of all files that show a line, the first by form, statement and row is the one that is
--        read, so that the order of the imports makes no difference.
--        added: lines that no file had shown before.
-- Fails with DF020, and so imports nothing, when such a line belongs to a closed period.
CREATE OR REPLACE FUNCTION services.add_mpesa_statement_lines(
    p_statement       uuid,
    p_account_key     text,
    p_rows            integer[],
    p_receipts        text[],
    p_completed_at    timestamp[],
    p_details         text[],
    p_statuses        text[],
    p_is_completed    boolean[],
    p_kinds           text[],
    p_paid_in         numeric[],
    p_withdrawn       numeric[],
    p_balances        numeric[],
    p_reasons         text[],
    p_accounts        text[],
    p_phones          text[],
    p_names           text[],
    p_linked_receipts text[],
    OUT added integer
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_is_late boolean;
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    WITH written AS (
        INSERT INTO services.mpesa_statement_lines AS l (
            id, statement_id, form, row_number, short_code, account_key, receipt, completed_at, details, status,
            is_completed, kind, paid_in, withdrawn, balance, reason, account, phone, payer_name, linked_receipt
        )
        SELECT DISTINCT ON (x.id)
               x.id, s.id, s.form, x.row_number, s.short_code, p_account_key, x.receipt, x.completed_at, x.details, x.status,
               x.is_completed, x.kind, x.paid_in, x.withdrawn, x.balance, x.reason, x.account, x.phone, x.payer_name,
               x.linked_receipt
          FROM services.mpesa_statements s
         CROSS JOIN LATERAL (
            SELECT t.*, services.statement_line_id(
                       p_short_code => s.short_code, p_account_key => p_account_key, p_receipt => t.receipt,
                       p_is_completed => t.is_completed, p_paid_in => t.paid_in, p_withdrawn => t.withdrawn,
                       p_balance => t.balance, p_details => t.details
                   ) AS id
              FROM unnest(
                p_rows, p_receipts, p_completed_at, p_details, p_statuses, p_is_completed, p_kinds, p_paid_in, p_withdrawn,
                p_balances, p_reasons, p_accounts, p_phones, p_names, p_linked_receipts
              ) AS t (
                row_number, receipt, completed_at, details, status, is_completed, kind, paid_in, withdrawn,
                balance, reason, account, phone, payer_name, linked_receipt
              )
         ) x
         WHERE s.id = p_statement
         ORDER BY x.id, x.row_number
        ON CONFLICT (id) DO UPDATE
           SET statement_id = EXCLUDED.statement_id, form = EXCLUDED.form, row_number = EXCLUDED.row_number,
               completed_at = EXCLUDED.completed_at, details = EXCLUDED.details, status = EXCLUDED.status,
               kind = EXCLUDED.kind, reason = EXCLUDED.reason, account = EXCLUDED.account, phone = EXCLUDED.phone,
               payer_name = EXCLUDED.payer_name, linked_receipt = EXCLUDED.linked_receipt
         WHERE (EXCLUDED.form COLLATE "C", EXCLUDED.statement_id, EXCLUDED.row_number)
               < (l.form COLLATE "C", l.statement_id, l.row_number)
        RETURNING l.xmax = 0 AS is_new, l.short_code, l.completed_at
    )
    SELECT count(*) FILTER (WHERE w.is_new),
           coalesce(bool_or(w.is_new AND EXISTS (
               SELECT FROM services.mpesa_periods p
                WHERE p.short_code = w.short_code AND p.from_at <= w.completed_at AND p.to_at > w.completed_at
                  AND p.status IN ('CLOSED', 'CLOSING')
           )), false)
      INTO added, v_is_late
      FROM written w;
    IF v_is_late THEN
        RAISE EXCEPTION 'a line belongs to a closed period' USING ERRCODE = 'DF020', HINT = 'Reopen the period first.';
    END IF;
    PERFORM set_config('daftari.door', '', true);
END
$$;
