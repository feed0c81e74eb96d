import { expect, test } from 'vitest';
import { storeCallback } from './inbox.ts';
import { transaction } from '../connection/transaction.ts';
import { depositRows } from '../testing/deposits/deposit-rows.ts';
import { newReceipt } from '../testing/deposits/sample-deposit.ts';
import { useTestDb } from '../testing/database/test-db.ts';

const database = useTestDb();

const QUARANTINED = {
  kind: 'C2B_CONFIRMATION',
  outcome: 'QUARANTINED',
  error: 'body_not_json',
  source: '10.0.0.1',
} as const;

test('what cannot be understood is kept byte by byte', async () => {
  const receipt = newReceipt();
  const body = new Uint8Array([0, 255, 0x7b, 0]);
  const { id } = await storeCallback(database.db, { ...QUARANTINED, receipt, body });
  const { callbacks } = await depositRows(database.sql, receipt);
  expect(callbacks).toEqual([
    { ...QUARANTINED, id, receipt, body: Buffer.from(body), received_at: expect.any(String) },
  ]);
});

test('inside a transaction the bytes are the same, a view into a larger buffer included', async () => {
  const receipt = newReceipt();
  const body = new Uint8Array([9, 9, 0, 255, 9, 9]).subarray(2, 4);
  await transaction(database.db, (tx) => storeCallback(tx, { ...QUARANTINED, receipt, body }));
  const { callbacks } = await depositRows(database.sql, receipt);
  expect(callbacks[0]?.['body']).toEqual(Buffer.from([0, 255]));
});

test('a message without a receipt, a source or a body is kept too', async () => {
  const empty = {
    kind: 'C2B_VALIDATION',
    outcome: 'VALIDATED',
    receipt: null,
    error: null,
    source: null,
  } as const;
  const { id } = await storeCallback(database.db, { ...empty, body: new Uint8Array(0) });
  const rows = await database.sql(
    'SELECT length(body) AS length FROM services.mpesa_callbacks WHERE id = $1',
    [id],
  );
  expect(rows).toEqual([{ length: 0 }]);
});

test('a stored callback goes with the transaction that stored it', async () => {
  const receipt = newReceipt();
  const failed = transaction(database.db, async (tx) => {
    await storeCallback(tx, { ...QUARANTINED, receipt, body: new Uint8Array(1) });
    throw new Error('changed my mind');
  });
  await expect(failed).rejects.toThrow('changed my mind');
  expect((await depositRows(database.sql, receipt)).callbacks).toEqual([]);
});
