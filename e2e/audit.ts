import { auditLedger, createDb } from '@repo/db';

/** The package's own audit of the ledger: its findings as lines, or one that says how much was compared. */
export async function auditDatabase(
  url: string,
): Promise<{ readonly lines: readonly string[]; readonly isRight: boolean }> {
  const db = createDb({ url, maxConnections: 1 });
  try {
    const { checks } = await auditLedger(db);
    const faults = checks.flatMap(({ findings }) => findings.map(({ what }) => what));
    const clean = `audit: nothing found in ${checks.length} checks`;
    return {
      lines: faults.length === 0 ? [clean] : faults.map((what) => `audit: ${what}`),
      isRight: faults.length === 0,
    };
  } finally {
    await db.close();
  }
}
