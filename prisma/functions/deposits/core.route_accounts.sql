-- Whose wallets do these accounts mean? core.route_account for each of them, with the numbers that may have been meant.
-- What is no account can be the reference of a payment that we asked the payer's phone for (services.wallet_of_payment).
--
-- p_payers, p_hashes: who paid, as services.mpesa_logs has it in phone and phone_hash.
-- After: the arrays have one element an account, in its order: the wallet's number, its holder's phone, both NULL
--        with the reason why no wallet was found, and the wallets of core.suggest_wallets, joined by commas.
--
-- An account is compared with the wallets one at a time, whatever the caller prefers for its own joins.
CREATE OR REPLACE FUNCTION core.route_accounts(
    p_accounts text[],
    p_payers   text[],
    p_hashes   text[],
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
    SELECT array_agg(coalesce(r.wallet_id, p.id) ORDER BY t.ord), array_agg(coalesce(r.phone, p.phone) ORDER BY t.ord),
           array_agg(CASE WHEN p.id IS NULL THEN r.reason END ORDER BY t.ord),
           array_agg(
               CASE
                   WHEN r.reason IS NOT NULL AND p.id IS NULL THEN (
                       SELECT string_agg(s.wallet, ',') FROM core.suggest_wallets(
                           p_account => t.account, p_phone => t.payer, p_phone_hash => t.hash
                       ) AS s
                   )
               END ORDER BY t.ord
           )
      INTO wallets, phones, reasons, suggestions
      FROM unnest(p_accounts, p_payers, p_hashes) WITH ORDINALITY AS t (account, payer, hash, ord)
     CROSS JOIN LATERAL core.route_account(t.account) AS r
      LEFT JOIN core.wallets p ON r.reason IS NOT NULL AND p.id = services.wallet_of_payment(
        p_account => t.account, p_phone => t.payer, p_phone_hash => t.hash
      );
END
$$;
