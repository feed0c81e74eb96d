-- Queues the messages about deposits, in the transaction that posted them. For services.record_deposits.
--
-- Arrays of equal length, one element a deposit; p_ids is NULL for what was not posted. The holder of the wallet is told,
-- or, when the money waits in suspense, the payer. A payer whose number came as a hash is told where the provider accepts
-- hashes; a masked number cannot be sent to, and the row says so.
CREATE OR REPLACE FUNCTION services.queue_deposit_sms(
    p_now           timestamp,
    p_ids           uuid[],
    p_receipts      text[],
    p_amounts       numeric[],
    p_payer_phones  text[],
    p_phone_hashes  text[],
    p_payer_names   text[],
    p_holder_phones text[],
    p_languages     text[], -- of the holders
    p_credited      text[], -- accounts: SUSPENSE for each of its stripes
    p_balances      numeric[],
    p_lanes         smallint[]
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
AS $$
BEGIN
    INSERT INTO services.sms_logs (
        id, recipient, recipient_hash, message, status, phase, error_code, error_message, created_at, next_attempt_at,
        transaction_reference, template, language, lane
    )
    SELECT t.id, CASE WHEN t.is_number THEN t.recipient END, CASE WHEN t.is_hash THEN t.phone_hash END,
           services.sms_text(
               p_formats => m.formats, p_language => t.language, p_reference => t.receipt, p_amount => t.amount,
               p_currency => 'KES', p_wallet => t.credited, p_name => services.sms_name(t.payer_name),
               p_balance => CASE WHEN t.template = 'deposit' THEN t.balance END
           ),
           CASE WHEN t.is_number OR t.is_hash THEN 'PENDING' ELSE 'FAILED' END,
           CASE WHEN t.is_number OR t.is_hash THEN 'QUEUED' ELSE 'DONE' END,
           CASE WHEN t.is_number OR t.is_hash THEN NULL ELSE 'masked_number' END,
           CASE
               WHEN t.is_number OR t.is_hash THEN NULL
               ELSE 'M-PESA masked the payer''s number, so we cannot notify them. The money stays in suspense until they contact us.'
           END,
           p_now, p_now, t.receipt, t.template, t.language, t.lane
      FROM (
        SELECT r.*,
               -- A holder's number was checked when it was written.
               r.template = 'deposit' AND r.recipient IS NOT NULL
                   OR coalesce(r.recipient ~ '^[0-9]{9,15}$', false) AS is_number,
               r.recipient IS NULL AND length(r.phone_hash) = 64 AS is_hash
          FROM (
            SELECT p.id, p.receipt, p.amount, p.credited, p.balance, p.phone_hash, p.payer_name, p.lane,
                   CASE WHEN p.credited = 'SUSPENSE' THEN 'deposit_suspense' ELSE 'deposit' END AS template,
                   CASE WHEN p.credited = 'SUSPENSE' THEN 'en' ELSE p.language END AS language,
                   CASE
                       WHEN p.credited <> 'SUSPENSE' THEN p.holder_phone
                       WHEN p.payer_phone IS NULL AND p.phone_hash IS NOT NULL THEN core.phone_of_hash(p.phone_hash)
                       ELSE p.payer_phone
                   END AS recipient
              FROM unnest(
                p_ids, p_receipts, p_amounts, p_payer_phones, p_phone_hashes, p_payer_names, p_holder_phones,
                p_languages, p_credited, p_balances, p_lanes
              ) AS p (
                id, receipt, amount, payer_phone, phone_hash, payer_name, holder_phone, language, credited, balance,
                lane
              )
             WHERE p.id IS NOT NULL
          ) r
      ) t
      LEFT JOIN services.sms_templates m
        ON m.key = t.template AND m.language = t.language AND m.key IN ('deposit', 'deposit_suspense')
     WHERE t.recipient IS NOT NULL OR t.phone_hash IS NOT NULL;
END
$$;
