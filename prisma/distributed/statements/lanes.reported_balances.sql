-- The organisation's balance as M-PESA reported it with each of these payments; NULL where no message names one.
--
-- It is reportedBalance() of packages/db, asked lane by lane: what is kept of a payment lies in the lane of its log.
CREATE OR REPLACE FUNCTION lanes.reported_balances(p_receipts text[])
RETURNS TABLE (receipt text, short_code text, balance text)
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
        SELECT l.mpesa_receipt::text, l.short_code::text,
               coalesce(substring(l.raw_payload ->> 'OrgAccountBalance' FROM '^-?[0-9]{1,15}(?:[.][0-9]{1,2})?$'), (
                   SELECT substring(
                              convert_from(c.body, 'UTF8')
                              FROM '"OrgAccountBalance"\s*:\s*"?(-?[0-9]{1,15}(?:[.][0-9]{1,2})?)\s*["},]'
                          )
                     FROM services.mpesa_callbacks c
                    WHERE c.lane = v_lane AND l.raw_payload ->> 'OrgAccountBalance' IS NULL
                      AND c.receipt = l.mpesa_receipt AND c.kind = 'C2B_CONFIRMATION'
                      AND c.outcome IN ('CREDITED', 'SUSPENSE', 'DUPLICATE')
                    ORDER BY c.id
                    LIMIT 1
               ))
          FROM services.mpesa_logs l
         WHERE l.lane = v_lane AND l.mpesa_receipt = ANY (v_names);
    END LOOP;
END
$$;
