// What `preloadDeposits` runs. A payee is a customer's wallet, or an account that belongs to nobody.

export const PREPARE = {
  occupied: `
SELECT name
  FROM (VALUES ('core.transactions', EXISTS (SELECT FROM core.transactions)),
               ('services.mpesa_logs', EXISTS (SELECT FROM services.mpesa_logs)),
               ('services.mpesa_callbacks', EXISTS (SELECT FROM services.mpesa_callbacks)),
               ('services.sms_logs', EXISTS (SELECT FROM services.sms_logs)),
               ('services.sms_spend', EXISTS (SELECT FROM services.sms_spend))) AS t (name, has_rows)
 WHERE has_rows`,

  session: `
SET work_mem = '256MB';
SET TimeZone = 'UTC';
SELECT setseed(0.5);
CREATE TEMP TABLE span AS
-- Midnight in Nairobi, in UTC: no receipt of today is taken.
SELECT (date_trunc('day', now() AT TIME ZONE 'Africa/Nairobi') - interval '3 hours')::timestamp(3) AS until,
       100 * interval '1 day' AS length;
-- The letters with which receipts begin: A is 2006, January and the tenth.
CREATE TEMP TABLE days AS
SELECT day::date AS day,
       chr(65 + extract(year FROM day)::integer - 2006) || chr(64 + extract(month FROM day)::integer)
       || CASE
              WHEN extract(day FROM day) < 10 THEN extract(day FROM day)::text
              ELSE chr(55 + extract(day FROM day)::integer)
          END AS letters
  FROM span s,
       generate_series(s.until - s.length - interval '1 day', s.until + interval '1 day', interval '1 day') AS day`,

  /** $1 to $5: bodies, amounts, short codes, masked numbers, names. */
  patterns: `
CREATE TEMP TABLE patterns AS
SELECT ord::integer - 1 AS pattern, body, amount::numeric(19,2) AS amount, short_code, payer_phone, payer_name,
       services.sms_name(payer_name) AS called
  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])
       WITH ORDINALITY AS t (body, amount, short_code, payer_phone, payer_name, ord)`,

  /** $1: the customers' numbers; $2: accounts that belong to nobody. */
  payees: `
CREATE TEMP TABLE payees AS
WITH routed AS (
    SELECT core.route_accounts(
               p_accounts => $2::text[], p_payers => array_fill(NULL::text, ARRAY[cardinality($2::text[])]),
               p_hashes => array_fill(NULL::text, ARRAY[cardinality($2::text[])])
           ) AS r
), customers AS (
    SELECT t.ord, w.id::text AS account, w.id::text AS wallet, w.id::text AS credit, w.phone::text AS phone,
           w.language::text AS language, w.lane, NULL::text AS reason, NULL::text AS suggestions
      FROM unnest($1::text[]) WITH ORDINALITY AS t (id, ord)
      JOIN core.wallets w ON w.id = t.id
), strangers AS (
    SELECT t.ord, t.account, 'SUSPENSE' AS wallet,
           core.stripe_of(p_account => 'SUSPENSE', p_lane => core.lane_of(t.account)) AS credit, NULL::text, 'en',
           core.lane_of(t.account), t.reason, t.suggestions
      FROM routed,
           unnest($2::text[], (r).reasons, (r).suggestions) WITH ORDINALITY AS t (account, reason, suggestions, ord)
), everybody AS (
    SELECT *, false AS is_stranger FROM customers
    UNION ALL
    SELECT *, true FROM strangers
)
SELECT is_stranger, ord::integer - 1 AS place, account, wallet, credit, phone, language, lane, reason, suggestions,
       core.stripe_of(p_account => 'MPESA-FLOAT', p_lane => lane) AS debit, count(*) OVER (PARTITION BY is_stranger) AS others
  FROM everybody`,

  /** The wallets are older than what they received. */
  beginning: `UPDATE core.wallets SET created_at = s.until - s.length, updated_at = s.until - s.length FROM span s`,
} as const;

/**
 * Receipts come in no order: a walk through all numbers of seven hexadecimal digits, whose number has no factor but two, in
 * odd steps.
 */
const SERIAL = `lpad(upper(to_hex((n * 7919777 + 40503) % 268435456)), 7, '0')`;

/** The most deposits whose receipts are all different. */
export const MOST = 268_435_456;

/** $1, $2: the first and the last deposit of the chunk; $3: how many there will be in all. */
export const CREATE_CHUNK = `
CREATE TEMP TABLE chunk ON COMMIT DROP AS
WITH drawn AS MATERIALIZED (
    SELECT n, ${SERIAL} AS serial, random() AS who, floor(random() * 1000)::integer AS pattern, n % 100 = 0 AS is_stranger,
           date_trunc('milliseconds', s.until - s.length * (($3::bigint - n + 1) / $3::double precision)) AS at
      FROM generate_series($1::bigint, $2::bigint) AS n, span s
), counts AS (
    SELECT is_stranger, max(others) AS others FROM payees GROUP BY is_stranger
), paid AS MATERIALIZED (
    SELECT d.*, date_trunc('second', d.at) AS paid_at, date_trunc('second', d.at) + interval '3 hours' AS eat, y.others
      FROM drawn d JOIN counts y USING (is_stranger)
), named AS (
    SELECT c.n, c.at, c.paid_at, c.eat, m.*, y.*, x.letters || c.serial AS receipt
      FROM paid c
      JOIN days x ON x.day = c.eat::date
      JOIN patterns m USING (pattern)
      JOIN payees y ON y.is_stranger = c.is_stranger AND y.place = floor(c.who * c.others)::integer
)
SELECT c.n, c.at, c.paid_at, c.receipt, c.amount, c.short_code, c.payer_phone, c.payer_name, c.called, c.account, c.wallet,
       c.credit, c.debit, c.phone, c.language, c.lane, c.reason, c.suggestions, c.is_stranger,
       replace(replace(replace(c.body, '@receipt', c.receipt), '@account', c.account), '@time',
               to_char(c.eat, 'YYYYMMDDHH24MISS')) AS body,
       core.uuid_v7(
           p_milliseconds => (extract(epoch FROM c.at) * 1000)::bigint, p_sequence => (c.n & 4095)::integer
       ) AS id,
       d.version + row_number() OVER debits AS debit_version,
       d.balance - sum(c.amount) OVER debits AS debit_balance,
       w.version + row_number() OVER credits AS credit_version,
       w.balance + sum(c.amount) OVER credits AS credit_balance
  FROM named c
  JOIN core.wallets d ON d.id = c.debit
  JOIN core.wallets w ON w.id = c.credit
WINDOW debits AS (PARTITION BY c.debit ORDER BY c.n), credits AS (PARTITION BY c.credit ORDER BY c.n)`;

