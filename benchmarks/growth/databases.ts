import { cloneDatabase, createDatabase, execute } from '@repo/postgres/database';
import { migrateDatabase } from '@repo/postgres/migrations';
import { openWallets } from '../data/databases.ts';
import type { Customer } from '../data/payments.ts';
import { preloadDeposits } from '../data/preload.ts';
import { whole } from '../lib/markdown.ts';
import { ROOT } from '../lib/program.ts';

/** Deposits that are there before anything is measured. */
export interface GrownDatabase {
  readonly deposits: number;
  /** Seconds. */
  readonly loading: number;
  /** A copy by its place, from 0 on; a database without copies is in every place. */
  url(place: number): string;
}

interface Terms {
  readonly customers: readonly Customer[];
  readonly sizes: readonly number[];
  readonly copies: (size: number) => number;
  readonly say: (what: string) => void;
}

/** Makes and loads the databases, and leaves the server with nothing to write. */
export async function openGrownDatabases(
  serverUrl: string,
  { customers, sizes, copies, say }: Terms,
): Promise<GrownDatabase[]> {
  const template = 'template_growth';
  const url = await createDatabase(serverUrl, template);
  say('preparing the database');
  await migrateDatabase(ROOT, url);
  await openWallets(url, customers);
  const databases: GrownDatabase[] = [];
  for (const size of sizes) {
    const name = `growth_${String(size)}`;
    const begun = performance.now();
    const first = await cloneDatabase(serverUrl, { template, name });
    await preloadDeposits(first, customers, {
      count: size,
      onChunk: (loaded) => {
        say(`${whole(loaded)} of ${whole(size)} deposits are loaded`);
      },
    });
    const loading = (performance.now() - begun) / 1_000;
    await execute(first, 'VACUUM (ANALYZE)');
    const urls = [first];
    while (urls.length < copies(size)) {
      urls.push(await cloneDatabase(serverUrl, { template: name, name: `${name}_${String(urls.length)}` }));
    }
    databases.push({ deposits: size, loading, url: (place) => urls[place] ?? first });
  }
  await execute(serverUrl, 'CHECKPOINT');
  return databases;
}
