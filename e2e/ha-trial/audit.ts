import { auditLedger, createDb } from '@repo/db';
import { execute } from '@repo/postgres/database';
import type { Ledger } from './load.ts';

/** What the rows say at the end, held against what was acknowledged and what customers were told. */
export interface Outcome {
  readonly sent: number;
  readonly acknowledged: number;
  /** Acknowledged, and not in the ledger. */
  readonly lost: number;
  readonly told: number;
  /** Told of in an SMS, and not in the ledger. */
  readonly toldAndGone: number;
  /** Findings of db:audit. */
  readonly faults: number;
  /** The sum of all balances. */
  readonly sum: string;
}

export async function auditTrial(
  url: string,
  { ledger, texts }: { readonly ledger: Ledger; readonly texts: readonly string[] },
): Promise<Outcome> {
  const db = createDb({ url, maxConnections: 1, readsOnly: true });
  try {
    const { checks } = await auditLedger(db);
    const rows = (await execute(url, 'SELECT reference FROM core.transactions')) as { reference: string }[];
    const kept = new Set(rows.map(({ reference }) => reference));
    const told = receiptsIn(texts, ledger.sent);
    const [row] = await execute(url, 'SELECT sum(balance)::text AS sum FROM core.wallets');
    return {
      sent: ledger.sent.size,
      acknowledged: ledger.acknowledged.size,
      lost: [...ledger.acknowledged].filter((receipt) => !kept.has(receipt)).length,
      told: told.size,
      toldAndGone: [...told].filter((receipt) => !kept.has(receipt)).length,
      faults: checks.reduce((sum, { faults }) => sum + faults, 0),
      sum: String(row?.['sum']),
    };
  } finally {
    await db.close();
  }
}

/** The receipts that these texts name. */
export function receiptsIn(texts: readonly string[], receipts: ReadonlySet<string>): Set<string> {
  const words = texts.flatMap((text) => text.match(/[A-Z0-9]{10}/g) ?? []);
  return new Set(words.filter((word) => receipts.has(word)));
}
