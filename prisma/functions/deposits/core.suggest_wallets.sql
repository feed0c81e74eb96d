-- Wallets that the payer of an account may have meant, and why: at most five, the likeliest first, each once.
--
-- reason: near_number         one digit of the number differs, or two neighbours are swapped
--         account_phone       what was typed is the phone number of this wallet, and of others
--         payer_phone         the number that paid is this wallet's, and no other's
--         payer_phone_hash    the same, of a number that came as its hash
--         payer_mask_and_name the number that paid came masked: what is shown of it fits this wallet's number, and a word of
--                             the payer's name is in its holder's
CREATE OR REPLACE FUNCTION core.suggest_wallets(
    p_account text, p_phone text, p_phone_hash text, p_name text DEFAULT NULL
)
RETURNS TABLE (wallet text, reason text)
LANGUAGE sql
STABLE
SET search_path = pg_catalog, pg_temp
-- It is asked about one payment at a time, and must not read all wallets because there were few when it was planned.
SET enable_seqscan = off
AS $$
    SELECT s.wallet, s.reason
      FROM (
        SELECT c.wallet, (array_agg(c.reason ORDER BY c.rank))[1] AS reason, min(c.rank) AS rank, min(c.place) AS place
          FROM (
            SELECT n.wallet, 'near_number' AS reason, 1 AS rank, 0 AS place
              FROM unnest(core.nearest_wallets(p_account)) AS n (wallet)
             UNION ALL
            SELECT w.id, 'account_phone', 2, 0
              FROM core.wallets w
             WHERE w.phone = core.normalize_phone(regexp_replace(coalesce(p_account, ''), '[\s\u00a0-]', '', 'g'))
               AND w.kind = 'CUSTOMER' AND w.status <> 'CLOSED'
             UNION ALL
            SELECT min(w.id), CASE WHEN p_phone IS NULL THEN 'payer_phone_hash' ELSE 'payer_phone' END, 3, 0
              FROM core.wallets w
             WHERE w.phone = coalesce(
                       core.normalize_phone(p_phone),
                       CASE WHEN p_phone IS NULL AND p_phone_hash IS NOT NULL THEN core.phone_of_hash(p_phone_hash) END
                   )
               AND w.kind = 'CUSTOMER' AND w.status <> 'CLOSED'
            HAVING count(*) = 1
             UNION ALL
            -- The more words fit, the likelier.
            SELECT w.id, 'payer_mask_and_name', 4, -cardinality(ARRAY(
                       SELECT unnest(core.name_words(w.holder_name)) INTERSECT SELECT unnest(core.name_words(p_name))
                   ))
              FROM core.wallets w
             WHERE core.mask_words(p_phone => w.phone, p_name => w.holder_name)
                   && core.mask_words(p_phone => p_phone, p_name => p_name)
               AND p_phone LIKE '%*%' AND w.kind = 'CUSTOMER' AND w.status <> 'CLOSED'
               AND services.may_be_phone(p_phone => w.phone, p_told => p_phone, p_hash => NULL)
          ) c
         GROUP BY c.wallet
         ORDER BY rank, place, c.wallet
         LIMIT 5
      ) s
$$;
