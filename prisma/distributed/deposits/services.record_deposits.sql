-- services.record_deposits of a distributed database: the same arguments, the same answers, on whichever node it is called.
--
-- It finds the wallets and their lanes, claims the receipts, and has the payments of each lane recorded where the lane is, by
-- lanes.record_deposits. All of it is one transaction, which the nodes commit together.
--
-- A receipt is unique in each lane by an index. That it is in one lane only is what the claim is for: its row, in a
-- table that is distributed by the receipt, names the lane. What comes later under the same receipt, for whichever account,
-- goes to that lane and finds it taken.
--
-- Locks are taken in one order: claims, then the lanes by number, in each the customers' wallets by number and then the
-- system's.
CREATE OR REPLACE FUNCTION services.record_deposits(
    p_receipts     text[],
    p_amounts      numeric[],
    p_short_codes  text[],
    p_accounts     text[],
    p_paid_at      timestamp[],
    p_phones       text[],
    p_phone_hashes text[],
    p_names        text[],
    p_payloads     text[],
    p_kinds        text[],
    p_sources      text[],
    p_body_starts  integer[],
    p_body_lengths integer[],
    p_bodies       bytea,
    p_max_amount   numeric DEFAULT NULL,
    p_is_release   boolean DEFAULT false
)
RETURNS TABLE (
    ord integer, outcome text, original text, reason text, suggestions text,
    wallet text, transaction_id uuid, amount numeric, balance_after numeric,
    created_at timestamp, verification_hash text, recorded_short_code text
)
LANGUAGE plpgsql
VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    n             constant integer := coalesce(array_length(p_receipts, 1), 0);
    v_wallets     text[];
    v_reasons     text[];
    v_suggestions text[];
    v_lanes       smallint[];
    v_phones      text[];
    v_lane        smallint;
    d             record; -- the payments of a lane, one array a column
    a             record; -- what became of them
    v_ords        integer[] := '{}'; -- and what follows: of all lanes, one after the other
    v_outcomes    text[] := '{}';
    v_originals   text[] := '{}';
    v_whys        text[] := '{}';
    v_meant       text[] := '{}';
    v_credited    text[] := '{}';
    v_ids         uuid[] := '{}';
    v_amounts     numeric[] := '{}';
    v_balances    numeric[] := '{}';
    v_times       timestamp[] := '{}';
    v_hashes      text[] := '{}';
    v_codes       text[] := '{}';
