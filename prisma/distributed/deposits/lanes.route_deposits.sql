-- Whose wallets do these accounts mean, whichever lanes they are in? What core.route_accounts answers, asked in the form in
-- which every node of a distributed database can ask it.
--
-- p_payers, p_hashes: who paid, as services.mpesa_logs has it in phone and phone_hash.
-- After: the arrays have one element an account: the wallet's number, NULL with the reason why none was found, the numbers
--        that may have been meant, joined by commas, and the lane of the wallet or else of what was typed; and the payer's
--        phone, where the hash is that of a customer's.
CREATE OR REPLACE FUNCTION lanes.route_deposits(
    p_accounts text[], p_payers text[], p_hashes text[],
    OUT wallets text[], OUT reasons text[], OUT suggestions text[], OUT lanes smallint[], OUT phones text[]
)
LANGUAGE plpgsql
STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_lanes  smallint[];
    v_hashes text[];
    v_known  text[];
    r        record;
BEGIN
    SELECT array_agg(core.lane_of(coalesce(t.account, '')) ORDER BY t.ord)
      INTO lanes
      FROM unnest(p_accounts) WITH ORDINALITY AS t (account, ord);
    SELECT array_agg(DISTINCT l.lane) INTO v_lanes FROM unnest(lanes) AS l (lane);

    -- ---- 1. Nearly all are a wallet's number exactly ----

    SELECT array_agg(w.id::text)
      INTO v_known
      FROM core.wallets w
     WHERE w.lane = ANY (v_lanes) AND w.id = ANY (p_accounts) AND w.kind = 'CUSTOMER';
    SELECT array_agg(k.id ORDER BY t.ord)
      INTO wallets
      FROM unnest(p_accounts) WITH ORDINALITY AS t (account, ord)
      LEFT JOIN unnest(v_known) AS k (id) ON k.id = t.account;

    -- ---- 2. Payers whose number came as its hash ----

    phones := p_payers;
    SELECT array_agg(DISTINCT t.hash)
      INTO v_hashes
      FROM unnest(p_payers, p_hashes) AS t (payer, hash)
     WHERE t.payer IS NULL AND t.hash NOT LIKE '%*%';
    IF v_hashes IS NOT NULL THEN
        SELECT array_agg(DISTINCT w.phone::text)
          INTO v_known
          FROM core.wallets w
         WHERE encode(sha256(w.phone::bytea), 'hex') COLLATE "C" = ANY (v_hashes);
        SELECT array_agg(coalesce(t.payer, k.phone) ORDER BY t.ord)
          INTO phones
          FROM unnest(p_payers, p_hashes) WITH ORDINALITY AS t (payer, hash, ord)
          LEFT JOIN unnest(v_known) AS k (phone) ON encode(sha256(k.phone::bytea), 'hex') = t.hash;
    END IF;
    FOR i IN 1 .. cardinality(p_accounts) LOOP
        IF p_payers[i] IS NULL AND p_hashes[i] LIKE '%*%' THEN
            phones[i] := core.phone_of_hash(p_hashes[i]);
        END IF;

        -- ---- 3. The others, one at a time ----

        CONTINUE WHEN wallets[i] IS NOT NULL;
        SELECT a.wallet, a.reason, a.names INTO r FROM lanes.route_account(p_account => p_accounts[i], p_payer => phones[i]) AS a;
        wallets[i] := coalesce(r.wallet, services.wallet_of_payment(
            p_account => p_accounts[i], p_phone => p_payers[i], p_phone_hash => p_hashes[i]
        ));
        IF wallets[i] IS NULL THEN
            reasons[i] := r.reason;
            suggestions[i] := array_to_string(r.names, ',');
        ELSE
            lanes[i] := core.lane_of(wallets[i]);
        END IF;
    END LOOP;
END
$$;
