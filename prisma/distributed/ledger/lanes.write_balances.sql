-- What the postings of a batch made of its wallets, lane by lane, each on the node that has it. For core.post_transactions of
-- a distributed database, which has locked them.
CREATE OR REPLACE FUNCTION lanes.write_balances(
    p_ids text[], p_balances numeric[], p_versions bigint[], p_counts integer[], p_at timestamp
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $$
DECLARE
    v_lane     smallint;
    v_ids      text[];
    v_balances numeric[];
    v_versions bigint[];
BEGIN
    FOR v_lane, v_ids, v_balances, v_versions IN
        SELECT core.lane_of(t.id), array_agg(t.id), array_agg(t.balance), array_agg(t.version)
          FROM unnest(p_ids, p_balances, p_versions, p_counts) AS t (id, balance, version, postings)
         WHERE t.postings > 0
         GROUP BY core.lane_of(t.id)
         ORDER BY core.lane_of(t.id)
    LOOP
        UPDATE core.wallets w
           SET balance = t.balance, version = t.version, updated_at = p_at
          FROM unnest(v_ids, v_balances, v_versions) AS t (id, balance, version)
         WHERE w.lane = v_lane AND w.id = t.id AND w.id = ANY (v_ids);
    END LOOP;
END
$$;
