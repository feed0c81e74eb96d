-- Queues an event for each payment of a batch that became something: everything but a duplicate. For
-- services.record_deposits, and only where there is an endpoint.
--
-- Arrays of equal length. p_receipts: NULL for what is no receipt. p_outcomes: as services.compare_deposits says them.
-- p_wallets: who was credited. p_door_reasons, p_reasons (may be NULL): why not who was meant.
CREATE OR REPLACE FUNCTION services.queue_deposit_webhooks(
    p_receipts text[], p_amounts numeric[], p_short_codes text[], p_paid_at timestamp[], p_outcomes text[],
    p_wallets text[], p_door_reasons text[], p_reasons text[], p_now timestamp
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $$
DECLARE
    v_types text[];
    v_data  jsonb[];
BEGIN
    SELECT array_agg('deposit.' || d.outcome ORDER BY d.ord),
           array_agg(jsonb_build_object(
               'receipt', d.receipt, 'outcome', d.outcome, 'amount', d.amount, 'currency', 'KES',
               'wallet', CASE WHEN d.outcome = 'credited' THEN d.wallet END,
               'reference', CASE WHEN d.outcome IN ('credited', 'suspense') THEN d.receipt END,
               'reason', CASE
                   WHEN d.outcome = 'held' THEN 'above_limit'
                   WHEN d.outcome = 'refused' AND d.receipt IS NULL THEN 'invalid_receipt'
                   WHEN d.outcome IN ('refused', 'suspense') THEN d.reason
               END,
               'shortCode', d.short_code, 'paidAt', services.webhook_time(d.paid_at),
               'recordedAt', services.webhook_time(p_now)
           ) ORDER BY d.ord)
      INTO v_types, v_data
      FROM (
        SELECT t.*, coalesce(t.door_reason, t.route_reason) AS reason,
               CASE WHEN round(t.sum, 2) = t.sum THEN round(t.sum, 2) ELSE t.sum END::text AS amount,
               CASE
                   WHEN t.became = 'created' AND t.wallet = 'SUSPENSE' THEN 'suspense'
                   WHEN t.became = 'created' THEN 'credited'
                   ELSE t.became
               END AS outcome
          FROM unnest(
            p_receipts, p_amounts, p_short_codes, p_paid_at, p_outcomes, p_wallets, p_door_reasons, p_reasons
          ) WITH ORDINALITY AS t (receipt, sum, short_code, paid_at, became, wallet, door_reason, route_reason, ord)
         WHERE t.became <> 'duplicate'
      ) d;
    PERFORM services.queue_webhooks(p_types => v_types, p_data => v_data);
END
$$;
