import { createDb, createLedgerIntake, createReads, createTransferIntake } from '@repo/db';
import { databaseOptions, exitOnWrongSettings, replicaOptions, runService } from '@repo/http';
import { createApp } from './app.ts';
import { readEnvironment } from './env.ts';
import { startHoldExpiry } from './ledger/hold-expiry.ts';
import { readReceiptKeys } from './receipts/receipt-keys.ts';
import { createStuckHoldsGauge } from './wallet-metrics.ts';

const environment = readEnvironment();
const receiptKeys = await readReceiptKeys(environment.RECEIPT_KEYS).catch(exitOnWrongSettings);
const db = createDb(databaseOptions(environment));
const reads = createReads(db, replicaOptions(environment));
const QUEUE = { maxQueue: environment.QUEUE_LIMIT };
const lanes = environment.DATABASE_LANES;
const transfers = createTransferIntake(db.patient, { ...QUEUE, ...(lanes === undefined ? {} : { lanes }) });
const ledger = createLedgerIntake(db.patient, QUEUE);
const server = await createApp({
  db,
  reads,
  transfers,
  ledger,
  receiptKeys: receiptKeys.keys,
  settings: {
    apiKey: environment.API_KEY,
    ...(environment.PUBLIC_URL === undefined ? {} : { publicUrl: environment.PUBLIC_URL }),
    ...(environment.ISSUER_NAME === undefined
      ? {}
      : { issuer: { name: environment.ISSUER_NAME, contact: environment.ISSUER_CONTACT ?? null } }),
    lookupRate: environment.LOOKUP_RATE,
    verifyRate: environment.VERIFY_RATE,
    maxClients: environment.QUEUE_LIMIT,
    trustProxy: environment.TRUST_PROXY,
    logLevel: environment.LOG_LEVEL,
  },
});
const { app } = server;
const holdExpiry = startHoldExpiry(db, app.log, { onStuck: createStuckHoldsGauge(server.metrics) });

if (receiptKeys.areTemporary) {
  app.log.warn('RECEIPT_KEYS is not set: receipts are signed with a key that is gone when this process ends');
}
if (environment.isProduction && environment.PUBLIC_URL === undefined) {
  app.log.warn('PUBLIC_URL is not set: the links on receipts lead to 127.0.0.1');
}
await runService(server, {
  host: environment.HOST,
  port: environment.WALLET_PORT,
  portVariable: 'WALLET_PORT',
  close: async () => {
    await holdExpiry.stop();
    await Promise.all([transfers.close(), ledger.close()]);
    await reads.close();
    await db.close();
  },
});