export const STORE_CHUNK: readonly string[] = [
  `
INSERT INTO core.transactions (
    id, reference, type, debit_wallet_id, credit_wallet_id, amount, currency,
    debit_version, debit_balance_after, credit_version, credit_balance_after, created_at, verification_hash, xact_id, lane
)
SELECT id, receipt, 'DEPOSIT', debit, credit, amount, 'KES', debit_version, debit_balance, credit_version, credit_balance,
       at, core.verification_hash(p_reference => receipt, p_amount => amount, p_created_at => at),
       pg_current_xact_id()::text::bigint, lane
  FROM chunk
 ORDER BY n`,
  `
INSERT INTO services.mpesa_logs (
    id, mpesa_receipt, phone, amount, raw_payload, created_at, short_code, account, paid_at, payer_name, outcome, reason,
    suggestions, wallet_id, lane
)
SELECT id, receipt, payer_phone, amount, body::jsonb, at, short_code, account, paid_at, payer_name,
       CASE WHEN is_stranger THEN 'SUSPENSE' ELSE 'CREDITED' END, reason,
       CASE WHEN suggestions IS NULL THEN '{}' ELSE string_to_array(suggestions, ',') END, wallet, lane
  FROM chunk
 ORDER BY n`,
  `
INSERT INTO services.mpesa_callbacks (id, kind, receipt, outcome, error, source, body, received_at, lane)
SELECT id, 'C2B_CONFIRMATION', receipt, CASE WHEN is_stranger THEN 'SUSPENSE' ELSE 'CREDITED' END, reason, '127.0.0.1',
       convert_to(body, 'UTF8'), at, lane
  FROM chunk
 ORDER BY n`,
  // The message to the holder was sent at once; a payer whose number is masked cannot be told.
  `
INSERT INTO services.sms_logs (
    id, recipient, message, status, phase, error_code, error_message, created_at, next_attempt_at, transaction_reference,
    template, language, lane, attempts, claimed_by, claimed_at, provider, answered_at, provider_message_id, cost, currency,
    parts, expected_parts, encoding, sent_at, settled_at
)
SELECT c.id, c.phone,
       services.sms_text(
           p_formats => m.formats, p_language => c.language, p_reference => c.receipt, p_amount => c.amount,
           p_currency => 'KES', p_wallet => c.wallet, p_name => c.called,
           p_balance => c.credit_balance
       ),
       'SENT', 'DONE', NULL, NULL, c.at, c.at, c.receipt, 'deposit', c.language, c.lane, 1, 'sender-1', c.at,
       'africas-talking', c.at, 'ATXid_' || md5(c.n::text), 0.8, 'KES', 1, 1, 'GSM-7', c.at, c.at
  FROM chunk c
  LEFT JOIN services.sms_templates m ON m.key = 'deposit' AND m.language = c.language
 WHERE NOT c.is_stranger
UNION ALL
SELECT c.id, NULL,
       services.sms_text(
           p_formats => m.formats, p_language => 'en', p_reference => c.receipt, p_amount => c.amount,
           p_currency => 'KES', p_wallet => c.wallet, p_name => c.called, p_balance => NULL
       ),
       'FAILED', 'DONE', 'masked_number',
       'M-PESA masked the payer''s number, so we cannot notify them. The money stays in suspense until they contact us.',
       c.at, c.at, c.receipt, 'deposit_suspense', 'en', c.lane, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
       NULL, NULL, NULL
  FROM chunk c
  LEFT JOIN services.sms_templates m ON m.key = 'deposit_suspense' AND m.language = 'en'
 WHERE c.is_stranger
 ORDER BY 8`,
  `
INSERT INTO services.sms_spend AS s (day, currency, messages, parts, cost)
SELECT services.eat_day(at), 'KES', count(*), count(*), count(*) * 0.8
  FROM chunk
 WHERE NOT is_stranger
 GROUP BY 1
ON CONFLICT (day, currency) DO UPDATE
   SET messages = s.messages + excluded.messages, parts = s.parts + excluded.parts, cost = s.cost + excluded.cost`,
  `
UPDATE core.wallets w
   SET balance = w.balance + t.moved, version = w.version + t.postings, updated_at = t.last
  FROM (
    SELECT wallet, sum(change) AS moved, count(*) AS postings, max(at) AS last
      FROM (
        SELECT debit AS wallet, -amount AS change, at FROM chunk
        UNION ALL
        SELECT credit, amount, at FROM chunk
      ) g
     GROUP BY wallet
  ) t
 WHERE w.id = t.wallet`,
];
