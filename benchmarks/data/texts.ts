import { execute } from '@repo/postgres/database';

/** Who has sent the messages of years that are in the table before anything is measured. */
export const OLD_SENDER = 'years ago';

/** Which messages: so many, numbered from the first on. No number comes twice, so no two texts are the same. */
export interface Texts {
  readonly first: number;
  readonly count: number;
}

/**
 * Queues messages, one statement for all of them: the news of a deposit as the database words it, to numbers that are
 * made up, each due a millisecond after the one before.
 */
export async function queueTexts(url: string, { first, count }: Texts): Promise<void> {
  await execute(
    url,
    `INSERT INTO services.sms_logs (recipient, message, template, transaction_reference, created_at, next_attempt_at)
     SELECT recipient, message, 'deposit', reference, at, at
       FROM (${newsOf({ first, count })}) t
      CROSS JOIN LATERAL (
          SELECT now() AT TIME ZONE 'UTC' - (${String(first + count)} - n) * interval '1 millisecond' AS at
      ) w
      ORDER BY n`,
  );
  // Every insert of news in earnest ends with it.
  await execute(url, `SELECT pg_notify('daftari_sms', '')`);
}

/** Adds messages that were sent and delivered, a few for each minute of the past years. */
export async function addOldTexts(url: string, { first, count }: Texts): Promise<void> {
  await execute(
    url,
    `INSERT INTO services.sms_logs (
         recipient, message, template, transaction_reference, created_at, next_attempt_at, status, phase, attempts,
         claimed_by, claimed_at, answered_at, sent_at, settled_at, provider, provider_message_id, cost, currency, parts,
         expected_parts, encoding, network, delivery_state, delivery_status, delivery_updated_at, delivered_at
     )
     SELECT recipient, message, 'deposit', reference, at, at, 'SENT', 'DONE', 1,
            '${OLD_SENDER}', at, at, at, at, 'africas-talking', 'ATXid_old' || md5(n::text), 0.8, 'KES', 1,
            1, 'GSM-7', 'Safaricom', 'delivered', 'Success', at, at
       FROM (${newsOf({ first, count })}) t
      CROSS JOIN LATERAL (
          SELECT now() AT TIME ZONE 'UTC' - interval '1000 days' + n % 5000000 * interval '15 seconds' AS at
      ) w
      ORDER BY n`,
  );
}

function newsOf({ first, count }: Texts): string {
  const [from, to] = [String(first), String(first + count - 1)];
  return `
         SELECT n, reference, '2547' || lpad((n % 100000000)::text, 8, '0') AS recipient,
                services.sms_text(
                    formats, 'en', reference, 100 + n % 9900, 'KES', '1000000009', NULL, 5000 + n % 9900, NULL
                ) AS message
           FROM generate_series(${from}::bigint, ${to}) AS n
           JOIN services.sms_templates ON key = 'deposit' AND language = 'en'
          CROSS JOIN LATERAL (SELECT 'TX' || lpad(upper(to_hex(n)), 8, '0') AS reference) r`;
}