BEGIN
    -- ---- 1. Routing and claims, whichever lanes they concern ----

    SELECT r.wallets, r.reasons, r.suggestions, r.lanes, r.phones
      INTO v_wallets, v_reasons, v_suggestions, v_lanes, v_phones
      FROM lanes.route_deposits(p_accounts => p_accounts, p_payers => p_phones, p_hashes => p_phone_hashes) AS r;
    v_lanes := lanes.claim_references(p_references => p_receipts, p_lanes => v_lanes);

    -- ---- 2. Recording, lane by lane ----

    FOR v_lane IN SELECT DISTINCT l.lane FROM unnest(v_lanes) AS l (lane) ORDER BY l.lane LOOP
        SELECT array_agg(i ORDER BY i) AS items, array_agg(p_receipts[i] ORDER BY i) AS receipts,
               array_agg(p_amounts[i] ORDER BY i) AS amounts, array_agg(p_short_codes[i] ORDER BY i) AS short_codes,
               array_agg(p_accounts[i] ORDER BY i) AS accounts, array_agg(p_paid_at[i] ORDER BY i) AS paid_at,
               array_agg(v_phones[i] ORDER BY i) AS phones, array_agg(p_phone_hashes[i] ORDER BY i) AS phone_hashes,
               array_agg(p_names[i] ORDER BY i) AS names, array_agg(p_payloads[i] ORDER BY i) AS payloads,
               array_agg(p_kinds[i] ORDER BY i) AS kinds, array_agg(p_sources[i] ORDER BY i) AS sources,
               array_agg(b.start ORDER BY i) AS starts, array_agg(p_body_lengths[i] ORDER BY i) AS lengths,
               string_agg(substr(p_bodies, p_body_starts[i], p_body_lengths[i]), ''::bytea ORDER BY i) AS bodies,
               array_agg(v_wallets[i] ORDER BY i) AS wallets, array_agg(v_suggestions[i] ORDER BY i) AS suggestions,
               nullif(array_agg(v_reasons[i] ORDER BY i), array_agg(NULL::text)) AS reasons
          INTO d
          FROM (
            SELECT i, (1 + sum(p_body_lengths[i]) OVER (ORDER BY i) - p_body_lengths[i])::integer AS start
              FROM generate_series(1, n) AS i
             WHERE v_lanes[i] = v_lane
          ) AS b;
        -- A call in FROM, with values and nothing else, goes whole to the node that has the lane.
        SELECT array_agg((d.items)[r.ord]) AS ords, array_agg(r.outcome) AS outcomes, array_agg(r.original) AS originals,
               array_agg(r.reason) AS reasons, array_agg(r.suggestions) AS suggestions, array_agg(r.wallet) AS wallets,
               array_agg(r.transaction_id) AS ids, array_agg(r.amount) AS amounts, array_agg(r.balance_after) AS balances,
               array_agg(r.created_at) AS times, array_agg(r.verification_hash) AS hashes,
               array_agg(r.recorded_short_code) AS codes
          INTO a
          FROM lanes.record_deposits(
              p_lane => v_lane, p_wallets => d.wallets, p_reasons => d.reasons, p_suggestions => d.suggestions,
              p_receipts => d.receipts, p_amounts => d.amounts, p_short_codes => d.short_codes, p_accounts => d.accounts,
              p_paid_at => d.paid_at, p_phones => d.phones, p_phone_hashes => d.phone_hashes, p_names => d.names,
              p_payloads => d.payloads, p_kinds => d.kinds, p_sources => d.sources, p_body_starts => d.starts,
              p_body_lengths => d.lengths, p_bodies => d.bodies, p_max_amount => p_max_amount, p_is_release => p_is_release
          ) AS r;
        v_ords := v_ords || a.ords; v_outcomes := v_outcomes || a.outcomes; v_originals := v_originals || a.originals;
        v_whys := v_whys || a.reasons; v_meant := v_meant || a.suggestions; v_credited := v_credited || a.wallets;
        v_ids := v_ids || a.ids; v_amounts := v_amounts || a.amounts; v_balances := v_balances || a.balances;
        v_times := v_times || a.times; v_hashes := v_hashes || a.hashes; v_codes := v_codes || a.codes;
    END LOOP;

    -- ---- 3. What no lane has: claims that came to nothing, further messages of a receipt, events ----

    SELECT array_agg(CASE WHEN v_outcomes[i] IN ('credited', 'suspense') THEN v_ids[i] END ORDER BY i) AS ids,
           array_agg(p_receipts[v_ords[i]] ORDER BY i) AS receipts, array_agg(p_amounts[v_ords[i]] ORDER BY i) AS amounts,
           array_agg(p_phone_hashes[v_ords[i]] ORDER BY i) AS hashes,
           array_agg(p_kinds[v_ords[i]] ORDER BY i) AS kinds, array_agg(p_short_codes[v_ords[i]] ORDER BY i) AS short_codes,
           array_agg(p_accounts[v_ords[i]] ORDER BY i) AS accounts, array_agg(p_paid_at[v_ords[i]] ORDER BY i) AS paid_at,
           array_agg(p_phones[v_ords[i]] ORDER BY i) AS told
      INTO d
      FROM generate_series(1, n) AS i;
    PERFORM 1 FROM lanes.set_door('open');
    PERFORM services.settle_by_deposits(
        p_ids => d.ids, p_receipts => d.receipts, p_kinds => d.kinds, p_amounts => d.amounts,
        p_short_codes => d.short_codes, p_accounts => d.accounts, p_paid_at => d.paid_at, p_phones => d.told,
        p_phone_hashes => d.hashes, p_wallets => v_credited
    );
    PERFORM 1 FROM lanes.set_door('');

    IF 'refused' = ANY (v_outcomes) THEN
        PERFORM lanes.free_references(ARRAY(
            SELECT p_receipts[v_ords[i]] FROM generate_series(1, n) AS i WHERE v_outcomes[i] = 'refused'
        ));
    END IF;
    IF 'duplicate' = ANY (v_outcomes) OR 'conflict' = ANY (v_outcomes) THEN
        SELECT array_agg(v_ords[i] ORDER BY v_ords[i]) AS items, array_agg(v_credited[i] ORDER BY v_ords[i]) AS credited
          INTO d
          FROM generate_series(1, n) AS i
         WHERE v_outcomes[i] IN ('duplicate', 'conflict');
        PERFORM lanes.note_witnesses(
            p_receipts => ARRAY(SELECT p_receipts[i] FROM unnest(d.items) AS i),
            p_kinds => ARRAY(SELECT p_kinds[i] FROM unnest(d.items) AS i),
            p_amounts => ARRAY(SELECT p_amounts[i] FROM unnest(d.items) AS i),
            p_short_codes => ARRAY(SELECT p_short_codes[i] FROM unnest(d.items) AS i),
            p_accounts => ARRAY(SELECT p_accounts[i] FROM unnest(d.items) AS i),
            p_phones => ARRAY(SELECT p_phones[i] FROM unnest(d.items) AS i),
            p_phone_hashes => ARRAY(SELECT p_phone_hashes[i] FROM unnest(d.items) AS i),
            p_names => ARRAY(SELECT p_names[i] FROM unnest(d.items) AS i),
            p_wallets => ARRAY(SELECT v_wallets[i] FROM unnest(d.items) AS i), p_credited => d.credited,
            p_lanes => ARRAY(SELECT v_lanes[i] FROM unnest(d.items) AS i)
        );
    END IF;
    IF EXISTS (SELECT FROM services.webhooks w WHERE w.status = 'ACTIVE') THEN
        PERFORM 1 FROM lanes.set_door('open');
        PERFORM services.queue_deposit_webhooks(
            p_receipts => ARRAY(SELECT CASE WHEN v_whys[i] = 'invalid_receipt' THEN NULL ELSE p_receipts[v_ords[i]] END FROM generate_series(1, n) AS i),
            p_amounts => ARRAY(SELECT p_amounts[v_ords[i]] FROM generate_series(1, n) AS i),
            p_short_codes => ARRAY(SELECT p_short_codes[v_ords[i]] FROM generate_series(1, n) AS i),
            p_paid_at => ARRAY(SELECT p_paid_at[v_ords[i]] FROM generate_series(1, n) AS i),
            p_outcomes => ARRAY(
                SELECT CASE WHEN v_outcomes[i] IN ('credited', 'suspense') THEN 'created' ELSE v_outcomes[i] END
                  FROM generate_series(1, n) AS i
            ),
            p_wallets => v_credited, p_door_reasons => v_whys, p_reasons => NULL, p_now => v_times[1]
        );
        PERFORM 1 FROM lanes.set_door('');
    END IF;

    RETURN QUERY
    SELECT v_ords[i], v_outcomes[i], v_originals[i], v_whys[i], v_meant[i], v_credited[i], v_ids[i], v_amounts[i],
           v_balances[i], v_times[i], v_hashes[i], v_codes[i]
      FROM generate_series(1, n) AS i;
END
$$;
