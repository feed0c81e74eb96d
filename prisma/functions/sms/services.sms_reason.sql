-- Why a transfer was refused, in words for the customer who sent it. Of the other side's wallet it says no more than
-- that it receives nothing: whether it is frozen or closed is its holder's matter.
CREATE OR REPLACE FUNCTION services.sms_reason(p_reason text, p_language text)
RETURNS text
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $$
    SELECT CASE
        WHEN p_language = 'sw' THEN CASE p_reason
            WHEN 'insufficient_funds' THEN 'salio lako halitoshi'
            WHEN 'unknown_wallet' THEN 'nambari ya pochi haipo'
            WHEN 'own_wallet' THEN 'pochi yako imefungwa'
            WHEN 'wallet_frozen' THEN 'pochi hiyo haipokei pesa kwa sasa'
            WHEN 'wallet_closed' THEN 'pochi hiyo haipokei pesa kwa sasa'
            ELSE 'haikuwezekana kwa sasa'
        END
        ELSE CASE p_reason
            WHEN 'insufficient_funds' THEN 'your balance is too low'
            WHEN 'unknown_wallet' THEN 'no wallet has this number'
            WHEN 'own_wallet' THEN 'your wallet is locked'
            WHEN 'wallet_frozen' THEN 'that wallet cannot receive money now'
            WHEN 'wallet_closed' THEN 'that wallet cannot receive money now'
            ELSE 'it cannot be done now'
        END
    END
$$;
