-- The text that tells a customer what happened to his money, in English (en) or Swahili (sw).
--
-- Letters, digits and marks of the GSM-7 alphabet only, none of them from its extension, and with facts of the usual
-- lengths one part of 160 characters. A counterparty's name is cut and freed of what would need another alphabet.
--
-- p_template: deposit, deposit_suspense, transfer_out, transfer_in, transfer_refused, withdrawal, reversal_debit,
--             reversal_credit, suspense_assigned. Any other, and any other language, gives a plain sentence in English: news that is
--             worded badly must not undo the money that it tells about, so this never fails and is never NULL.
-- p_other:    the counterparty's name or number. p_balance: after it, NULL to leave it out.
--
-- In plpgsql: as an SQL function it would be started anew for every message, which costs ten times as much.
CREATE OR REPLACE FUNCTION services.sms_text(
    p_template text, p_language text, p_reference text, p_amount numeric, p_currency text, p_wallet text, p_other text,
    p_balance numeric
)
RETURNS text
LANGUAGE plpgsql
IMMUTABLE
AS $$
DECLARE
    c_money     constant text := 'FM99,999,999,999,999,990.00';
    v_reference constant text := coalesce(p_reference, '');
    v_currency  constant text := coalesce(p_currency, 'KES');
    v_money     constant text := v_currency || ' ' || coalesce(to_char(p_amount, c_money), '0.00');
    v_wallet    constant text := coalesce(p_wallet, '');
    v_other     text;
    v_text      text;
BEGIN
    IF p_template IN ('transfer_out', 'transfer_in', 'transfer_refused') THEN
        -- Accents go, and with them what is not a plain letter; of a name in another script nothing is left.
        v_other := coalesce(
            nullif(btrim(left(btrim(regexp_replace(
                CASE WHEN p_other ~ '[^ -~]' THEN normalize(p_other, NFKD) ELSE p_other END,
                '[^A-Za-z0-9 .,''&/()+*:-]', '', 'g'
            )), 25)), ''),
            CASE WHEN p_language = 'sw' THEN 'mteja' ELSE 'a customer' END
        );
    END IF;

    IF p_language = 'sw' THEN
        v_text := CASE p_template
            WHEN 'deposit' THEN v_reference || ' imethibitishwa. Umepokea ' || v_money || ' kwenye pochi ' || v_wallet || '.'
            WHEN 'deposit_suspense' THEN v_reference || ' imethibitishwa. ' || v_money
                || ' zimepokelewa na ziko salama, ila bado hazina pochi. Wasiliana nasi kwa namba hii.'
            WHEN 'transfer_out' THEN v_reference || ' imethibitishwa. Umetuma ' || v_money || ' kwa ' || v_other || '.'
            WHEN 'transfer_in' THEN v_reference || ' imethibitishwa. Umepokea ' || v_money || ' kutoka kwa ' || v_other || '.'
            WHEN 'transfer_refused' THEN v_money || ' kwa ' || v_other || ' hazikutumwa. Pesa haijatoka kwenye pochi yako.'
            WHEN 'withdrawal' THEN v_reference || ' imethibitishwa. ' || v_money || ' zimetolewa kutoka pochi yako ' || v_wallet || '.'
            WHEN 'reversal_debit' THEN v_reference || ' imethibitishwa. ' || v_money || ' zimerudishwa kutoka pochi yako ' || v_wallet || '.'
            WHEN 'reversal_credit' THEN v_reference || ' imethibitishwa. ' || v_money || ' zimerudishwa kwenye pochi yako ' || v_wallet || '.'
            WHEN 'suspense_assigned' THEN v_reference || ': ' || v_money || ' zilizosubiri sasa ziko kwenye pochi ' || v_wallet || '.'
            ELSE v_reference || ' confirmed. ' || v_money || '.'
        END;
    ELSE
        v_text := CASE p_template
            WHEN 'deposit' THEN v_reference || ' confirmed. ' || v_money || ' received in wallet ' || v_wallet || '.'
            WHEN 'deposit_suspense' THEN v_reference || ' confirmed. ' || v_money
                || ' received and safe, but not in a wallet yet. Contact us with this code.'
            WHEN 'transfer_out' THEN v_reference || ' confirmed. ' || v_money || ' sent to ' || v_other || '.'
            WHEN 'transfer_in' THEN v_reference || ' confirmed. ' || v_money || ' received from ' || v_other || '.'
            WHEN 'transfer_refused' THEN v_money || ' to ' || v_other || ' was not sent. No money has left your wallet.'
            WHEN 'withdrawal' THEN v_reference || ' confirmed. ' || v_money || ' was paid out of your wallet ' || v_wallet || '.'
            WHEN 'reversal_debit' THEN v_reference || ' confirmed. ' || v_money || ' was taken back from your wallet ' || v_wallet || '.'
            WHEN 'reversal_credit' THEN v_reference || ' confirmed. ' || v_money || ' was returned to your wallet ' || v_wallet || '.'
            WHEN 'suspense_assigned' THEN v_reference || ': ' || v_money || ' that waited is now in wallet ' || v_wallet || '.'
            ELSE v_reference || ' confirmed. ' || v_money || '.'
        END;
    END IF;

    IF p_balance IS NULL OR p_template = 'deposit_suspense' THEN
        RETURN v_text;
    END IF;
    RETURN v_text
           || CASE
                  WHEN p_template = 'transfer_refused' THEN CASE WHEN p_language = 'sw' THEN ' Salio ' ELSE ' Balance ' END
                  WHEN p_language = 'sw' THEN ' Salio jipya '
                  ELSE ' New balance '
              END
           || v_currency || ' ' || to_char(p_balance, c_money) || '.';
END
$$;
