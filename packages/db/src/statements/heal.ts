import type { Handle, Statement } from '../connection/handle.ts';
import { query } from '../connection/handle.ts';
import type { Deposit } from '../deposits/deposit.ts';
import { createDepositIntake } from '../deposits/deposit-intake.ts';
import type { Frame } from './reconciliation-reads.ts';

/** Lines that are read and recorded together. */
const BATCH = 1_000;

export interface HealOptions {
  /** As `createDepositIntake` has it. */
  readonly maxAmount?: string;
  /** Called with the payments that were recorded so far. */
  readonly onProgress?: (healed: number) => void;
}

/**
 * Credits what a statement shows as paid and the ledger lacks, through the door that callbacks go through: the receipt is
 * the key, so a callback that comes at the same time or later credits nothing more. What a person must look at first is
 * left: lines with a reason.
 *
 * @returns how many payments were credited, to wallets or to suspense
 */
export async function healMissing(db: Handle, frame: Frame, options: HealOptions = {}): Promise<number> {
  const intake = createDepositIntake(
    db,
    options.maxAmount === undefined ? {} : { maxAmount: options.maxAmount },
  );
  let healed = 0;
  try {
    // The states of a period are worked out once: that costs as much for one page of them as for all.
    const missing = await query<{ id: string }>(db, MISSING, [frame.shortCode, frame.from, frame.to]);
    for (let start = 0; start < missing.length; start += BATCH) {
      const ids = missing.slice(start, start + BATCH).map(({ id }) => id);
      const rows = await query<MissingRow>(db, LINES, [`{${ids.join(',')}}`]);
      const results = await Promise.all(rows.map((row) => intake.record(depositOf(row, frame.shortCode))));
      healed += results.filter(({ outcome }) => outcome === 'credited' || outcome === 'suspense').length;
      options.onProgress?.(healed);
    }
    return healed;
  } finally {
    await intake.close();
  }
}

interface MissingRow {
  readonly receipt: string;
  readonly amount: string;
  readonly account: string | null;
  readonly phone: string | null;
  readonly payer_name: string | null;
  readonly at_ms: string;
  readonly sha256: string;
  readonly row_number: number;
}

function depositOf(row: MissingRow, shortCode: string): Deposit {
  const { receipt, amount, account, phone, payer_name: name, sha256, row_number: line } = row;
  const paidAt = new Date(Number(row.at_ms));
  const evidence = { statement: sha256, row: line, receipt, amount, paidAt: paidAt.toISOString(), account };
  return {
    receipt,
    amount,
    shortCode,
    account: account ?? '',
    paidAt,
    payer: { phone, phoneHash: null, name },
    callback: {
      kind: 'STATEMENT',
      source: null,
      body: Buffer.from(JSON.stringify(evidence)),
      payload: null,
    },
  };
}

const MISSING: Statement = {
  name: 'mpesa_lines_missing_here',
  text: `
SELECT x.line_id::text AS id
  FROM services.mpesa_line_states(p_short_code => $1::text, p_from => $2::timestamp, p_to => $3::timestamp) x
 WHERE x.state = 'missing_here' AND x.reason IS NULL
 ORDER BY x.line_id`,
};

const LINES: Statement = {
  name: 'mpesa_lines_to_heal',
  text: `
SELECT l.receipt, l.paid_in::text AS amount, l.account, l.phone, l.payer_name, s.sha256, l.row_number,
       (extract(epoch FROM l.completed_at) * 1000)::bigint::text AS at_ms
  FROM services.mpesa_statement_lines l
  JOIN services.mpesa_statements s ON s.id = l.statement_id
 WHERE l.id = ANY ($1::uuid[])
 ORDER BY l.id`,
};
