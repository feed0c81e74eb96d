-- Queues the event that something was done about a payment that is recorded already. For services.queue_movement_webhook and for
-- what people decide, where there is an endpoint.
--
-- p_outcome: what was done, the second word of the event's type. p_amount: what moved, or what it is about.
-- p_wallet, p_from: the wallets that got the money and gave it; NULL where that is nobody's wallet. p_reference: of the movement.
CREATE OR REPLACE FUNCTION services.queue_change_webhook(
    p_receipt text, p_outcome text, p_amount numeric, p_currency text, p_wallet text, p_from text, p_reference text,
    p_reason text, p_at timestamp
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $$
DECLARE
    v_data jsonb;
BEGIN
    SELECT jsonb_build_object(
               'receipt', p_receipt, 'outcome', p_outcome, 'amount', round(p_amount, 2)::text, 'currency', p_currency,
               'wallet', p_wallet, 'from', p_from, 'reference', p_reference, 'reason', p_reason,
               -- What a correction added can be sent back, too.
               'remaining', (
                   SELECT round(sum(core.remaining_of(t.id)), 2)::text
                     FROM core.transactions t
                    WHERE t.reference IN (p_receipt, 'CR-' || p_receipt) AND t.type = 'DEPOSIT'
               ),
               'shortCode', l.short_code, 'paidAt', services.webhook_time(l.paid_at),
               'recordedAt', services.webhook_time(p_at)
           )
      INTO v_data
      -- A payment from before the ledger has no log.
      FROM (SELECT) AS one
      LEFT JOIN services.mpesa_logs l ON l.mpesa_receipt = p_receipt;
    PERFORM services.queue_webhooks(p_types => ARRAY['deposit.' || p_outcome], p_data => ARRAY[v_data]);
END
$$;
