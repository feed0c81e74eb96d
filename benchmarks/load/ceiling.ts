import { Client } from 'pg';
import { auditDeposits } from '../audit/deposits.ts';
import { depositsWork, runWork, textbookWork } from './raw-sql.ts';
import type { Work } from './raw-sql.ts';
import type { Workbench } from './workbench.ts';

/** What raw SQL does on one connection that has nothing else to do: `batch` deposits at a time, one after the other. */
export interface Ceiling {
  readonly statements: 'textbook' | 'record_deposits';
  readonly batch: number;
}

/**
 * Deposits per second. All parameters are built before the clock runs; how many are needed is known from the
 * warm-up, and the window ends early should they not suffice.
 */
export async function measureCeiling(
  { databases, payments, pace }: Workbench,
  { statements, batch }: Ceiling,
): Promise<number> {
  const kind = statements === 'textbook' ? 'textbook' : 'ledger';
  let place = 0;
  const build = (): Work => {
    const deposits = Array.from({ length: batch }, (_, offset) => payments.at(place + offset));
    place += batch;
    return statements === 'textbook' ? deposits.flatMap(textbookWork) : depositsWork(deposits);
  };
  return databases.withFresh(kind, async (url) => {
    const client = new Client({ connectionString: url });
    await client.connect();
    try {
      const warm = await repeat(client, build, pace.warmUp);
      const wanted = Math.ceil(((warm.done / warm.busyMs) * pace.window * 3) / 2) + 1;
      const prebuilt = Array.from({ length: wanted }, build).values();
      const measured = await repeat(client, () => prebuilt.next().value, pace.window);
      await auditDeposits(url, kind, { acknowledged: (warm.done + measured.done) * batch, failed: 0 });
      return (measured.done * batch * 1_000) / measured.busyMs;
    } finally {
      await client.end();
    }
  });
}

/** Works off what `next` gives until the time is over or there is no more. Only the work counts as time. */
async function repeat(client: Client, next: () => Work | undefined, forMs: number) {
  let busyMs = 0;
  for (let done = 0; ; done += 1) {
    const work = busyMs < forMs ? next() : undefined;
    if (work === undefined) return { done, busyMs };
    const begun = performance.now();
    await runWork(client, work);
    busyMs += performance.now() - begun;
  }
}
