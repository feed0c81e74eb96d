import type { Sql } from './test-db.ts';

/** What an hour is to a clock that was set back by it. */
const HOUR = "interval '1 hour'";

/**
 * Makes it look as if the server's clock had been an hour ahead when a wallet was last posted to, and had been set back
 * since: past the guards, as a superuser can.
 */
export async function setClockBack(sql: Sql, wallet: string): Promise<void> {
  await sql('SET session_replication_role = replica');
  await sql(
    `UPDATE core.transactions t
        SET created_at = t.created_at + ${HOUR},
            verification_hash = core.verification_hash(t.reference, t.amount, t.created_at + ${HOUR})
       FROM core.wallets w
      WHERE w.id = $1 AND ((t.debit_wallet_id, t.debit_version) = (w.id, w.version)
                           OR (t.credit_wallet_id, t.credit_version) = (w.id, w.version))`,
    [wallet],
  );
  await sql(
    `UPDATE core.wallets w SET updated_at = w.updated_at + ${HOUR}
       FROM core.transactions t
      WHERE w.id IN (t.debit_wallet_id, t.credit_wallet_id) AND t.created_at > now() AT TIME ZONE 'UTC'
        AND $1 IN (t.debit_wallet_id, t.credit_wallet_id)`,
    [wallet],
  );
  await sql('RESET session_replication_role');
}
