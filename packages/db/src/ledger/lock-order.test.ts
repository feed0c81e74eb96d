import { expect, test } from 'vitest';
import { hold } from './holds.ts';
import { allFaults } from '../testing/ledger/hold-faults.ts';
import { newKey, sampleTransfer } from '../testing/ledger/requests.ts';
import { times } from '../testing/database/nodes.ts';
import { connect, openTestDb, sqlOf } from '../testing/database/test-db.ts';
import { openFunded } from '../testing/database/wallet-fixtures.ts';
import { transfer } from './transfers.ts';

const CONNECTIONS = 6;
const ROUNDS = times(40);

test('transfers, captures, reversals, batches and freezes over the same wallets from both ends never wait in a circle', async () => {
  await using database = await openTestDb();
  const wallets: string[] = [];
  for (let i = 0; i < 4; i += 1) wallets.push(await openFunded(database, '1000.00'));
  // Pairs in both directions. Each pair has something to capture and something to send back.
  const pairs = wallets.flatMap((from) => wallets.filter((to) => to !== from).map((to) => ({ from, to })));
  const work: { readonly text: string; readonly values: readonly unknown[] }[] = [];
  for (let i = 0; work.length < CONNECTIONS * ROUNDS; i += 1) {
    const { from, to } = pairs[(i * 5) % pairs.length] ?? { from: '', to: '' };
    const { id } = await hold(database.db, { wallet: from, amount: '1.00', idempotencyKey: newKey() });
    const { reference } = await transfer(database.db, sampleTransfer({ from, to, amount: '1.00' }));
    const other = await hold(database.db, { wallet: to, amount: '1.00', idempotencyKey: newKey() });
    const sent = await transfer(database.db, sampleTransfer({ from: to, to: from, amount: '1.00' }));
    const freeze = i % 12 === 0 ? 'FROZEN' : 'ACTIVE';
    work.push(
      { text: CAPTURE, values: [newKey(), id, to, `DF-C${i}`] },
      { text: REVERSE, values: [newKey(), reference, `DF-R${i}`] },
      {
        text: BATCH,
        values: [newKey(), newKey(), sent.reference, other.id, from, to, `DF-B${i}`, `DF-D${i}`],
      },
      { text: TRANSFER, values: [[newKey()], [`DF-T${i}`], [to], [from]] },
      { text: 'SELECT core.set_wallet_status($1, $2, $3)', values: [to, freeze, 'the race'] },
    );
  }
  const { urls } = database;
  const clients = await Promise.all(
    Array.from({ length: CONNECTIONS }, (_, i) => connect(urls[i % urls.length] ?? '')),
  );
  try {
    // Past the package, which would try again: a deadlock rejects here.
    await Promise.all(
      clients.map(async (client, lane) => {
        const sql = sqlOf(client);
        for (const { text, values } of work.filter((_, i) => i % CONNECTIONS === lane))
          await sql(text, values);
      }),
    );
  } finally {
    await Promise.all(clients.map((client) => client.end()));
  }
  expect(await allFaults(database.sql)).toEqual([]);
});

const CAPTURE = `SELECT core.capture_hold($1, 'digest', $2, $3, NULL, $4, NULL)`;
const REVERSE = `SELECT core.reverse_transaction($1, 'digest', $2, NULL, $3, NULL)`;
const TRANSFER = `SELECT core.record_transfers($1, ARRAY['digest'], $2, $3, $4, ARRAY[1.00], ARRAY['KES'], ARRAY[NULL::text])`;
// Its captures and reversals name no wallet of their own: to whom they belong is looked up.
const BATCH = `
SELECT core.run_operations(
    ARRAY['REVERSE', 'CAPTURE', 'RELEASE', 'HOLD'], ARRAY[$1, $2, NULL, $1 || '-h'],
    ARRAY['digest', 'digest', NULL, 'digest'], ARRAY[NULL, $4, $4, NULL]::uuid[], ARRAY[$3, NULL, NULL, NULL],
    ARRAY[NULL, $5, NULL, $6], ARRAY[NULL, NULL, NULL, 1.00]::numeric[], array_fill(NULL::timestamp, ARRAY[4]),
    ARRAY[$7, $8, NULL, NULL], array_fill(NULL::text, ARRAY[4])
)`;
