import type { Db } from '../connection/db.ts';
import { query } from '../connection/handle.ts';
import type { Statement } from '../connection/handle.ts';
import { transaction } from '../connection/transaction.ts';
import type { Frame } from './reconciliation-reads.ts';

/** Lines that are posted in one transaction, which holds the accounts of the bank and of the charges as long. */
const BATCH = 500;

/**
 * Posts what the statements of a period show and no callback reports: M-PESA's charges and settlements to the bank, each
 * line once, and what M-PESA took back from customers.
 *
 * @returns how many lines were posted
 */
export async function postLines(
  db: Db,
  frame: Frame,
  onProgress?: (posted: number) => void,
): Promise<number> {
  let posted = 0;
  let after: readonly [string | null, string | null] = [null, null];
  do {
    const [page] = await query<PageRow>(db, POST, [frame.shortCode, frame.from, frame.to, ...after, BATCH]);
    posted += page?.posted ?? 0;
    after = [page?.last_at ?? null, page?.last_id ?? null];
    onProgress?.(posted);
  } while (after[1] !== null);
  // One transaction each: it locks a customer's wallet, and wallets are locked in one order within a transaction.
  for (const { id } of await query<{ id: string }>(db, REVERSALS, [frame.shortCode, frame.from, frame.to])) {
    const [row] = await transaction(db, (handle) => query<{ outcome: string }>(handle, REVERSE, [id]));
    posted += row?.outcome === 'posted' ? 1 : 0;
  }
  return posted;
}

interface PageRow {
  readonly posted: number;
  readonly last_at: string | null;
  readonly last_id: string | null;
}

const POST: Statement = {
  name: 'mpesa_lines_post',
  text: `
SELECT posted, last_at::text AS last_at, last_id::text AS last_id
  FROM services.post_mpesa_lines(
      p_short_code => $1::text, p_from => $2::timestamp, p_to => $3::timestamp,
      p_after_at => $4::timestamp, p_after_id => $5::uuid, p_limit => $6::integer
  )`,
};

const REVERSALS: Statement = {
  name: 'mpesa_reversals_to_post',
  text: `
SELECT l.id::text AS id
  FROM services.mpesa_statement_lines l
 WHERE l.short_code = $1::text AND l.completed_at >= $2::timestamp AND l.completed_at < $3::timestamp
   AND l.kind = 'reversal' AND l.is_completed AND l.account_key = '' AND l.withdrawn > 0 AND l.linked_receipt IS NOT NULL
   AND NOT EXISTS (SELECT FROM services.mpesa_matches m WHERE m.line_id = l.id)
 ORDER BY l.completed_at, l.id`,
};

const REVERSE: Statement = {
  name: 'mpesa_reversal_post',
  text: `SELECT outcome FROM services.post_mpesa_reversal(p_line => $1::uuid)`,
};
