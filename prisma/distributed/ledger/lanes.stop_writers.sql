-- Lets nobody write what money leaves behind, on any node, until the caller's transaction ends. For the audit.
--
-- The tables are locked in the order in which deposits and transfers write them. A capture of a hold writes a wallet first, so
-- it and the audit may still wait for each other. Where another node finds that out, Citus says XX000 instead of 40P01; the
-- package repeats 40001.
CREATE OR REPLACE FUNCTION lanes.stop_writers()
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $$
BEGIN
    LOCK TABLE core.transactions, core.wallets, services.mpesa_logs, services.sms_logs IN SHARE MODE;
EXCEPTION
    WHEN internal_error THEN
        RAISE EXCEPTION 'writers on another node and the audit waited for each other' USING ERRCODE = '40001';
END
$$;
