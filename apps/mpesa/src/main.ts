import { createDb, createDepositIntake, createSchemaCheck } from '@repo/db';
import { closeGracefully } from '@repo/http';
import { createApp } from './app.ts';
import { readEnvironment } from './env.ts';
import { findTokenFaults } from './token-faults.ts';

const environment = readEnvironment();
const db = createDb({
  url: environment.DATABASE_URL,
  maxConnections: environment.DATABASE_CONNECTIONS,
  pooler: environment.DATABASE_POOLER === 'transaction',
});
const maxAmount = environment.MPESA_MAX_AMOUNT;
const intake = createDepositIntake(db, { maxAmount });
const server = await createApp({
  db,
  intake,
  settings: {
    apiKey: environment.API_KEY,
    callbackToken: environment.MPESA_CALLBACK_TOKEN,
    validation: environment.MPESA_VALIDATION,
    maxAmount,
    sourceCheck: { mode: environment.MPESA_SOURCE_CHECK, allowlist: environment.MPESA_SOURCE_ALLOWLIST },
    trustProxy: environment.TRUST_PROXY,
    logLevel: environment.LOG_LEVEL,
  },
});
const { app } = server;

// The requests are answered by then; what they queued is committed, and only then does the database close.
app.addHook('onClose', async () => {
  await intake.close();
  await db.close();
});
closeGracefully(server, { signals: ['SIGTERM', 'SIGINT'] });

for (const fault of findTokenFaults(environment.MPESA_CALLBACK_TOKEN)) app.log.warn(fault);
try {
  await app.listen({ host: environment.HOST, port: environment.MPESA_PORT });
} catch (error) {
  app.log.fatal(
    { err: error },
    'cannot listen; set HOST and MPESA_PORT to an address and port that are free',
  );
  process.exit(1);
}

// A database that comes later is no reason to end: until then readiness and callbacks are answered 503.
await createSchemaCheck(db)().catch((error: unknown) => {
  app.log.warn({ err: error }, 'the database cannot be used yet; callbacks are answered 503 until it can');
});
