-- The text that tells a customer what happened to his money, in English (en) or Swahili (sw).
--
-- Letters, digits and marks of the GSM-7 alphabet only, none of them from its extension, and with facts of the usual
-- lengths one part of 160 characters. A counterparty's name is cut and freed of what would need another alphabet.
--
-- p_template: deposit, deposit_suspense, transfer_out, transfer_in, transfer_refused, reversal_debit, reversal_credit,
--             suspense_assigned. Any other, and any other language, gives a plain sentence in English: news that is
--             worded badly must not undo the money that it tells about, so this never fails and is never NULL.
-- p_other:    the counterparty's name or number. p_balance: after it, NULL to leave it out.
CREATE OR REPLACE FUNCTION services.sms_text(
    p_template text, p_language text, p_reference text, p_amount numeric, p_currency text, p_wallet text, p_other text,
    p_balance numeric
)
RETURNS text
LANGUAGE sql
IMMUTABLE
AS $$
    SELECT CASE
               WHEN p_language = 'sw' THEN CASE p_template
                   WHEN 'deposit' THEN f.reference || ' imethibitishwa. Umepokea ' || f.money || ' kwenye pochi ' || f.wallet || '.'
                   WHEN 'deposit_suspense' THEN f.reference || ' imethibitishwa. ' || f.money
                       || ' zimepokelewa na ziko salama, ila bado hazina pochi. Wasiliana nasi kwa namba hii.'
                   WHEN 'transfer_out' THEN f.reference || ' imethibitishwa. Umetuma ' || f.money || ' kwa ' || f.other || '.'
                   WHEN 'transfer_in' THEN f.reference || ' imethibitishwa. Umepokea ' || f.money || ' kutoka kwa ' || f.other || '.'
                   WHEN 'transfer_refused' THEN f.money || ' kwa ' || f.other || ' hazikutumwa. Pesa haijatoka kwenye pochi yako.'
                   WHEN 'reversal_debit' THEN f.reference || ' imethibitishwa. ' || f.money || ' zimerudishwa kutoka pochi yako ' || f.wallet || '.'
                   WHEN 'reversal_credit' THEN f.reference || ' imethibitishwa. ' || f.money || ' zimerudishwa kwenye pochi yako ' || f.wallet || '.'
                   WHEN 'suspense_assigned' THEN f.reference || ': ' || f.money || ' zilizosubiri sasa ziko kwenye pochi ' || f.wallet || '.'
                   ELSE f.reference || ' confirmed. ' || f.money || '.'
               END
               ELSE CASE p_template
                   WHEN 'deposit' THEN f.reference || ' confirmed. ' || f.money || ' received in wallet ' || f.wallet || '.'
                   WHEN 'deposit_suspense' THEN f.reference || ' confirmed. ' || f.money
                       || ' received and safe, but not in a wallet yet. Contact us with this code.'
                   WHEN 'transfer_out' THEN f.reference || ' confirmed. ' || f.money || ' sent to ' || f.other || '.'
                   WHEN 'transfer_in' THEN f.reference || ' confirmed. ' || f.money || ' received from ' || f.other || '.'
                   WHEN 'transfer_refused' THEN f.money || ' to ' || f.other || ' was not sent. No money has left your wallet.'
                   WHEN 'reversal_debit' THEN f.reference || ' confirmed. ' || f.money || ' was taken back from your wallet ' || f.wallet || '.'
                   WHEN 'reversal_credit' THEN f.reference || ' confirmed. ' || f.money || ' was returned to your wallet ' || f.wallet || '.'
                   WHEN 'suspense_assigned' THEN f.reference || ': ' || f.money || ' that waited is now in wallet ' || f.wallet || '.'
                   ELSE f.reference || ' confirmed. ' || f.money || '.'
               END
           END
           || coalesce(
               CASE
                   WHEN p_template = 'deposit_suspense' THEN NULL
                   WHEN p_template = 'transfer_refused' THEN CASE WHEN p_language = 'sw' THEN ' Salio ' ELSE ' Balance ' END
                   WHEN p_language = 'sw' THEN ' Salio jipya '
                   ELSE ' New balance '
               END
               || coalesce(p_currency, 'KES') || ' ' || to_char(p_balance, 'FM99,999,999,999,999,990.00') || '.',
               ''
           )
      FROM (
        SELECT coalesce(p_reference, '') AS reference,
               coalesce(p_currency, 'KES') || ' ' || coalesce(to_char(p_amount, 'FM99,999,999,999,999,990.00'), '0.00') AS money,
               coalesce(p_wallet, '') AS wallet,
               -- Accents go, and with them what is not a plain letter; of a name in another script nothing is left.
               coalesce(
                   nullif(btrim(left(btrim(regexp_replace(
                       CASE WHEN p_other ~ '[^ -~]' THEN normalize(p_other, NFKD) ELSE p_other END,
                       '[^A-Za-z0-9 .,''&/()+*:-]', '', 'g'
                   )), 25)), ''),
                   CASE WHEN p_language = 'sw' THEN 'mteja' ELSE 'a customer' END
               ) AS other
      ) f
$$;
