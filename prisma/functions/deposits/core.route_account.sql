-- Which customer's wallet does the account that a payer typed mean?
--
-- Tried in this order: the number exactly as typed; without spaces and hyphens; the customer's own phone number,
-- if exactly one wallet that is not closed has it. Never "the first that matches", and never a system wallet.
--
-- After: one row. wallet_id is the wallet and phone its holder's, or both are NULL with the reason: no_account,
--        ambiguous_phone, wrong_check_digit (ten digits, but no number of ours can look so), unknown_account.
CREATE OR REPLACE FUNCTION core.route_account(p_account text)
RETURNS TABLE (wallet_id text, phone text, reason text)
LANGUAGE sql
STABLE
AS $$
    SELECT coalesce(e.id, w.id)::text,
           coalesce(e.phone, w.phone)::text,
           CASE
               WHEN e.id IS NOT NULL OR w.id IS NOT NULL THEN NULL
               WHEN s.typed = '' THEN 'no_account'
               WHEN EXISTS (
                   SELECT 1 FROM core.wallets a WHERE a.phone = core.normalize_phone(s.typed) AND a.kind = 'CUSTOMER'
                      AND a.status <> 'CLOSED'
               ) THEN 'ambiguous_phone'
               WHEN s.typed ~ '^[1-9][0-9]{9}$' AND NOT core.has_check_digit(s.typed) THEN 'wrong_check_digit'
               ELSE 'unknown_account'
           END
      FROM (SELECT 1) AS one
      LEFT JOIN core.wallets e ON e.id = p_account AND e.kind = 'CUSTOMER'
     -- What follows is looked at only when nothing has exactly the number that was typed.
     CROSS JOIN LATERAL (
        SELECT CASE
                   WHEN e.id IS NULL THEN regexp_replace(coalesce(p_account, ''), '[\s\u00a0-]', '', 'g')
               END
     ) AS s (typed)
      LEFT JOIN core.wallets w ON w.id = CASE
        WHEN e.id IS NULL THEN coalesce(
            (SELECT n.id FROM core.wallets n WHERE n.id = s.typed AND n.kind = 'CUSTOMER'),
            (
                SELECT min(p.id)
                  FROM core.wallets p
                 WHERE p.phone = core.normalize_phone(s.typed) AND p.kind = 'CUSTOMER' AND p.status <> 'CLOSED'
                HAVING count(*) = 1
            )
        )
     END
$$;
