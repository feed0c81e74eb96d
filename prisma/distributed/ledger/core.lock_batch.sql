-- core.lock_batch of a distributed database: lane by lane, each asked of the node that has it, in the one order of that
-- form: lanes by number, in each the customers by number and then the system's. A wallet's lane says when it is locked, so
-- all fallbacks are locked, and not only those that an item needs.
CREATE OR REPLACE FUNCTION core.lock_batch(
    p_debits     text[],
    p_credits    text[],
    p_fallbacks  text[],
    p_currencies text[],
    OUT ids        text[],
    OUT balances   numeric[],
    OUT available  numeric[], -- balance - held - floor; NULL: this wallet has no floor
    OUT versions   bigint[],
    OUT statuses   text[],
    OUT currencies text[],
    OUT lanes      smallint[],
    OUT customers  integer,
    OUT last       timestamp
)
LANGUAGE plpgsql
VOLATILE
AS $$
DECLARE
    v_lane  smallint;
    v_names text[];
    v_kinds text[];
    s       record; -- the wallets of a lane
BEGIN
    FOR v_lane, v_names IN
        SELECT t.lane, array_agg(t.name)
          FROM (
            SELECT DISTINCT n.name, core.lane_of(n.name) AS lane
              FROM unnest(p_debits || p_credits || p_fallbacks) AS n (name)
             WHERE n.name IS NOT NULL
          ) t
         GROUP BY t.lane
         ORDER BY t.lane
    LOOP
        SELECT array_agg(l.id) AS ids, array_agg(l.balance) AS balances,
               array_agg(l.balance - l.held - l.min_balance) AS available, array_agg(l.version) AS versions,
               array_agg(l.status) AS statuses, array_agg(l.currency) AS currencies, array_agg(l.lane) AS lanes,
               array_agg(l.kind) AS kinds, max(l.updated_at) AS last
          INTO s
          FROM (
            SELECT w.id::text, w.balance, w.held, w.min_balance, w.version, w.status::text, w.currency::text, w.lane,
                   w.kind::text, w.updated_at
              FROM core.wallets w
             WHERE w.lane = v_lane AND w.id = ANY (v_names)
             ORDER BY w.kind = 'SYSTEM', w.id COLLATE "C"
               FOR NO KEY UPDATE
          ) l;
        ids := ids || s.ids; balances := balances || s.balances; available := available || s.available;
        versions := versions || s.versions; statuses := statuses || s.statuses;
        currencies := currencies || s.currencies; lanes := lanes || s.lanes; v_kinds := v_kinds || s.kinds;
        last := greatest(last, s.last);
    END LOOP;

    -- Those of customers come first.
    SELECT array_agg(t.id ORDER BY t.kind = 'SYSTEM', t.ord), array_agg(t.balance ORDER BY t.kind = 'SYSTEM', t.ord),
           array_agg(t.available ORDER BY t.kind = 'SYSTEM', t.ord), array_agg(t.version ORDER BY t.kind = 'SYSTEM', t.ord),
           array_agg(t.status ORDER BY t.kind = 'SYSTEM', t.ord), array_agg(t.currency ORDER BY t.kind = 'SYSTEM', t.ord),
           array_agg(t.lane ORDER BY t.kind = 'SYSTEM', t.ord), count(*) FILTER (WHERE t.kind <> 'SYSTEM')
      INTO ids, balances, available, versions, statuses, currencies, lanes, customers
      FROM unnest(ids, balances, available, versions, statuses, currencies, lanes, v_kinds) WITH ORDINALITY
           AS t (id, balance, available, version, status, currency, lane, kind, ord);
END
$$;
