-- Keeps a report and the answer to the sending apart that carry the same provider's id and come at the same moment:
-- each would look for the other's row, which is not committed yet, and both would go on without it.
--
-- p_exclusive: true for a report, false for an answer. Answers need not wait for each other, so theirs is a shared lock.
--
-- After: locked until the transaction ends. The ids fall into 512 classes, locked in order, so that a large batch of
--        answers does not fill the server's table of locks.
CREATE OR REPLACE FUNCTION services.lock_message_ids(p_message_ids text[], p_exclusive boolean)
RETURNS void
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c_space constant integer := 1936553836; -- any number that no other advisory lock of ours uses
    v_class integer;
BEGIN
    FOR v_class IN
        SELECT DISTINCT hashtext(t.id) & 511 FROM unnest(p_message_ids) AS t (id) WHERE t.id IS NOT NULL ORDER BY 1
    LOOP
        IF p_exclusive THEN
            PERFORM pg_advisory_xact_lock(c_space, v_class);
        ELSE
            PERFORM pg_advisory_xact_lock_shared(c_space, v_class);
        END IF;
    END LOOP;
END
$$;
