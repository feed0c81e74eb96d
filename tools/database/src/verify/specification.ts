// What the migration "Add New Features Schema" of 2024-01-15 promises to those who build on it, to the letter. Later
// migrations may add to it; nothing may take from it.

export interface SpecifiedTable {
  readonly name: string;
  /** Columns and their types, as PostgreSQL writes them. */
  readonly columns: Record<string, string>;
  readonly key?: string;
}

export const TABLES: SpecifiedTable[] = [
  {
    name: 'services.mpesa_logs',
    key: 'id',
    columns: {
      id: 'uuid',
      mpesa_receipt: 'character varying(50)',
      phone: 'character varying(20)',
      amount: 'numeric(19,2)',
      raw_payload: 'jsonb',
      created_at: 'timestamp(3) without time zone',
    },
  },
  {
    name: 'services.sms_logs',
    key: 'id',
    columns: {
      id: 'uuid',
      recipient: 'character varying(20)',
      message: 'text',
      cost: 'numeric(10,4)',
      status: 'character varying(20)',
      provider_message_id: 'character varying(255)',
      error_message: 'text',
      created_at: 'timestamp(3) without time zone',
    },
  },
  { name: 'core.transactions', columns: { verification_hash: 'character varying(64)' } },
  { name: 'core.wallets', columns: { id: 'character varying(20)' } },
];

/** Rows older than the migration have no hash. */
export const NULLABLE = { table: 'core.transactions', column: 'verification_hash' };

export const SPECIFIED_INDEXES = [
  {
    name: 'idx_mpesa_logs_receipt',
    table: 'services.mpesa_logs',
    columns: ['mpesa_receipt'],
    isUnique: true,
  },
  { name: 'idx_mpesa_logs_phone', table: 'services.mpesa_logs', columns: ['phone'], isUnique: false },
  { name: 'idx_sms_logs_recipient', table: 'services.sms_logs', columns: ['recipient'], isUnique: false },
  { name: 'idx_sms_logs_created', table: 'services.sms_logs', columns: ['created_at'], isUnique: false },
  { name: 'idx_wallets_number', table: 'core.wallets', columns: ['id'], isUnique: false },
];

export const STATUSES = {
  table: 'services.sms_logs',
  column: 'status',
  values: ['FAILED', 'PENDING', 'SENT'],
};

/** The value of the hash for one row, which shows whether an implementation of it is right. */
export const GOLDEN_HASH = {
  reference: 'QKJ41HARMI',
  amount: '1500.00',
  createdAt: '2024-01-15T09:30:00.000',
  hash: '28b799813a4f87ab97d37339ededccc9b5554c53cb562907aab0689e61f89f6a',
};
