-- What the log has of these receipts, of which there may be many: no more of each payment than comparing needs.
CREATE OR REPLACE FUNCTION lanes.logged_of(p_receipts text[])
RETURNS TABLE (
    id uuid, mpesa_receipt text, outcome text, short_code text, amount numeric, phone text, paid_at timestamp,
    created_at timestamp
)
LANGUAGE plpgsql
VOLATILE
AS $$
#variable_conflict use_column
DECLARE
    v_lane  smallint;
    v_names text[];
BEGIN
    FOR v_lane, v_names IN SELECT p.lane, p.names FROM lanes.places_of(p_receipts) p LOOP
        RETURN QUERY
        SELECT l.id, l.mpesa_receipt::text, l.outcome::text, l.short_code::text, l.amount::numeric, l.phone::text,
               l.paid_at::timestamp, l.created_at::timestamp
          FROM services.mpesa_logs l
         WHERE l.lane = v_lane AND l.mpesa_receipt = ANY (v_names);
    END LOOP;
END
$$;
