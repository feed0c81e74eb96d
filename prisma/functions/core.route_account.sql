-- Which customer's wallet does the account that a payer typed mean?
--
-- Tried in this order: the number exactly as typed; without spaces and hyphens; the customer's own phone number,
-- if exactly one wallet has it. Never "the first that matches", and never a system wallet.
--
-- After: one row. wallet_id is the wallet, or NULL with the reason: no_account, ambiguous_phone,
--        wrong_check_digit (ten digits, but no number of ours can look so), unknown_account.
CREATE OR REPLACE FUNCTION core.route_account(p_account text)
RETURNS TABLE (wallet_id text, reason text)
LANGUAGE sql
STABLE
AS $$
    SELECT m.wallet_id,
           CASE
               WHEN m.wallet_id IS NOT NULL THEN NULL
               WHEN m.typed = '' THEN 'no_account'
               WHEN EXISTS (
                   SELECT 1 FROM core.wallets w WHERE w.phone = core.normalize_phone(m.typed) AND w.kind = 'CUSTOMER'
               ) THEN 'ambiguous_phone'
               WHEN m.typed ~ '^[1-9][0-9]{9}$' AND NOT core.has_check_digit(m.typed) THEN 'wrong_check_digit'
               ELSE 'unknown_account'
           END
      FROM (
        SELECT s.typed,
               coalesce(
                   (SELECT w.id FROM core.wallets w WHERE w.id = p_account AND w.kind = 'CUSTOMER'),
                   (SELECT w.id FROM core.wallets w WHERE w.id = s.typed AND w.kind = 'CUSTOMER'),
                   (
                       SELECT min(w.id)
                         FROM core.wallets w
                        WHERE w.phone = core.normalize_phone(s.typed) AND w.kind = 'CUSTOMER'
                       HAVING count(*) = 1
                   )
               ) AS wallet_id
          FROM (SELECT regexp_replace(coalesce(p_account, ''), '[\s\u00a0-]', '', 'g')) AS s (typed)
        OFFSET 0 -- so that the look-ups above run once, not once for each mention of wallet_id
      ) m
$$;
