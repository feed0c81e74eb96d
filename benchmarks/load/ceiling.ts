import { Client } from 'pg';
import { auditDatabase } from '../audit/deposits.ts';
import type { Databases } from '../data/databases.ts';
import type { Supply } from '../data/deposits.ts';
import type { Pace } from './options.ts';
import { depositsWork, runWork, textbookWork } from './raw-sql.ts';
import type { Work } from './raw-sql.ts';

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
  { databases, supply, pace }: { databases: Databases; supply: Supply; pace: Pace },
  { statements, batch }: Ceiling,
): Promise<number> {
  const kind = statements === 'textbook' ? 'textbook' : 'ledger';
  return databases.withFresh(kind, async (url) => {
    const client = new Client({ connectionString: url });
    await client.connect();
    try {
      const source = createSource(supply, { statements, batch });
      const warm = await repeat(client, source.next, pace.warmUp);
      const wanted = Math.ceil(((warm.done / warm.busyMs) * pace.window * 3) / 2) + 1;
      const prebuilt = Array.from({ length: wanted }, source.next).values();
      const measured = await repeat(client, () => prebuilt.next().value, pace.window);
      await auditDatabase(url, kind, { acknowledged: (warm.done + measured.done) * batch, failed: 0 });
      return (measured.done * batch * 1_000) / measured.busyMs;
    } finally {
      await client.end();
    }
  });
}

function createSource(supply: Supply, { statements, batch }: Ceiling): { next: () => Work } {
  let place = 0;
  return {
    next: () => {
      const deposits = Array.from({ length: batch }, (_, offset) => supply.at(place + offset));
      place += batch;
      const [first] = deposits;
      return statements === 'textbook' && first !== undefined ? textbookWork(first) : depositsWork(deposits);
    },
  };
}

/** Works off what `next` gives until the time is over or there is no more. Only the work counts as time. */
async function repeat(
  client: Client,
  next: () => Work | undefined,
  forMs: number,
): Promise<{ done: number; busyMs: number }> {
  let busyMs = 0;
  for (let done = 0; ; done += 1) {
    const work = busyMs < forMs ? next() : undefined;
    if (work === undefined) return { done, busyMs };
    const begun = performance.now();
    await runWork(client, work);
    busyMs += performance.now() - begun;
  }
}
