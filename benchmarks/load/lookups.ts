import { lookupWallet } from '@repo/db';
import { createRandom } from '@repo/simulator';
import { Pool } from 'pg';
import { auditDeposits } from '../audit/deposits.ts';
import { BenchmarkError } from '../lib/errors.ts';
import { CONNECTIONS } from './contest.ts';
import type { Call, Contest, Place } from './contest.ts';

/** `lookupWallet` beside the same statement through the driver alone. A look-up writes nothing: the audit sees to it. */
export const LOOKUP_CONTEST: Contest = {
  subject: 'lookups',
  audit: (url, database) => auditDeposits(url, database, { acknowledged: 0, failed: 0 }),
  contestants: [
    { way: 'raw', database: 'ledger', open: openRaw },
    { way: 'package', database: 'ledger', open: openPackage },
  ],
};

function openRaw({ url, opened, bench }: Place): Call {
  const pool = new Pool({ connectionString: url, max: CONNECTIONS });
  // A connection that breaks also fails the query under way, and that is where it is reported. After `end` the pool
  // does not wait for its connections to be gone, and dropping the database may end the last of them.
  pool.on('error', () => undefined);
  opened.defer(() => pool.end());
  return lookUp(bench, async (number) => {
    const query = { name: 'lookup', text: LOOKUP, values: [number] };
    const { rows } = await pool.query<{ number: string }>(query);
    return rows[0]?.number;
  });
}

function openPackage({ db, bench }: Place): Call {
  return lookUp(bench, async (number) => (await lookupWallet(db, number))?.number);
}

/** Looks for random wallets, the same ones in each way. `find` gives the number that the wallet found has. */
function lookUp({ customers }: Place['bench'], find: (number: string) => Promise<string | undefined>): Call {
  const random = createRandom('look-ups');
  return async () => {
    const number = customers[random.integer(customers.length)]?.number ?? '';
    if ((await find(number)) !== number) throw new BenchmarkError('not_found', 'it should be there.');
  };
}

// What `lookupWallet` reads.
const LOOKUP = `
SELECT id AS number, holder_name, phone, currency::text, status, balance::text, held::text,
       (balance - held)::text AS available
  FROM core.wallets
 WHERE id = $1::varchar AND kind = 'CUSTOMER'`;
