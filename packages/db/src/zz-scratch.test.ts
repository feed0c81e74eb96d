import { test } from 'vitest';
import { useTestDb } from './testing/test-db.ts';
import { openCustomer, openFunded } from './testing/wallet-fixtures.ts';
import { sampleTransfer } from './testing/ledger-requests.ts';
import { transfers } from './transfers.ts';
import { walletStatement, balanceAt } from './wallet-statement.ts';
import { appendFileSync } from 'node:fs';
const database = useTestDb();
const sql = database.sql;
test('explain', async () => {
  const [wallet, other] = [await openFunded(database, '30000.00'), await openCustomer(database.db)];
  for (let batch = 0; batch < 10; batch += 1) await transfers(database.db,
      Array.from({ length: 2_000 }, () => sampleTransfer({ from: wallet, to: other, amount: '1.00' })));
  await sql('VACUUM ANALYZE core.transactions');
  const seen: any[] = [];
  const spy = { prisma: database.db.prisma, run: async (st: any, v: any) => { seen.push([st, v]); return database.db.run(st, v); } };
  const mid = (await walletStatement(database.db, { wallet, limit: 1, cursor: '10000' })).lines[0]!.createdAt;
  await walletStatement(spy, { wallet, from: mid, to: new Date(mid.getTime()+1000), limit: 50 });
  await sql('SET plan_cache_mode = force_generic_plan');
  for (const [st, v] of seen) {
    for (const mode of ['force_custom_plan','force_generic_plan']) {
    await sql('SET plan_cache_mode = ' + mode);
    await sql(`DEALLOCATE ALL`);
    const types = v.map(() => 'text');
    await sql(`PREPARE x AS ${st.text}`);
    const plan = await sql(`EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF) EXECUTE x(${v.map((p: any) => p === null ? 'NULL' : `'${p}'`).join(',')})`);
    appendFileSync('/tmp/plan.txt', `\n== ${st.name} ${mode}\n` + plan.map((r) => r['QUERY PLAN']).join('\n'));
    }
  }
}, 60000);
