/**
 * A table of the lanes with its keys as they are in the distributed form. On one machine a key names a row; where tables are
 * distributed by their lane, the lane is part of each key.
 */
export interface LaneTable {
  readonly name: string;
  readonly primaryKey: string;
  /** Unique indexes by their names, with their columns. */
  readonly unique: Readonly<Record<string, string>>;
  /** Foreign keys by their names, with their columns and the table that they lead to. */
  readonly foreign: Readonly<Record<string, { readonly column: string; readonly to: string }>>;
  /** Foreign keys to rows that may lie in another lane, which PostgreSQL cannot check over nodes. */
  readonly across?: readonly string[];
  /** Whether a row may come without a lane: then it is in lane 0. */
  readonly hasDefault?: boolean;
  /** Whether rows are asked for by their id where nobody knows their lane: then the primary key begins with the id. */
  readonly isFoundById?: boolean;
  /** Whether the table of one machine has no lane. */
  readonly addsLane?: boolean;
  /** Which rows a unique index is about, by the name of the index, where it is not about all. */
  readonly partial?: Readonly<Record<string, string>>;
}

/** In the order in which they are distributed: what others point to comes first. */
export const KEYS: readonly LaneTable[] = [
  { name: 'core.wallets', primaryKey: 'wallets_pkey', unique: {}, foreign: {} },
  {
    name: 'core.transactions',
    primaryKey: 'transactions_pkey',
    unique: {
      transactions_reference_key: 'reference',
      transactions_debit_posting_key: 'debit_wallet_id, debit_version',
      transactions_credit_posting_key: 'credit_wallet_id, credit_version',
    },
    foreign: {
      transactions_credit_wallet_id_fkey: { column: 'credit_wallet_id', to: 'core.wallets' },
    },
    // A transaction lies in the lane that is credited.
    across: ['transactions_debit_wallet_id_fkey', 'transactions_reverses_id_fkey'],
  },
  {
    name: 'core.holds',
    primaryKey: 'holds_pkey',
    unique: { holds_capture_reference_key: 'capture_reference' },
    foreign: { holds_wallet_id_fkey: { column: 'wallet_id', to: 'core.wallets' } },
  },
  {
    name: 'core.wallet_events',
    primaryKey: 'wallet_events_pkey',
    unique: {},
    foreign: { wallet_events_wallet_id_fkey: { column: 'wallet_id', to: 'core.wallets' } },
  },
  {
    name: 'services.mpesa_logs',
    primaryKey: 'mpesa_logs_pkey',
    unique: { idx_mpesa_logs_receipt: 'mpesa_receipt' },
    foreign: {},
  },
  {
    name: 'services.mpesa_callbacks',
    primaryKey: 'mpesa_callbacks_pkey',
    unique: {},
    foreign: {},
    hasDefault: true,
  },
  // A message lies in the lane of the wallet that it tells of, what happened to it beside it.
  {
    name: 'services.sms_logs',
    primaryKey: 'sms_logs_pkey',
    unique: {},
    foreign: {},
    hasDefault: true,
    isFoundById: true,
  },
  {
    name: 'services.sms_events',
    primaryKey: 'sms_events_pkey',
    unique: { sms_events_late_answer_key: 'sms_id, attempt' },
    partial: { sms_events_late_answer_key: `kind = 'LATE_ANSWER'` },
    foreign: {},
    hasDefault: true,
    addsLane: true,
  },
  // What reports say lies in the lane of the provider's id, by which it is asked for.
  {
    name: 'services.sms_delivery_reports',
    primaryKey: 'sms_delivery_reports_pkey',
    unique: {},
    foreign: {},
    hasDefault: true,
    addsLane: true,
  },
];

/** Tables that every node has whole, because each lane asks them and they are seldom written. */
export const EVERYWHERE: readonly string[] = ['services.sms_templates', 'services.sms_opt_outs'];

/** A foreign key from a table of no lane to one of the lanes, which PostgreSQL cannot check over nodes. */
const DECIDED = { table: 'services.mpesa_decisions', name: 'mpesa_decisions_callback_id_fkey' } as const;

/** Foreign keys that the form does not have. */
export const DROPPED_KEYS: readonly { readonly table: string; readonly name: string }[] = [
  DECIDED,
  ...KEYS.flatMap(({ name: table, across = [] }) => across.map((name) => ({ table, name }))),
];

/** Triggers by which customers are told of a row: a trigger on one node may ask no other, so the functions tell them. */
export const DROPPED_TRIGGERS: readonly { readonly table: string; readonly name: string }[] = [
  { table: 'core.transactions', name: 'transactions_told' },
  { table: 'core.holds', name: 'holds_told' },
];

