-- Before: statements, their lines, matches and reports.
-- After:  none of them. Deposits that were credited from a statement stay what they are.

-- DropForeignKey
ALTER TABLE "services"."mpesa_statement_lines" DROP CONSTRAINT "mpesa_statement_lines_statement_id_fkey";

-- DropForeignKey
ALTER TABLE "services"."mpesa_matches" DROP CONSTRAINT "mpesa_matches_line_id_fkey";

-- DropForeignKey
ALTER TABLE "services"."mpesa_reconciliation_runs" DROP CONSTRAINT "mpesa_reconciliation_runs_reconciliation_id_fkey";

-- DropTable
DROP TABLE services.mpesa_reconciliation_runs;
DROP TABLE services.mpesa_reconciliations;
DROP TABLE services.mpesa_matches;
DROP TABLE services.mpesa_statement_lines;
DROP TABLE services.mpesa_statements;

-- ==== functions: written by db:migration, edit prisma/functions instead ====

DROP FUNCTION services.add_mpesa_statement_lines(p_statement uuid, p_account_key text, p_rows integer[], p_receipts text[], p_completed_at timestamp without time zone[], p_details text[], p_statuses text[], p_is_completed boolean[], p_kinds text[], p_paid_in numeric[], p_withdrawn numeric[], p_balances numeric[], p_reasons text[], p_accounts text[], p_phones text[], p_names text[], p_linked_receipts text[], OUT added integer);

DROP FUNCTION services.begin_mpesa_statement(p_sha256 text, p_short_code text, p_form text, p_account text, p_by text, OUT id uuid, OUT is_known boolean);

DROP FUNCTION services.deposit_amount(p_receipt text, p_amount numeric);

DROP FUNCTION services.finish_mpesa_statement(p_id uuid, p_from timestamp without time zone, p_to timestamp without time zone, p_opening numeric, p_closing numeric, p_stated_paid_in numeric, p_stated_withdrawn numeric, p_paid_in numeric, p_withdrawn numeric, p_first_balance numeric, p_last_balance numeric, p_balance_breaks integer, p_first_break integer, p_rows integer, p_lines integer, p_skipped integer, p_skipped_rows text[]);

DROP FUNCTION services.match_mpesa_lines(p_short_code text, p_from timestamp without time zone, p_to timestamp without time zone, OUT matched integer);

DROP FUNCTION services.mpesa_line_states(p_short_code text, p_from timestamp without time zone, p_to timestamp without time zone);

DROP FUNCTION services.mpesa_movement_states(p_short_code text, p_from timestamp without time zone, p_to timestamp without time zone);

DROP FUNCTION services.record_mpesa_reconciliation(p_id uuid, p_short_code text, p_from timestamp without time zone, p_to timestamp without time zone, p_report text, p_healed integer, p_by text);

DROP FUNCTION services.statement_line_id(p_short_code text, p_account_key text, p_receipt text, p_is_completed boolean, p_paid_in numeric, p_withdrawn numeric, p_balance numeric, p_details text);

-- ==== end of functions ====
