-- Whose wallets do these accounts mean? core.route_account for each of them, with the numbers that may have been meant.
--
-- After: the arrays have one element an account, in its order: the wallet's number, its holder's phone, both NULL
--        with the reason why there is none, and the numbers that are nearest to a wrong one, joined by commas.
--
-- An account is compared with the wallets one at a time, whatever the caller prefers for its own joins.
CREATE OR REPLACE FUNCTION core.route_accounts(
    p_accounts text[],
    OUT wallets     text[],
    OUT phones      text[],
    OUT reasons     text[],
    OUT suggestions text[]
)
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_nestloop = on
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
BEGIN
    SELECT array_agg(r.wallet_id ORDER BY t.ord), array_agg(r.phone ORDER BY t.ord), array_agg(r.reason ORDER BY t.ord),
           array_agg(
               CASE
                   WHEN r.reason IN ('wrong_check_digit', 'unknown_account')
                       THEN array_to_string(core.nearest_wallets(t.account), ',')
               END ORDER BY t.ord
           )
      INTO wallets, phones, reasons, suggestions
      FROM unnest(p_accounts) WITH ORDINALITY AS t (account, ord)
     CROSS JOIN LATERAL core.route_account(t.account) AS r;
END
$$;
