-- The identity of a statement's line: the same line in two files is one line, whatever form the files have.
--
-- A receipt alone is not enough, for a payment and its charge share one. What tells lines of a receipt apart is the side,
-- the amount and the balance after them; words and times differ between forms. Only a line without a balance is told by
-- its words.
-- STABLE, as concat_ws is: declared IMMUTABLE, it would be called for each line instead of being part of the statement.
CREATE OR REPLACE FUNCTION services.statement_line_id(
    p_short_code text, p_account_key text, p_receipt text, p_is_completed boolean,
    p_paid_in numeric, p_withdrawn numeric, p_balance numeric, p_details text
)
RETURNS uuid
LANGUAGE sql
STABLE
PARALLEL SAFE
AS $$
    SELECT encode(substr(sha256(convert_to(concat_ws(
        E'\x1f', p_short_code, p_account_key, p_receipt, p_is_completed, p_paid_in, p_withdrawn,
        coalesce(p_balance::text, '-' || lower(p_details))
    ), 'UTF8')), 1, 16), 'hex')::uuid
$$;