/**
 * Rows that are older than lanes, or name no account, and the lane that they get: a transaction that of the wallet that was
 * credited, what was told of it the same, and what belongs to nobody lane 0. In an order in which each finds the ones before.
 */
const OLD_ROWS: readonly { readonly name: string; readonly lane: string }[] = [
  { name: 'core.transactions', lane: 'core.lane_of(x.credit_wallet_id)' },
  { name: 'core.wallet_events', lane: 'core.lane_of(x.wallet_id)' },
  {
    name: 'services.mpesa_logs',
    lane: 'coalesce((SELECT t.lane FROM core.transactions t WHERE t.reference = x.mpesa_receipt), 0)',
  },
  {
    name: 'services.mpesa_callbacks',
    lane: 'coalesce((SELECT l.lane FROM services.mpesa_logs l WHERE l.mpesa_receipt = x.receipt), 0)',
  },
  // A message that is about no wallet has a lane by its id, which is made of the caller's key.
  { name: 'services.sms_logs', lane: 'core.lane_of(x.id::text)' },
  {
    name: 'services.sms_events',
    lane: 'coalesce((SELECT l.lane FROM services.sms_logs l WHERE l.id = x.sms_id), 0)',
  },
  { name: 'services.sms_delivery_reports', lane: `core.lane_of(coalesce(x.provider_message_id, ''))` },
];

/** The statements that give such rows their lane. The guards are for what is new, and let no row be changed. */
export function laneStatements(): string[] {
  return [
    ...KEYS.filter(({ addsLane = false }) => addsLane).map(
      ({ name }) => `ALTER TABLE ${name} ADD COLUMN lane smallint`,
    ),
    ...OLD_ROWS.flatMap(({ name, lane }) => [
      `ALTER TABLE ${name} DISABLE TRIGGER USER`,
      `UPDATE ${name} x SET lane = ${lane} WHERE x.lane IS NULL`,
      `ALTER TABLE ${name} ENABLE TRIGGER USER`,
    ]),
  ];
}

/** The statements that give the keys their lane. They are plain PostgreSQL. */
export function keyStatements(): string[] {
  return [
    ...DROPPED_TRIGGERS.map(({ table, name }) => `DROP TRIGGER ${name} ON ${table}`),
    ...DROPPED_KEYS.map(({ table, name }) => `ALTER TABLE ${table} DROP CONSTRAINT ${name}`),
    // What points to a key goes before the key.
    ...KEYS.toReversed().flatMap(({ name, foreign }) =>
      Object.keys(foreign).map((key) => `ALTER TABLE ${name} DROP CONSTRAINT ${key}`),
    ),
    ...KEYS.flatMap(ownKeyStatements),
  ];
}

/** The columns of a primary key. */
export function keyColumns({ isFoundById = false }: LaneTable): string {
  return isFoundById ? 'id, lane' : 'lane, id';
}

function ownKeyStatements(table: LaneTable): string[] {
  const { name, primaryKey, unique, partial = {}, hasDefault = false } = table;
  const schema = name.slice(0, name.indexOf('.'));
  return [
    ...(hasDefault ? [`ALTER TABLE ${name} ALTER COLUMN lane SET DEFAULT 0`] : []),
    `ALTER TABLE ${name} ALTER COLUMN lane SET NOT NULL`,
    `ALTER TABLE ${name} DROP CONSTRAINT ${primaryKey}`,
    `ALTER TABLE ${name} ADD CONSTRAINT ${primaryKey} PRIMARY KEY (${keyColumns(table)})`,
    ...Object.entries(unique).flatMap(([index, columns]) => [
      `DROP INDEX ${schema}.${index}`,
      `CREATE UNIQUE INDEX ${index} ON ${name} (lane, ${columns})${partial[index] === undefined ? '' : ` WHERE ${partial[index]}`}`,
    ]),
  ];
}

/** The statements that make the foreign keys again, after the tables are distributed: both sides are of one lane. */
export function foreignKeyStatements(): string[] {
  return KEYS.flatMap(({ name, foreign }) =>
    Object.entries(foreign).map(
      ([key, { column, to }]) =>
        `ALTER TABLE ${name} ADD CONSTRAINT ${key} FOREIGN KEY (lane, ${column}) ` +
        `REFERENCES ${to} (lane, id) ON UPDATE RESTRICT ON DELETE RESTRICT`,
    ),
  );
}
