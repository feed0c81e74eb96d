import type { Row, Sql } from '../database/test-db.ts';

/** Messages with the wallets of those whom they went to, in their order. Over nodes one query cannot join the two. */
export async function withWallets(sql: Sql, messages: readonly Row[]): Promise<Row[]> {
  const phones = messages.map(({ recipient }) => recipient);
  const holders = await sql('SELECT id, phone FROM core.wallets WHERE phone = ANY ($1)', [phones]);
  const walletOf = new Map(holders.map(({ id, phone }) => [phone, id]));
  return messages.map(({ recipient, ...told }) => ({ wallet: walletOf.get(recipient), ...told }));
}
