import { createDb, createLedgerIntake, createTransferIntake, createSchemaCheck } from '@repo/db';
import { EnvironmentError, closeGracefully } from '@repo/http';
import { createApp } from './app.ts';
import { readEnvironment } from './env.ts';
import { startHoldExpiry } from './ledger/hold-expiry.ts';
import { readReceiptKeys } from './receipts/receipt-keys.ts';
import { createStuckHoldsGauge } from './wallet-metrics.ts';

const environment = readEnvironment();
const receiptKeys = await readReceiptKeys(environment.RECEIPT_KEYS).catch((error: unknown) => {
  if (!(error instanceof EnvironmentError)) throw error;
  process.stderr.write(`${error.message}\n`);
  // As for any other setting that is wrong: restarting will not help.
  return process.exit(78);
});
const db = createDb({
  url: environment.DATABASE_URL,
  maxConnections: environment.DATABASE_CONNECTIONS,
  pooler: environment.DATABASE_POOLER === 'transaction',
});
const transfers = createTransferIntake(db);
const ledger = createLedgerIntake(db);
const server = await createApp({
  db,
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
    trustProxy: environment.TRUST_PROXY,
    logLevel: environment.LOG_LEVEL,
  },
});
const { app } = server;
const holdExpiry = startHoldExpiry(db, app.log, { onStuck: createStuckHoldsGauge(server.metrics) });

// The requests are answered by then; what they queued is committed, and only then does the database close.
app.addHook('onClose', async () => {
  await holdExpiry.stop();
  await Promise.all([transfers.close(), ledger.close()]);
  await db.close();
});
closeGracefully(server, { signals: ['SIGTERM', 'SIGINT'] });

if (receiptKeys.areTemporary) {
  app.log.warn('RECEIPT_KEYS is not set: receipts are signed with a key that is gone when this process ends');
}
if (environment.isProduction && environment.PUBLIC_URL === undefined) {
  app.log.warn('PUBLIC_URL is not set: the links on receipts lead to 127.0.0.1');
}
try {
  await app.listen({ host: environment.HOST, port: environment.WALLET_PORT });
} catch (error) {
  app.log.fatal(
    { err: error },
    'cannot listen; set HOST and WALLET_PORT to an address and port that are free',
  );
  process.exit(1);
}

// A database that comes later is no reason to end: until then readiness and requests are answered 503.
await createSchemaCheck(db)().catch((error: unknown) => {
  app.log.warn({ err: error }, 'the database cannot be used yet; requests are answered 503 until it can');
});
