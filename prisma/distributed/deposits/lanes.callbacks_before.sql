-- A page of the inbox, the latest first: what it names by id. One lane at a time is asked, so that a key finds them in order.
--
-- p_undecided: only those about which nobody has decided.
CREATE OR REPLACE FUNCTION lanes.callbacks_before(
    p_before uuid, p_first uuid, p_outcome text, p_receipt text, p_from timestamp, p_to timestamp, p_undecided boolean,
    p_limit integer
)
RETURNS SETOF uuid
LANGUAGE plpgsql
VOLATILE
AS $$
DECLARE
    v_ids     uuid[];
    v_page    uuid[];
    v_decided uuid[];
    v_count   integer := 0;
    v_id      uuid;
BEGIN
    LOOP
        v_ids := '{}';
        FOR v_lane IN 0 .. 15 LOOP
            v_ids := v_ids || ARRAY(
                SELECT c.id
                  FROM services.mpesa_callbacks c
                 WHERE c.lane = v_lane AND c.id < p_before AND c.id >= p_first
                   AND (p_outcome IS NULL OR c.outcome = p_outcome) AND (p_receipt IS NULL OR c.receipt = p_receipt)
                   AND (p_from IS NULL OR c.received_at >= p_from) AND (p_to IS NULL OR c.received_at < p_to)
                 ORDER BY c.id DESC
                 LIMIT p_limit
            );
        END LOOP;
        v_page := ARRAY(SELECT i.id FROM unnest(v_ids) AS i (id) ORDER BY i.id DESC LIMIT p_limit);
        EXIT WHEN v_page = '{}';
        IF p_undecided THEN
            v_decided := ARRAY(SELECT d.callback_id FROM services.mpesa_decisions d WHERE d.callback_id = ANY (v_page));
        END IF;
        FOREACH v_id IN ARRAY v_page LOOP
            p_before := v_id;
            CONTINUE WHEN v_id = ANY (v_decided);
            RETURN NEXT v_id;
            v_count := v_count + 1;
            IF v_count = p_limit THEN
                RETURN;
            END IF;
        END LOOP;
    END LOOP;
END
$$;
