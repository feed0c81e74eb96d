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
            SELECT p_ids[i] AS id, p_receipts[i] AS receipt, p_amounts[i] AS amount, p_credited[i] AS credited,
                   p_balances[i] AS balance, p_phone_hashes[i] AS phone_hash, p_payer_names[i] AS payer_name,
                   p_lanes[i] AS lane,
                   CASE WHEN p_credited[i] = 'SUSPENSE' THEN 'deposit_suspense' ELSE 'deposit' END AS template,
                   CASE WHEN p_credited[i] = 'SUSPENSE' THEN 'en' ELSE p_languages[i] END AS language,
                   CASE
                       WHEN p_credited[i] <> 'SUSPENSE' THEN p_holder_phones[i]
                       WHEN p_payer_phones[i] IS NULL AND p_phone_hashes[i] IS NOT NULL
                           THEN core.phone_of_hash(p_phone_hashes[i])
                       ELSE p_payer_phones[i]
                   END AS recipient
              FROM generate_series(1, cardinality(p_ids)) AS i
             WHERE p_ids[i] IS NOT NULL
             OFFSET 0 -- Each expression is worked out once a message.
          ) r
      ) t
      LEFT JOIN services.sms_templates m
        ON m.key = t.template AND m.language = t.language AND m.key IN ('deposit', 'deposit_suspense')
     WHERE t.recipient IS NOT NULL OR t.phone_hash IS NOT NULL;
END
$$;
