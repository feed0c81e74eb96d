-- Puts a message into the inbox that moves no money: one that cannot be understood, that only asked, or whose recording
-- failed. After: the id of its row.
CREATE OR REPLACE FUNCTION services.store_callback(
    p_kind text, p_receipt text, p_outcome text, p_error text, p_source text, p_body bytea
)
RETURNS uuid
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_id uuid;
BEGIN
    PERFORM set_config('daftari.door', 'open', true);
    INSERT INTO services.mpesa_callbacks (kind, receipt, outcome, error, source, body)
    VALUES (p_kind, p_receipt, p_outcome, p_error, p_source, p_body)
    RETURNING id INTO v_id;
    PERFORM set_config('daftari.door', '', true);
    RETURN v_id;
END
$$;
