-- What a wallet had after one of its postings; NULL where it has none of that version.
CREATE OR REPLACE FUNCTION lanes.balance_after(p_wallet text, p_version bigint)
RETURNS numeric
LANGUAGE plpgsql
VOLATILE
AS $$
BEGIN
    RETURN (
        SELECT CASE WHEN l.is_debit THEN (l.transaction).debit_balance_after ELSE (l.transaction).credit_balance_after END
          FROM lanes.legs_of(p_wallet => p_wallet, p_after => p_version - 1, p_last => p_version, p_limit => 1) AS l
    );
END
$$;
