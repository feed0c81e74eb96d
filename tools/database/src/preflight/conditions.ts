/** What rows from before this ledger must be like for a migration to go through. */
export interface Condition {
  /** Stands in the migration that asks for it, so that its file can be named: a constraint, or an SQLSTATE of ours. */
  readonly mark: string;
  readonly table: string;
  /** The column by which a row is named; never personal data. */
  readonly key: string;
  /** True of a row `r` that is in the way. */
  readonly broken: string;
  readonly what: string;
  /** Statements that make it right, and what they leave to people. */
  readonly remedy: readonly string[];
}

const TYPES = `'DEPOSIT', 'TRANSFER', 'WITHDRAWAL', 'FEE', 'ASSIGNMENT'`;

const POSTED = `(SELECT coalesce(sum(CASE WHEN t.credit_wallet_id = r.id THEN t.amount ELSE -t.amount END), 0)
  FROM core.transactions t WHERE r.id IN (t.credit_wallet_id, t.debit_wallet_id))`;

const FLOAT = `INSERT INTO core.wallets (id, holder_name) VALUES ('MPESA-FLOAT', 'M-PESA float') ON CONFLICT DO NOTHING;`;

/** The float's balance as its transactions make it. */
const FLOAT_BALANCE = `UPDATE core.wallets r SET balance = ${POSTED} WHERE r.id = 'MPESA-FLOAT';`;

export const CONDITIONS: readonly Condition[] = [
  {
    mark: 'wallets_phone_check',
    table: 'core.wallets',
    key: 'id',
    broken: `r.phone !~ '^[0-9]{9,15}$'`,
    what: 'a phone number that is not 9 to 15 digits',
    remedy: [
      `UPDATE core.wallets SET phone = regexp_replace(phone, '[^0-9]', '', 'g') WHERE phone !~ '^[0-9]{9,15}$';`,
      `UPDATE core.wallets SET phone = '254' || substr(phone, 2) WHERE phone ~ '^0[17][0-9]{8}$';`,
      '-- Numbers that are still in the way afterwards: correct them, or SET phone = NULL.',
    ],
  },
  {
    mark: 'wallets_status_check',
    table: 'core.wallets',
    key: 'id',
    broken: `r.status NOT IN ('ACTIVE', 'FROZEN', 'CLOSED')`,
    what: 'a status other than ACTIVE, FROZEN and CLOSED',
    remedy: [
      `UPDATE core.wallets SET status = upper(status) WHERE upper(status) IN ('ACTIVE', 'FROZEN', 'CLOSED');`,
      '-- Decide for each other status which of the three it is.',
    ],
  },
  {
    mark: 'wallets_currency_check',
    table: 'core.wallets',
    key: 'id',
    broken: `r.currency !~ '^[A-Z]{3}$'`,
    what: 'a currency that is not three capitals',
    remedy: [`UPDATE core.wallets SET currency = upper(currency) WHERE currency ~ '^[A-Za-z]{3}$';`],
  },
  {
    mark: 'wallets_funds_check',
    table: 'core.wallets',
    key: 'id',
    broken: `r.balance < 0 AND r.id <> 'MPESA-FLOAT'`,
    what: 'a balance below zero',
    remedy: [
      '-- An account of the house, at M-PESA or a bank, is MPESA-FLOAT here. For each of them, as HOUSE:',
      FLOAT,
      `UPDATE core.transactions SET debit_wallet_id = 'MPESA-FLOAT' WHERE debit_wallet_id = 'HOUSE';`,
      `UPDATE core.transactions SET credit_wallet_id = 'MPESA-FLOAT' WHERE credit_wallet_id = 'HOUSE';`,
      `UPDATE core.wallets SET balance = 0, status = 'CLOSED' WHERE id = 'HOUSE';`,
      FLOAT_BALANCE,
      '-- A customer below zero owes you money: record what settles it before you deploy.',
    ],
  },
  {
    mark: 'DF010',
    table: 'core.wallets',
    key: 'id',
    broken: `r.balance <> ${POSTED}`,
    what: 'a balance that its transactions do not add up to',
    remedy: [
      '-- What is missing came from outside before transactions were kept:',
      FLOAT,
      `INSERT INTO core.transactions (reference, type, debit_wallet_id, credit_wallet_id, amount, currency, created_at)
  SELECT 'OPENING-' || d.id, 'DEPOSIT', CASE WHEN d.missing > 0 THEN 'MPESA-FLOAT' ELSE d.id END,
         CASE WHEN d.missing > 0 THEN d.id ELSE 'MPESA-FLOAT' END, abs(d.missing), d.currency, d.created_at
    FROM (SELECT r.id, r.currency, r.created_at, r.balance - ${POSTED} AS missing FROM core.wallets r) d
   WHERE d.missing <> 0 AND d.id <> 'MPESA-FLOAT';`,
      FLOAT_BALANCE,
    ],
  },
  {
    mark: 'transactions_type_check',
    table: 'core.transactions',
    key: 'reference',
    broken: `r.type NOT IN (${TYPES}, 'REVERSAL')`,
    what: 'a type that the ledger does not know',
    remedy: [
      `UPDATE core.transactions SET type = CASE upper(type) WHEN 'REVERSAL' THEN 'TRANSFER' ELSE upper(type) END
 WHERE upper(type) IN (${TYPES}, 'REVERSAL');`,
      `-- Decide for each other type which of ${TYPES.replaceAll("'", '')} it is.`,
    ],
  },
  {
    mark: 'transactions_reverses_check',
    table: 'core.transactions',
    key: 'reference',
    broken: `r.type = 'REVERSAL'`,
    what: 'the type REVERSAL, without the transaction that it reverses',
    remedy: [`UPDATE core.transactions SET type = 'TRANSFER' WHERE type = 'REVERSAL';`],
  },
  {
    mark: 'transactions_amount_check',
    table: 'core.transactions',
    key: 'reference',
    broken: 'r.amount <= 0',
    what: 'an amount that is not above zero',
    remedy: [
      `UPDATE core.transactions SET amount = -amount, debit_wallet_id = credit_wallet_id, credit_wallet_id = debit_wallet_id
 WHERE amount < 0;`,
      '-- Rows of zero moved nothing: DELETE FROM core.transactions WHERE amount = 0;',
    ],
  },
  {
    mark: 'transactions_wallets_check',
    table: 'core.transactions',
    key: 'reference',
    broken: 'r.debit_wallet_id = r.credit_wallet_id',
    what: 'one wallet on both sides',
    remedy: [
      'DELETE FROM core.transactions WHERE debit_wallet_id = credit_wallet_id; -- They moved nothing.',
    ],
  },
  {
    mark: 'mpesa_logs_amount_check',
    table: 'services.mpesa_logs',
    key: 'mpesa_receipt',
    broken: 'r.amount <= 0',
    what: 'an amount that is not above zero',
    remedy: ['-- Look the receipts up in the M-PESA portal, and correct the amounts or delete the rows.'],
  },
];
