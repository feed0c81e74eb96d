import { createDb, createDepositIntake, createReads } from '@repo/db';
import { databaseOptions, replicaOptions, runService } from '@repo/http';
import { createApp } from './app.ts';
import { readEnvironment } from './env.ts';
import { findTokenFaults } from './token-faults.ts';

const environment = readEnvironment();
const db = createDb(databaseOptions(environment));
const reads = createReads(db, replicaOptions(environment));
const maxAmount = environment.MPESA_MAX_AMOUNT;
const lanes = environment.DATABASE_LANES;
const intake = createDepositIntake(db.patient, { maxAmount, ...(lanes === undefined ? {} : { lanes }) });
const server = await createApp({
  db,
  reads,
  intake,
  settings: {
    apiKey: environment.API_KEY,
    callbackToken: environment.MPESA_CALLBACK_TOKEN,
    validation: environment.MPESA_VALIDATION,
    maxAmount,
    sourceCheck: { mode: environment.MPESA_SOURCE_CHECK, allowlist: environment.MPESA_SOURCE_ALLOWLIST },
    trustProxy: environment.TRUST_PROXY,
    maxCallbacks: environment.QUEUE_LIMIT,
    logLevel: environment.LOG_LEVEL,
  },
});

for (const fault of findTokenFaults(environment.MPESA_CALLBACK_TOKEN)) server.app.log.warn(fault);
await runService(server, {
  host: environment.HOST,
  port: environment.MPESA_PORT,
  portVariable: 'MPESA_PORT',
  close: async () => {
    await intake.close();
    await reads.close();
    await db.close();
  },
});
