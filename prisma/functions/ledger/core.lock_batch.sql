-- Takes the locks of a batch of postings and reads the wallets. For core.post_transactions, whose arguments these are.
--
-- Before: the caller has switched nested loops off, so that names are found by hashing.
-- After:  every wallet that the batch names is locked, customers' by number and then the system's by number; of the system
--         wallets among the fallbacks only those that an item needs. The arrays have one element a wallet that is there,
--         the first of them (customers) those of customers. last is the latest moment that one of them bears.
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
    v_debits    text[]; -- each wallet once
    v_credits   text[];
    v_fallbacks text[];
    v_rest      text[]; -- what is no customer's wallet
    v_is_usable boolean; -- whether every credit wallet is a customer's
    s           record;
BEGIN
    -- ---- 1. Customers ----

    SELECT array_agg(d.name) INTO v_debits FROM (SELECT DISTINCT n.name FROM unnest(p_debits) AS n (name)) d;
    SELECT array_agg(d.name) INTO v_credits FROM (SELECT DISTINCT n.name FROM unnest(p_credits) AS n (name)) d;
    SELECT array_agg(d.name) INTO v_fallbacks FROM (SELECT DISTINCT n.name FROM unnest(p_fallbacks) AS n (name)) d;
    -- A row that somebody else held is returned as they left it, so what is read here is what we hold.
    SELECT array_agg(l.id), array_agg(l.balance), array_agg(l.balance - l.held - l.min_balance), array_agg(l.version),
           array_agg(l.status), array_agg(l.currency), array_agg(l.lane), count(*), max(l.updated_at)
      INTO ids, balances, available, versions, statuses, currencies, lanes, customers, last
      FROM (
        SELECT w.id::text, w.balance, w.held, w.min_balance, w.version, w.status::text, w.currency::text, w.lane, w.updated_at
          FROM core.wallets w
         WHERE w.id = ANY (v_debits || v_credits || v_fallbacks) AND w.kind <> 'SYSTEM'
         ORDER BY w.id COLLATE "C"
           FOR NO KEY UPDATE
      ) l;

    -- ---- 2. The hot wallets, now that it is known which of them the batch needs ----

    SELECT array_agg(n.name), coalesce(bool_and(n.place <= coalesce(cardinality(v_debits), 0)), true)
      INTO v_rest, v_is_usable
      FROM unnest(v_debits || v_credits) WITH ORDINALITY AS n (name, place)
      LEFT JOIN unnest(ids) AS f (id) ON f.id = n.name
     WHERE f.id IS NULL;
    -- In nearly every batch all of them are active and in shillings, and no item needs its fallback.
    IF p_fallbacks IS NOT NULL AND NOT (
        v_is_usable AND array_remove(statuses, 'ACTIVE') = '{}' AND array_remove(currencies || p_currencies, 'KES') = '{}'
    ) THEN
        SELECT v_rest || array_agg(t.fallback)
          INTO v_rest
          FROM unnest(p_credits, p_fallbacks, p_currencies) AS t (credit, fallback, currency)
          LEFT JOIN unnest(ids, statuses, currencies) AS l (id, status, currency) ON l.id = t.credit
         WHERE (l.status = 'ACTIVE' AND l.currency = t.currency) IS NOT TRUE;
    END IF;
    IF v_rest IS NULL THEN
        RETURN;
    END IF;
    SELECT array_agg(l.id) AS ids, array_agg(l.balance) AS balances,
           array_agg(l.balance - l.held - l.min_balance) AS available, array_agg(l.version) AS versions,
           array_agg(l.status) AS statuses, array_agg(l.currency) AS currencies, array_agg(l.lane) AS lanes,
           max(l.updated_at) AS last
      INTO s
      FROM (
        SELECT w.id::text, w.balance, w.held, w.min_balance, w.version, w.status::text, w.currency::text, w.lane, w.updated_at
          FROM core.wallets w
         WHERE w.id = ANY (v_rest) AND w.kind = 'SYSTEM'
         ORDER BY w.id COLLATE "C"
           FOR NO KEY UPDATE
      ) l;
    ids := ids || s.ids; balances := balances || s.balances; available := available || s.available;
    versions := versions || s.versions; statuses := statuses || s.statuses; currencies := currencies || s.currencies;
    lanes := lanes || s.lanes; last := greatest(last, s.last);
END
$$;
