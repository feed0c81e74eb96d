-- ==== functions: written by db:migration, edit prisma/functions instead ====

CREATE OR REPLACE FUNCTION services.statement_line_id(p_short_code text, p_account_key text, p_receipt text, p_is_completed boolean, p_paid_in numeric, p_withdrawn numeric, p_balance numeric, p_details text)
 RETURNS uuid
 LANGUAGE sql
 IMMUTABLE PARALLEL SAFE
AS $function$
    SELECT encode(substr(sha256(convert_to(concat_ws(
        E'\x1f', p_short_code, p_account_key, p_receipt, p_is_completed, p_paid_in, p_withdrawn,
        coalesce(p_balance::text, '-' || lower(p_details))
    ), 'UTF8')), 1, 16), 'hex')::uuid
$function$;

DROP FUNCTION services.change_mpesa_breaks_by_row(p_ids uuid[], p_versions integer[], p_actions text[], p_by text, p_assignees text[], p_reasons text[], p_comments text[], p_evidences text[], p_is_trial boolean, p_skips_refused boolean);

-- ==== end of functions ====
