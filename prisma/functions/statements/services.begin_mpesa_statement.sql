-- Begins the import of a statement, or finds the one that was imported before.
--
-- p_sha256: of the file, lower-case hex. The file and the short code together are the statement's identity.
-- p_by: who imports it; NULL stands for the database role.
-- After: imports of one short code go one after the other until the end of the transaction, so that two files that overlap
--        cannot wait for each other's lines. is_known: everything is there already, and nothing is to be added.
CREATE OR REPLACE FUNCTION services.begin_mpesa_statement(
    p_sha256 text, p_short_code text, p_form text, p_account text, p_by text,
    OUT id uuid, OUT is_known boolean
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('services.mpesa_statements ' || p_short_code, 0));
    id := encode(substr(sha256(convert_to(p_sha256 || ' ' || p_short_code, 'UTF8')), 1, 16), 'hex')::uuid;
    is_known := EXISTS (SELECT FROM services.mpesa_statements s WHERE s.id = begin_mpesa_statement.id);
    IF is_known THEN
        RETURN;
    END IF;
    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO services.mpesa_statements (id, sha256, form, short_code, account, imported_by)
    VALUES (id, p_sha256, p_form, p_short_code, p_account, coalesce(p_by, session_user));
    PERFORM set_config('daftari.door', '', true);
END
$$;
