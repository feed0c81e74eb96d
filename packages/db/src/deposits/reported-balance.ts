/**
 * SQL for the organisation's balance as M-PESA reported it with a payment (`OrgAccountBalance`), as text; NULL where no
 * message of the payment names one. `log` is the alias of a row of services.mpesa_logs.
 *
 * The log keeps the message that came first. Of the two messages of a payment that was asked for, that may be the STK
 * callback, which has no balance: the confirmation beside it in the inbox has. Its text is searched, for it is kept as
 * received, which is more than PostgreSQL takes for JSON.
 */
export function reportedBalance(log: string): string {
  return `
       coalesce(substring(${log}.raw_payload ->> 'OrgAccountBalance' FROM '^-?[0-9]{1,15}(?:[.][0-9]{1,2})?$'), (
           SELECT substring(convert_from(c.body, 'UTF8') FROM '"OrgAccountBalance"\\s*:\\s*"?(-?[0-9]{1,15}(?:[.][0-9]{1,2})?)\\s*["},]')
             FROM services.mpesa_callbacks c
            WHERE ${log}.raw_payload ->> 'OrgAccountBalance' IS NULL
              AND c.receipt = ${log}.mpesa_receipt AND c.kind = 'C2B_CONFIRMATION'
              AND c.outcome IN ('CREDITED', 'SUSPENSE', 'DUPLICATE')
            ORDER BY c.id
            LIMIT 1
       ))`;
}
