-- What the text of a message may fill in, by its key: all that it needs, and what it may have besides. NULL for a key
-- that no message has.
CREATE OR REPLACE FUNCTION services.sms_placeholders(p_key text, OUT needed text[], OUT allowed text[])
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $$
    SELECT k.needed, k.needed || k.besides
      FROM (VALUES
        ('deposit', ARRAY['reference', 'amount', 'wallet'], ARRAY['name', 'balance']),
        ('deposit_suspense', ARRAY['reference', 'amount'], ARRAY['name']),
        ('transfer_out', ARRAY['reference', 'amount', 'name'], ARRAY['wallet', 'balance']),
        ('transfer_in', ARRAY['reference', 'amount', 'name'], ARRAY['wallet', 'balance']),
        ('transfer_refused', ARRAY['amount', 'name', 'reason'], ARRAY['wallet']),
        ('withdrawal', ARRAY['reference', 'amount'], ARRAY['wallet', 'balance']),
        ('reversal_debit', ARRAY['reference', 'amount'], ARRAY['wallet', 'balance']),
        ('reversal_credit', ARRAY['reference', 'amount'], ARRAY['wallet', 'balance']),
        ('suspense_assigned', ARRAY['reference', 'amount', 'wallet'], ARRAY['balance'])
      ) AS k (key, needed, besides)
     WHERE k.key = p_key
$$;
