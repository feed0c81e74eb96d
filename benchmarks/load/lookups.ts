import { createDb, lookupWallet } from '@repo/db';
import { createRandom } from '@repo/simulator';
import { Pool } from 'pg';
import { auditDatabase } from '../audit/deposits.ts';
import { loadOf, runLoad } from './callers.ts';
import type { Measured } from './callers.ts';
import { BenchmarkError } from '../lib/errors.ts';
import { turned } from './workbench.ts';
import type { Turn, Workbench } from './workbench.ts';

export const lookupCallerCounts = [1, 8, 32, 256] as const;

const lookupWays = ['raw', 'package'] as const;

type LookupWay = (typeof lookupWays)[number];

export interface LookupSample extends Measured {
  readonly way: LookupWay;
  readonly callers: number;
}

/** What `createDb` opens when nothing is said. */
const CONNECTIONS = 10;

/** Measures `lookupWallet` beside the same statement through the driver alone. */
export async function measureLookups(bench: Workbench, { round, say }: Turn): Promise<LookupSample[]> {
  const samples: LookupSample[] = [];
  for (const callers of lookupCallerCounts) {
    for (const way of turned(lookupWays, round)) {
      say(`look-ups, ${way}, ${String(callers)} callers`);
      samples.push(await measureLookupWay(bench, way, callers));
    }
  }
  return samples;
}

async function measureLookupWay(
  { databases, customers, pace }: Workbench,
  name: LookupWay,
  callers: number,
): Promise<LookupSample> {
  return databases.withFresh('ledger', async (url) => {
    const way = OPENERS[name](url);
    const random = createRandom('look-ups');
    try {
      const measured = await runLoad(
        async () => {
          const number = customers[random.integer(customers.length)]?.number ?? '';
          if ((await way.find(number)) !== number)
            throw new BenchmarkError('not_found', 'it should be there.');
        },
        loadOf(callers, pace),
      );
      // A look-up writes nothing: the database must be as it was.
      await auditDatabase(url, 'ledger', { acknowledged: 0, failed: 0 });
      return { ...measured, way: name, callers };
    } finally {
      await way.close();
    }
  });
}

/** One way to look a wallet up. `find` gives the number that the wallet found has. */
interface OpenWay {
  find(number: string): Promise<string | undefined>;
  close(): Promise<void>;
}

const OPENERS: Readonly<Record<LookupWay, (url: string) => OpenWay>> = {
  raw: (url) => {
    const pool = new Pool({ connectionString: url, max: CONNECTIONS });
    // A connection that breaks also fails the query under way, and that is where it is reported. After `end` the pool
    // does not wait for its connections to be gone, and dropping the database may end the last of them.
    pool.on('error', () => undefined);
    return {
      find: async (number) => {
        const { rows } = await pool.query<{ number: string }>({
          name: 'lookup',
          text: LOOKUP,
          values: [number],
        });
        return rows[0]?.number;
      },
      close: () => pool.end(),
    };
  },
  package: (url) => {
    // 256 callers of a pool of ten shall wait for their turn and not fail.
    const db = createDb({ url, maxConnections: CONNECTIONS, connectTimeoutMs: 120_000 });
    return {
      find: async (number) => (await lookupWallet(db, number))?.number,
      close: () => db.close(),
    };
  },
};

// What `lookupWallet` reads.
const LOOKUP = `
SELECT id AS number, holder_name, phone, currency::text, status, balance::text, held::text,
       (balance - held)::text AS available
  FROM core.wallets
 WHERE id = $1::varchar AND kind = 'CUSTOMER'`;
