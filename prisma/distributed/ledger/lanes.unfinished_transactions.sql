-- How many transactions some nodes have committed and others have still to commit. A node that does not answer counts as one
-- that has.
CREATE OR REPLACE FUNCTION lanes.unfinished_transactions()
RETURNS bigint
LANGUAGE plpgsql
VOLATILE
AS $$
DECLARE
    v_count bigint := 0;
BEGIN
    -- One server, which the form can be tried on, finishes all of them at once.
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'citus') THEN
        EXECUTE $count$
            SELECT sum(CASE WHEN n.success THEN n.result::bigint ELSE 1 END)
              FROM run_command_on_all_nodes(
                  'SELECT count(*) FROM pg_prepared_xacts WHERE gid LIKE ''citus%'' AND database = current_database()'
              ) n
        $count$ INTO v_count;
    END IF;
    RETURN v_count;
END
$$;
